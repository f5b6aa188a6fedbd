"""After an outage: what makes sense is sent, at a pace, the rest counted, nothing lost. And the 60 minutes."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import psycopg
import pytest

from helpers.facts import PIPELINE_IDLE, REMINDER_DUE, events, insert_holds, insert_lead_of_age, insert_policy
from helpers.guards import but_by_night
from helpers.jobs import run_pipeline

pytestmark = pytest.mark.slow("days of reminders that are caught up")

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REMINDER, EXPIRY = "lead.protection.reminder", "lead.protection.expired"


def start_for(expires_at: datetime) -> datetime:
    """The start whose protection ends then: 6 months and 70 days back on the wall clock of Berlin."""
    local = expires_at.astimezone(BERLIN).replace(tzinfo=None) - timedelta(days=70)
    month = local.month - 6
    start = local.replace(year=local.year - (month < 1), month=month + 12 * (month < 1), day=min(local.day, 28))
    # The day was cut where the month is shorter; the tests ask the database for the end that this gives.
    return start.replace(tzinfo=BERLIN)


def insert(db, lead_id: int, created_at: datetime, user_id: int = 7, policy_id: int | None = None) -> None:
    """Insert a lead that was recorded when it was brought in."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, policy_id, created_at, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        (lead_id, user_id, policy_id, created_at, created_at),
    )


def clocks(db) -> dict[int, tuple[datetime, datetime]]:
    """When each lead's reminder is due, and when it expires, by the clock."""
    rows = db.execute("SELECT lead_id, reminder_due_at, protection_expires_at FROM lead_protection.lead_clocks")
    return {row[0]: row[1:] for row in rows}


def fates(db) -> dict[int, list[str]]:
    """What was published of each lead's reminder and end, in order; a missed reminder is told with what ended it."""
    rows = db.execute(
        "SELECT aggregateid::int, type, payload ? 'missed_reminder_due_at' FROM lead_protection.outbox_events"
        " WHERE type = ANY(%s) ORDER BY sequence_number",
        ([REMINDER, EXPIRY],),
    )
    found: dict[int, list[str]] = {}
    for lead_id, type, missed in rows:
        found.setdefault(lead_id, []).append("missed" if missed else type.rpartition(".")[2])
    return found


@pytest.mark.parametrize(
    "outage",
    but_by_night(
        [2 * HOUR, 5 * DAY, 15 * DAY],
        [2 * HOUR, 15 * DAY],
        "a length between the two",
        "pipeline/test_outage.py::test_after_an_outage_each_lead_has_the_one_fate_that_makes_sense",
    ),
    ids=["2 hours", "5 days", "15 days"],
)
def test_after_an_outage_each_lead_has_the_one_fate_that_makes_sense(db, outage):
    """The pipeline ran until the outage began, and then again at its end, which is an hour ago."""
    end = datetime.now(UTC).replace(microsecond=0) - HOUR
    begin = end - outage
    chance = Random(str(outage))
    for lead_id in range(1, 401):
        due_around = begin + (chance.uniform(-1.5, 2.5) * max(outage, DAY))
        insert(db, lead_id, start_for(due_around + 10 * DAY), user_id=lead_id % 9)
    closed, held = set(range(1, 401, 10)), set(range(2, 401, 10))
    before = {lead_id: clock for lead_id, clock in clocks(db).items()}

    # Every few hours until the outage; then, while it lasts, some are closed and some put on hold.
    for hours in range(int(outage.total_seconds() / 3600 * 1.6) + 60, 0, -6):
        run_pipeline(db, begin - hours * HOUR)
    run_pipeline(db, begin)
    during = begin + outage / 2
    with db.transaction():
        db.execute("UPDATE lead_protection.leads SET closed_at = %s WHERE id = ANY(%s)", (during, list(closed)))
    for lead_id in held:
        insert_holds(db, lead_id, [(during, None)], user_id=lead_id % 9)
    sent_before = {row[0] for row in db.execute("SELECT lead_id FROM lead_protection.lead_reminders")}
    assert sent_before == {lead_id for lead_id, (due, _) in before.items() if due <= begin}

    first = run_pipeline(db, end)
    assert run_pipeline(db, end) == PIPELINE_IDLE, "nothing twice"

    expected = {}
    for lead_id, (due, expires) in before.items():
        fate = ["reminder"] if due <= begin else []
        over = during if lead_id in closed | held else end  # closed, or the clock stands still
        if expires <= begin or (expires <= over and lead_id not in closed) or expires <= min(over, during):
            # Expiries of closed leads are recorded only if a run saw them before they were closed.
            if lead_id not in closed or expires <= begin:
                fate += ["expired"] if fate else ["missed"]
        elif due > begin and lead_id not in closed | held and due <= end:
            fate += ["reminder"]
        if fate:
            expected[lead_id] = fate
    assert fates(db) == expected
    missed = {lead_id for lead_id, fate in expected.items() if "missed" in fate}
    assert bool(missed) == (outage > 10 * DAY)
    # Those that were closed while their reminder waited.
    missed |= {n for n in closed if begin < before[n][0] < during and before[n][1] > datetime.now(UTC)}
    assert first["reminders"] == sum(fate == ["reminder"] for fate in expected.values()) - len(
        [n for n in sent_before if expected[n] == ["reminder"]]
    )

    by_day = dict(db.execute("SELECT day, missed FROM lead_protection.v_reminder_sla WHERE missed > 0").fetchall())
    assert by_day == Counter(before[lead_id][0].date() for lead_id in missed)
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (
        sum("reminder" in fate for fate in expected.values()),
    )


