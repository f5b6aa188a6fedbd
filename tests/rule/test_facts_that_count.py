"""Which rows a clock is derived from, where no date that is shown need tell: asked for the very instants."""

from datetime import UTC, date, datetime, timedelta

import pytest

from helpers.facts import insert_holds, insert_lead, insert_policy, insert_reminders

MICROSECOND = timedelta(microseconds=1)
START = datetime(2025, 1, 15, 9, tzinfo=UTC)
# Of the standard protection: 10 days before 23 September.
DUE = datetime(2025, 9, 13, 6, tzinfo=UTC)
ENDS = datetime(2025, 9, 23, 8, tzinfo=UTC)
WINDOW = date(2025, 9, 23)


def day(number: int) -> datetime:
    """An instant so many days after the reminder falls due."""
    return DUE + timedelta(days=number)


def derived(db, columns: str, as_of: object, lead_id: int = 1) -> tuple:
    """What the rule says of lead 1."""
    query = f"SELECT {columns} FROM lead_protection.derive_lead_clocks(%s) WHERE lead_id = %s"
    return db.execute(query, (as_of, lead_id)).fetchone()


def test_an_expiry_counts_from_its_record_until_it_is_taken_back(unchecked):
    for lead_id in (1, 2):
        insert_lead(unchecked, lead_id, START, policy_id=1)
    for lead_id, user_id, ended, recorded, taken_back in (
        (1, 7, day(1), day(2), day(6)),
        (1, 7, day(3), day(4), day(8)),
        (1, 8, day(0), day(0), day(5)),
        (1, 8, day(5), day(5), None),
        (2, 7, day(0), day(0), day(5)),
        (2, 7, day(5), day(5), None),
    ):
        unchecked.execute(
            "INSERT INTO lead_protection.lead_expiries"
            " (lead_id, user_id, protection_expires_at, recorded_at, reactivated_at) VALUES (%s, %s, %s, %s, %s)",
            (lead_id, user_id, ended, recorded, taken_back),
        )
    looks = {
        day(2) - MICROSECOND: None,
        day(2): day(1),
        # Two at once, which only those who write past our functions can make: the later one.
        day(4): day(3),
        day(8) - MICROSECOND: day(3),
        day(8): None,
        "infinity": None,
    }
    assert {look: derived(unchecked, "expired_at", look)[0] for look in looks} == looks


def test_a_reminder_counts_from_its_sending_and_its_window_until_it_is_taken_back(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_reminders(unchecked, 1, [day(-9), day(-7)])
    insert_reminders(unchecked, 1, [day(0), day(1), day(2)], user_id=8)
    first, second = date(1999, 1, 1), date(1999, 1, 2)
    unchecked.execute(
        "UPDATE lead_protection.lead_reminders SET reactivated_at = sent_at + INTERVAL '4 days' WHERE user_id = 7"
    )
    looks = {
        day(-9) - MICROSECOND: (None, None),
        day(-9): (day(-9), first),
        day(-7): (day(-7), second),
        day(-3) - MICROSECOND: (day(-7), second),
        day(-3): (day(-7), None),
        "infinity": (day(-7), None),
    }
    assert {look: derived(unchecked, "reminded_at, reminded_window", look) for look in looks} == looks
    # The present window's own comes first, even if it was taken back.
    unchecked.execute(
        "UPDATE lead_protection.lead_reminders SET window_date = '2025-09-23' WHERE user_id = 7 AND window_date = %s",
        (second,),
    )
    unchecked.execute(
        "UPDATE lead_protection.lead_reminders SET reactivated_at = NULL WHERE window_date = %s", (first,)
    )
    assert derived(unchecked, "reminded_window", "infinity") == (date(2025, 9, 23),)


def test_a_reminder_of_an_earlier_protection_of_the_same_user_does_not_count(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_reminders(unchecked, 1, [START - MICROSECOND])
    assert derived(unchecked, "reminded_at", "infinity") == (None,)
    unchecked.execute("UPDATE lead_protection.lead_reminders SET sent_at = %s", (START,))
    assert derived(unchecked, "reminded_at", "infinity") == (START,)


def deliver(db, message: str, at: datetime, outcome: str = "delivered", **of: object) -> None:
    """Report it of the reminder of lead 1, user 7 and the present window, or of another, which is made if missing."""
    of = {"lead": 1, "user": 7, "window": WINDOW, "ends": ENDS, "message": message, "outcome": outcome, "at": at} | of
    # That of another window was sent before this one's was due.
    sent_at = DUE if of["window"] == WINDOW else day(-1)
    db.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at)"
        " VALUES (%(lead)s, %(user)s, %(window)s, %(ends)s, %(sent)s, %(sent)s) ON CONFLICT DO NOTHING",
        of | {"sent": sent_at},
    )
    db.execute(
        "INSERT INTO lead_protection.reminder_deliveries"
        " (lead_id, user_id, window_date, message_id, outcome, occurred_at)"
        " VALUES (%(lead)s, %(user)s, %(window)s, %(message)s, %(outcome)s, %(at)s)",
        of,
    )


