"""Where a notice is required, the pipeline lets an expiry wait for it."""

from datetime import UTC, date, datetime, timedelta

from helpers.calls import make_policy, row
from helpers.facts import events, insert_holds, insert_lead
from helpers.lead_calls import (
    BERLIN,
    as_of,
    did,
    logged,
    proved,
    shown,
)

# --- The pipeline where a notice is required -------------------------------------------------------------------------


def berlin(month: int, day: int, hour: int, minute: int) -> datetime:
    """A local time in Berlin in 2025."""
    return datetime(2025, month, day, hour, minute, tzinfo=BERLIN)


RULE = berlin(3, 31, 12, 0)


def test_a_reminder_in_time_moves_nothing(db, noticed):
    assert as_of(db, berlin(3, 21, 7, 59)) == (7, "PROTECTED", RULE)
    assert did(db, berlin(3, 21, 8, 3)) == {"reminders": 1}
    assert as_of(db, berlin(3, 21, 8, 3)) == (7, "GRACE", RULE)
    assert did(db, RULE - timedelta(microseconds=1)) == {}
    assert did(db, RULE) == {"expiries": 1}


def test_after_a_late_reminder_the_expiry_waits(db, noticed):
    """The clock change of 30 March does not shorten the grace days: they are days of the calendar."""
    late, waited = berlin(3, 25, 10, 0), berlin(4, 4, 10, 0)
    assert as_of(db, berlin(3, 21, 8, 0)) == (7, "REMINDER_DUE", RULE)
    assert as_of(db, berlin(3, 25, 9, 0)) == (7, "REMINDER_DUE", berlin(4, 4, 9, 0))
    assert did(db, late) == {"reminders": 1}
    assert as_of(db, late) == (7, "GRACE", waited)
    assert (waited - late) == timedelta(days=10) and waited.astimezone(UTC) - late.astimezone(UTC) == timedelta(
        hours=239
    )
    log = logged(db, "lead.protection.reminder")
    assert (log["expires_before"], log["expires_after"]) == (waited, waited)
    assert did(db, RULE) == {} and did(db, waited - timedelta(microseconds=1)) == {}
    assert did(db, waited) == {"expiries": 1}
    ledger = row(db, "SELECT window_date, protection_expires_at FROM lead_protection.lead_reminders")
    assert ledger == {"window_date": date(2025, 3, 31), "protection_expires_at": waited}
    assert logged(db, "lead.protection.expired")["expires_after"] == waited


def test_who_was_never_reminded_does_not_lose_the_lead(db, noticed):
    assert as_of(db, berlin(6, 1, 12, 0)) == (7, "REMINDER_DUE", berlin(6, 11, 12, 0))
    assert shown(db)["state"] == "REMINDER_DUE"
    assert db.execute("SELECT lead_protection.record_expiries(%s, 10)", (berlin(6, 1, 12, 0),)).fetchone() == (0,)
    assert did(db, berlin(6, 1, 12, 0)) == {"reminders": 1}
    assert as_of(db, berlin(6, 5, 12, 0)) == (7, "GRACE", berlin(6, 11, 12, 0))
    assert did(db, berlin(6, 11, 11, 59)) == {}
    assert did(db, berlin(6, 11, 12, 0)) == {"expiries": 1}
    assert events(db) == ["lead.protection.expired", "lead.protection.reminder"]
    proved(db)


def test_leads_that_wait_for_a_notice_do_not_stand_in_the_way_of_those_that_expire(db, noticed):
    plain = make_policy(db, "plain", base_months=1, extension_days=20, grace_days=10)
    insert_lead(db, 2, datetime(2025, 2, 1, 12, 0, tzinfo=BERLIN), policy_id=plain)
    record = "SELECT lead_protection.record_expiries(%s, 1)"
    assert [db.execute(record, (berlin(4, 1, 0, 0),)).fetchone()[0] for _ in range(2)] == [1, 0]


def test_a_hold_while_the_notice_is_owed_stops_the_reminder_and_moves_the_notice(db, noticed):
    insert_holds(db, 1, [(berlin(4, 10, 0, 0), berlin(4, 20, 0, 0))])
    assert did(db, berlin(4, 15, 0, 0)) == {}
    assert did(db, berlin(4, 20, 0, 0)) == {"reminders": 1}
    assert as_of(db, berlin(4, 20, 0, 0)) == (7, "GRACE", berlin(4, 30, 0, 0))
    insert_holds(db, 1, [(berlin(4, 25, 0, 0), berlin(4, 28, 0, 0))])
    assert did(db, berlin(4, 30, 0, 0)) == {}
    assert did(db, berlin(5, 3, 0, 0)) == {"expiries": 1}
    proved(db)


def test_without_the_notice_the_same_lead_would_have_expired(db, noticed):
    plain = make_policy(db, "plain", base_months=1, extension_days=20, grace_days=10)
    insert_lead(db, 2, datetime(2025, 2, 1, 12, 0, tzinfo=BERLIN), policy_id=plain)
    assert did(db, berlin(4, 1, 0, 0)) == {"reminders": 1, "expiries": 1}
    assert (events(db, 1), events(db, 2)) == (["lead.protection.reminder"], ["lead.protection.expired"])