def test_leads_whose_policy_has_notice_are_reminded_however_late_and_keep_their_grace(db):
    policy_id = insert_policy(db, "notice", notice_required=True)
    end = datetime.now(UTC).replace(microsecond=0) - HOUR
    insert(db, 1, start_for(end - 5 * DAY), policy_id=policy_id)
    assert run_pipeline(db, end) == PIPELINE_IDLE | {"reminders": 1}
    assert fates(db) == {1: ["reminder"]}
    state, expires = db.execute(
        "SELECT state, protection_expires_at FROM lead_protection.v_user_lead_protection"
    ).fetchone()
    assert state == "GRACE"
    # Calendar days on Berlin's wall clock.
    assert expires.astimezone(BERLIN).replace(tzinfo=None) == end.astimezone(BERLIN).replace(tzinfo=None) + 10 * DAY


@pytest.mark.parametrize("end", ["close_lead(1, 7, 'LOST', 'x', 1)", "transfer_lead(1, 7, 8, 'x', 1)"])
def test_a_reminder_is_missed_by_whoever_closes_or_transfers_before_it_is_sent(db, end):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    ((due, _),) = clocks(db).values()
    db.execute(f"SELECT lead_protection.{end}")
    run_pipeline(db)
    (payload,) = db.execute(
        "SELECT payload FROM lead_protection.outbox_events WHERE payload ? 'missed_reminder_due_at'"
    ).fetchone()
    assert datetime.fromisoformat(payload["missed_reminder_due_at"]) == due
    sla = db.execute("SELECT day, missed, fell_due FROM lead_protection.v_reminder_sla WHERE missed > 0").fetchall()
    assert sla == [(due.astimezone(UTC).date(), 1, 1)]


def test_nothing_is_missed_by_a_lead_that_was_reminded_or_held_or_recorded_too_late(db):
    for lead_id in (1, 2):
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    run_pipeline(db)
    db.execute("SELECT lead_protection.close_lead(2, 7, 'LOST', 'x', 1)")
    insert_lead_of_age(db, 3, 300)
    run_pipeline(db)
    assert fates(db) == {2: ["reminder"], 3: ["expired"]}
    assert db.execute("SELECT sum(missed) FROM lead_protection.v_reminder_sla").fetchone() == (0,)


# --- the pace ---