def test_a_notice_is_received_with_the_first_delivery_of_its_own_reminder(unchecked):
    by_delivery = insert_policy(unchecked, name="by delivery", notice_required=True, notice_counts_from="delivered")
    insert_lead(unchecked, 1, START, policy_id=by_delivery)
    insert_lead(unchecked, 2, START, policy_id=by_delivery)
    deliver(unchecked, "a", day(1), "failed")
    deliver(unchecked, "b", day(4))
    deliver(unchecked, "c", day(3))
    deliver(unchecked, "a", day(1), user=8)
    deliver(unchecked, "a", day(1), window=WINDOW - timedelta(days=1))
    deliver(unchecked, "a", day(1), lead=2)
    looks = {day(3) - MICROSECOND: None, day(3): day(3), "infinity": day(3)}
    assert {look: derived(unchecked, "noticed_at", look)[0] for look in looks} == looks


def test_a_notice_that_came_on_a_saturday_is_received_on_monday_though_it_came_again_on_tuesday(unchecked):
    (calendar_id,) = unchecked.execute("SELECT max(id) FROM lead_protection.calendars WHERE code = 'DE'").fetchone()
    by_working_day = insert_policy(
        unchecked,
        name="by working day",
        notice_required=True,
        notice_counts_from="delivered_working_day",
        calendar_id=calendar_id,
    )
    insert_lead(unchecked, 1, START, policy_id=by_working_day)
    deliver(unchecked, "a", day(7))
    deliver(unchecked, "b", day(10))
    # In Berlin, at the beginning of the day.
    assert derived(unchecked, "noticed_at", "infinity") == (datetime(2025, 9, 21, 22, tzinfo=UTC),)


@pytest.mark.parametrize("earlier", [timedelta(0), MICROSECOND])
def test_an_open_hold_that_begins_at_the_expiry_never_counts(unchecked, earlier):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_holds(unchecked, 1, [(ENDS - earlier, None)])
    stored = unchecked.execute(
        "SELECT protection_expires_at, open_hold_from, runs_from = 'infinity' FROM lead_protection.lead_clocks"
    ).fetchone()
    assert stored == (ENDS, ENDS - earlier if earlier else None, bool(earlier))


@pytest.mark.parametrize(
    ("terms", "looks_at_policy"), [({}, False), ({"period_end": "end_of_day"}, True), ({"hold_unit": "day"}, True)]
)
def test_who_counts_the_time_elapsed_looks_at_no_policy(unchecked, terms, looks_at_policy):
    policy_id = insert_policy(unchecked, name="terms", **terms)
    insert_lead(unchecked, 1, START, policy_id=policy_id)
    assert derived(unchecked, "day_policy_id", "infinity") == (policy_id if looks_at_policy else None,)
