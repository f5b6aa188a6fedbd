"""What is left of a protection: it passes while the clock runs, stands still with it, and is sorted by an index."""

from datetime import UTC, datetime, timedelta

import pytest

from helpers.facts import insert_holds, insert_lead, insert_policy

START = datetime(2025, 1, 15, 9, tzinfo=UTC)
EXPIRY = datetime(2025, 9, 23, 8, tzinfo=UTC)  # 15 July and 70 days, at 10:00 in Berlin
DAY = timedelta(days=1)
APRIL, MAY, JUNE = (datetime(2025, month, 1, tzinfo=UTC) for month in (4, 5, 6))


def left(db, as_of, lead_id=1):
    """What the view would show at an instant."""
    ((time_left,),) = db.execute(
        "SELECT time_left FROM lead_protection.user_lead_protection(%s) WHERE lead_id = %s", (as_of, lead_id)
    ).fetchall()
    return time_left


@pytest.mark.parametrize(
    ("holds", "looks"),
    [
        pytest.param([], {MAY: EXPIRY - MAY, EXPIRY: timedelta(), EXPIRY + 400 * DAY: timedelta()}, id="runs"),
        pytest.param([(MAY, None)], {MAY: EXPIRY - MAY, JUNE: EXPIRY - MAY, JUNE + 500 * DAY: EXPIRY - MAY}, id="open"),
        pytest.param(
            [(MAY, JUNE)],
            {
                APRIL: EXPIRY - APRIL,
                MAY: EXPIRY - MAY,
                MAY + 30 * DAY: EXPIRY - MAY,
                JUNE: EXPIRY - MAY,
                JUNE + DAY: EXPIRY - MAY - DAY,
            },
            id="planned",
        ),
        pytest.param(
            [(APRIL, MAY), (JUNE, JUNE + 9 * DAY)],
            {
                APRIL - DAY: EXPIRY - APRIL + DAY,
                APRIL + DAY: EXPIRY - APRIL,
                MAY + DAY: EXPIRY - APRIL - DAY,
                JUNE + DAY: EXPIRY - APRIL - 31 * DAY,
            },
            id="planned, and another later",
        ),
        pytest.param([(APRIL, MAY), (MAY, None)], {MAY: EXPIRY - APRIL, JUNE: EXPIRY - APRIL}, id="end to end"),
        pytest.param([(MAY, JUNE), (APRIL, None)], {MAY: EXPIRY - APRIL, JUNE + DAY: EXPIRY - APRIL}, id="overlapping"),
    ],
)
def test_what_is_left_passes_while_the_clock_runs_and_only_then(unchecked, holds, looks):
    insert_lead(unchecked, 1, START, policy_id=insert_policy(unchecked))
    insert_holds(unchecked, 1, holds)
    assert {as_of: left(unchecked, as_of) for as_of in looks} == looks


def test_it_stands_still_where_a_hold_is_counted_by_days(unchecked):
    policy = insert_policy(unchecked, period_end="end_of_day", hold_unit="day")
    insert_lead(unchecked, 1, START, policy_id=policy)
    insert_holds(unchecked, 1, [(MAY, None)])
    end_of_day = datetime(2025, 9, 23, 22, tzinfo=UTC)
    looks = [MAY, MAY + timedelta(hours=31), JUNE]
    assert [left(unchecked, as_of) for as_of in looks] == [end_of_day - MAY] * 3


def test_nothing_is_left_of_a_protection_that_is_closed_or_nobodys(db):
    insert_lead(db, 1, START, closed_at=MAY)
    insert_lead(db, 2, START, user_id=None)
    assert (left(db, JUNE, 1), left(db, JUNE, 2)) == (None, None)


def test_a_call_reads_what_the_view_shows(db):
    """Both by the same instant: that of the transaction, within which a hold stops nothing yet."""
    now = datetime.now(UTC)
    holds: list[list[tuple]] = [
        [],
        [(now - DAY, None)],
        [(now - DAY, now + DAY)],
        [(now - DAY, now + DAY), (now - 2 * DAY, None)],
        [(now + DAY, now + 2 * DAY)],
    ]
    for lead_id, of_lead in enumerate(holds, start=1):
        insert_lead(db, lead_id, now - 10 * DAY)
        insert_holds(db, lead_id, of_lead)
    insert_lead(db, 6, now - 900 * DAY)
    shown = db.execute(
        "SELECT v.time_left, lead_protection.read_lead(v.lead_id, now()) = v, m = v, a = v"
        " FROM lead_protection.v_user_lead_protection AS v"
        " INNER JOIN lead_protection.read_leads(ARRAY[1, 2, 3, 4, 5, 6], now()) AS m ON m.lead_id = v.lead_id"
        " INNER JOIN lead_protection.read_leads_at(ARRAY[1, 2, 3, 4, 5, 6], array_fill(now(), ARRAY[6])) AS a"
        " ON a.lead_id = v.lead_id"
    ).fetchall()
    assert len({time_left for time_left, *_ in shown}) == 4
    assert [same for _, *same in shown] == [[True] * 3] * 6