def due_leads(db, count: int, user_id: int, first: int = 1, days: int = REMINDER_DUE) -> None:
    """Insert leads whose reminder is due, the first for the longest time."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT n, %s, now() - %s * INTERVAL '1 day' + n * INTERVAL '1 minute'"
        " FROM generate_series(%s::int, %s::int) AS n",
        (user_id, days, first, first + count - 1),
    )


def sent(db) -> list[int]:
    return [row[0] for row in db.execute("SELECT lead_id FROM lead_protection.lead_reminders ORDER BY lead_id")]


def configure(db, **settings) -> None:
    arguments = ", ".join(f"{name} => %({name})s" for name in settings)
    db.execute(f"SELECT lead_protection.configure_reminders({arguments})", settings)


def test_a_run_sends_so_many_the_longest_due_first_and_the_next_runs_the_rest(db):
    due_leads(db, 25, user_id=7)
    configure(db, reminders_per_run=10)
    done = []
    for expected in (10, 10, 5, 0):
        assert run_pipeline(db)["reminders"] == expected
        done.append(sent(db))
    assert done == [list(range(1, n + 1)) for n in (10, 20, 25, 25)]


def test_no_user_gets_more_than_so_many_and_none_keeps_another_waiting(db):
    due_leads(db, 100, user_id=7)
    due_leads(db, 3, user_id=8, first=1001)
    configure(db, reminders_per_run=12, reminders_per_user=10)
    assert run_pipeline(db)["reminders"] == 12
    of_users = "SELECT user_id, count(*) FROM lead_protection.lead_reminders GROUP BY 1 ORDER BY 1"
    assert db.execute(of_users).fetchall() == [(7, 10), (8, 2)]
    assert sent(db) == [*range(1, 11), 1001, 1002], "the longest due of each"
    assert run_pipeline(db)["reminders"] == 11
    assert db.execute(of_users).fetchall() == [(7, 20), (8, 3)]


def test_without_limits_all_is_sent_at_once_in_batches(db):
    due_leads(db, 120, user_id=7)
    configure(db, reminders_per_run=None, reminders_per_user=None)
    db.execute("CALL lead_protection.run_protection_pipeline(batch_size => 7)")
    assert len(sent(db)) == 120


def test_the_defaults_are_10000_and_50(db):
    due_leads(db, 60, user_id=7)
    row = db.execute(
        "SELECT reminders_per_run, reminders_per_user, delivery_attempts, delivery_retry_delay"
        " FROM lead_protection.configure_reminders()"
    ).fetchone()
    assert row == (10000, 50, 5, timedelta(minutes=15))
    assert [run_pipeline(db)["reminders"] for _ in range(3)] == [50, 10, 0]


def test_repetitions_count_as_reminders_too(db):
    due_leads(db, 3, user_id=7)
    run_pipeline(db)
    db.execute(
        "SELECT lead_protection.report_reminder_delivery(lead_id, user_id, window_date, 'm' || lead_id, 'failed', 'x')"
        " FROM lead_protection.lead_reminders"
    )
    db.execute("UPDATE lead_protection.reminder_deliveries SET retry_at = now() - INTERVAL '1 second'")
    due_leads(db, 2, user_id=7, first=11)
    configure(db, reminders_per_run=4)
    assert [run_pipeline(db)["reminders"] for _ in range(3)] == [4, 1, 0]
    assert events(db).count(REMINDER) == 8


def test_a_lead_that_somebody_works_at_is_left_to_the_next_run(db, connect):
    due_leads(db, 3, user_id=7)
    session = connect(autocommit=False)
    session.execute("SELECT lead_protection.lock_leads('{2}')")
    assert run_pipeline(db)["reminders"] == 2
    session.rollback()
    assert run_pipeline(db)["reminders"] == 1


@pytest.mark.parametrize(
    "arguments",
    ["0", "-1", "1, 0", "1, 1, 0", "1, 1, NULL", "1, 1, 1, '0 s'", "1, 1, 1, '25 hours'", "1, 1, 1, NULL"],
)
def test_a_pace_that_makes_no_sense_is_refused(db, arguments):
    before = db.execute("SELECT s FROM lead_protection.settings AS s").fetchall()
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"SELECT lead_protection.configure_reminders({arguments})")
    assert refused.value.sqlstate == "LP043" and refused.value.diag.message_hint
    assert db.execute("SELECT s FROM lead_protection.settings AS s").fetchall() == before


# --- the 60 minutes ---


def latency(db, lead_id: int = 1) -> tuple:
    return db.execute(
        "SELECT fell_due_at, latency, within_60_minutes FROM lead_protection.v_lead_reminders WHERE lead_id = %s",
        (lead_id,),
    ).fetchone()


@pytest.mark.parametrize(("late", "within"), [(5, True), (60, True), (60.00001, False), (3000, False)])
def test_the_latency_counts_from_when_it_was_due(db, late, within):
    insert(db, 1, start_for(datetime.now(UTC) + 5 * DAY))
    ((due, _),) = clocks(db).values()
    run_pipeline(db, due + timedelta(minutes=late))
    assert latency(db) == (due, timedelta(minutes=late), within)
    sla = db.execute(
        "SELECT day, fell_due, sent_within, sent_beyond, longest_latency FROM lead_protection.v_reminder_sla"
    )
    assert sla.fetchall() == [(due.date(), 1, int(within), int(not within), timedelta(minutes=late))]


def test_it_counts_from_the_end_of_a_hold(db):
    """The date moves by the hold, to 08:00 of a day on which the clock still stood: nobody could send it then."""
    noon = datetime.now(BERLIN).replace(hour=12, minute=0, second=0, microsecond=0)
    insert(db, 1, start_for(noon + 4 * DAY))
    ((due, _),) = clocks(db).values()
    new_due = (due.astimezone(BERLIN) + 2 * DAY).astimezone(UTC)
    insert_holds(db, 1, [(due - 3 * HOUR, new_due + HOUR)])
    assert clocks(db)[1][0] == new_due
    run_pipeline(db, new_due + 3 * HOUR)
    assert latency(db) == (new_due + HOUR, 2 * HOUR, False)


def test_it_counts_from_when_a_lead_was_recorded_or_made_due(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert(db, 2, datetime.now(UTC) - 200 * DAY)
    db.execute("SELECT lead_protection.backdate_lead(2, 7, now() - INTERVAL '249 days', 'x', 'x', 1)")
    run_pipeline(db)
    recorded = db.execute("SELECT recorded_at FROM lead_protection.leads WHERE id = 1").fetchone()[0]
    changed = db.execute(
        "SELECT occurred_at FROM lead_protection.protection_log WHERE event_type = 'lead.protection.backdated'"
    ).fetchone()[0]
    assert (latency(db, 1)[0], latency(db, 2)[0]) == (recorded, changed)
    assert latency(db, 1)[2] and latency(db, 2)[2]


def test_what_waits_is_counted_until_it_is_sent(db):
    due_leads(db, 3, user_id=7)
    insert_lead_of_age(db, 9, REMINDER_DUE)
    db.execute("SELECT lead_protection.create_lead_hold(9, 7, 'x', 1)")
    counts = "SELECT sum(fell_due), sum(waiting), sum(sent_within) FROM lead_protection.v_reminder_sla"
    assert db.execute(counts).fetchone() == (3, 3, 0)
    run_pipeline(db)
    assert db.execute(counts).fetchone() == (3, 0, 3)


def test_reminders_from_before_the_upgrade_count_by_when_they_were_due(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    run_pipeline(db)
    db.execute("UPDATE lead_protection.lead_reminders SET fell_due_at = NULL")
    due, sent_at = db.execute("SELECT due_at, sent_at FROM lead_protection.lead_reminders").fetchone()
    assert latency(db) == (due, sent_at - due, False)


def test_the_percentiles_are_those_of_what_was_sent(db):
    insert(db, 1, start_for(datetime.now(UTC) + 5 * DAY))
    ((due, _),) = clocks(db).values()
    for lead_id in range(2, 101):
        insert(db, lead_id, db.execute("SELECT created_at FROM lead_protection.leads WHERE id = 1").fetchone()[0])
    for minute in range(1, 101):
        configure(db, reminders_per_run=1, reminders_per_user=None)
        run_pipeline(db, due + timedelta(minutes=minute))
    row = db.execute(
        "SELECT sent_within, sent_beyond, median_latency, p95_latency FROM lead_protection.v_reminder_sla"
    ).fetchone()
    assert row == (60, 40, timedelta(minutes=50.5), timedelta(minutes=95, seconds=3))


def test_the_days_asked_for_are_read_from_their_index(db):
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT n, n, now() - INTERVAL '100 days' FROM generate_series(1, 3000) AS n;"
        "ALTER TABLE lead_protection.lead_reminders DISABLE TRIGGER USER;"
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, fell_due_at, sent_at)"
        " SELECT n, n, '2026-01-01', t + INTERVAL '9 days', t, t, t"
        " FROM generate_series(1, 3000) AS n, LATERAL (SELECT now() - n * INTERVAL '3 hours') AS x (t);"
        "ANALYZE lead_protection.lead_reminders"
    )
    (plan,) = db.execute(
        "EXPLAIN (FORMAT JSON) SELECT * FROM lead_protection.v_reminder_sla WHERE day >= current_date - 7"
    ).fetchone()
    assert "lead_reminders_fell_due_day" in json.dumps(plan)
