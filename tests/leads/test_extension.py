"""Extensions on request: days added to the months, up to a limit."""

from datetime import UTC, datetime, timedelta

from helpers.calls import call_row, make_policy, row
from helpers.facts import ago, insert_holds, insert_lead, insert_lead_of_age
from helpers.lead_calls import (
    BERLIN,
    DUE,
    EXPIRY,
    START,
    as_of,
    check,
    did,
    fifty_years_after,
    refused_unchanged,
    shown,
    unchanged,
)

# --- Extension -------------------------------------------------------------------------------------------------------


def test_an_extension_adds_days_to_the_months_in_one_calendar_addition(db, long):
    answer = call_row(db, "extend_lead(1, 7, 20, 'because', 6, 5, 'request 1')")
    extension_id = row(db, "SELECT id FROM lead_protection.lead_extensions")["id"]
    details = {"extension_id": extension_id, "days": 20, "approved_by": 6, "request_key": "request 1"}
    check(db, answer, "lead.protection.extended", details=details)
    assert (answer["expires_before"], answer["reminder_due_before"]) == (EXPIRY, DUE)
    assert answer["expires_after"] == datetime(2074, 5, 1, 10, 0, tzinfo=BERLIN)
    assert answer["reminder_due_after"] == datetime(2074, 4, 21, 8, 0, tzinfo=BERLIN)
    fact = row(db, "SELECT * FROM lead_protection.lead_extensions")
    assert fact | {"id": 0} == {
        "id": 0,
        "lead_id": 1,
        "user_id": 7,
        "days": 20,
        "reason": "because",
        "approved_by": 6,
        "granted_by": 5,
        "granted_at": answer["decided_at"],
        "request_key": "request 1",
    }
    assert as_of(db, answer["decided_at"] - timedelta(microseconds=1))[2] == EXPIRY
    assert as_of(db, answer["decided_at"])[2] == answer["expires_after"]
    unchanged(db, "extend_lead(1, 7, 20, 'said otherwise', 66, 55, 'request 1')")
    refused_unchanged(db, "LP020", "extend_lead(1, 7, 21, 'because', 6, 5, 'request 1')")
    refused_unchanged(db, "LP020", "extend_lead(1, 8, 20, 'because', 6, 5, 'request 1')")


def test_a_key_is_the_leads_own(db, long):
    insert_lead(db, 2, START)
    call_row(db, "extend_lead(1, 7, 20, 'x', 6, 5, 'k')")
    assert call_row(db, "extend_lead(2, 7, 10, 'x', 6, 5, 'k')")["changed"]


def test_the_limit_is_for_all_extensions_together(db, long):
    for number, days in enumerate((20, 30, 10)):
        assert call_row(db, "extend_lead(1, 7, %s, 'x', 6, 5, %s)", days, f"k{number}")["changed"]
    assert shown(db)["protection_expires_at"] == datetime(2074, 6, 10, 10, 0, tzinfo=BERLIN)
    error = refused_unchanged(db, "LP024", "extend_lead(1, 7, 1, 'x', 6, 5, 'k3')")
    assert "60 days in all, and 60 are granted" in str(error.diag.message_detail)
    # The limit is that of the policy of now, for what was granted under another, too.
    more = make_policy(db, "more", base_months=600, extension_limit_days=65)
    call_row(db, "move_leads_to_policy('{1}', %s, 'x', 5)", more)
    refused_unchanged(db, "LP024", "extend_lead(1, 7, 6, 'x', 6, 5, 'k3')")
    assert call_row(db, "extend_lead(1, 7, 5, 'x', 6, 5, 'k3')")["changed"]
    none = make_policy(db, "none", base_months=600, extension_limit_days=0)
    call_row(db, "move_leads_to_policy('{1}', %s, 'x', 5)", none)
    assert shown(db)["protection_expires_at"] == datetime(2074, 6, 15, 10, 0, tzinfo=BERLIN)
    refused_unchanged(db, "LP024", "extend_lead(1, 7, 1, 'x', 6, 5, 'k4')")
    unchanged(db, "extend_lead(1, 7, 5, 'x', 6, 5, 'k3')")


def test_an_extension_takes_a_reminder_back(db):
    insert_lead_of_age(db, 1, 249)
    assert did(db) == {"reminders": 1}
    answer = call_row(db, "extend_lead(1, 7, 30, 'x', 6, 5, 'k')")
    assert (answer["state_before"], answer["state_after"]) == ("GRACE", "PROTECTED")
    assert did(db) == {"reactivations": 1}


def test_an_expired_lead_is_not_extended(db):
    insert_lead_of_age(db, 1, 300)
    refused_unchanged(db, "LP008", "extend_lead(1, 7, 5, 'x', 6, 5, 'k')")


def test_an_extension_on_hold_counts(db, long):
    """A hold of two whole days; the days of the extension are added before it."""
    insert_holds(db, 1, [(datetime(2074, 1, 1, tzinfo=BERLIN), datetime(2074, 1, 3, tzinfo=BERLIN))])
    answer = call_row(db, "extend_lead(1, 7, 20, 'x', 6, 5, 'k')")
    assert answer["expires_after"] == datetime(2074, 5, 3, 10, 0, tzinfo=BERLIN)
    call_row(db, "create_lead_hold(1, 7, 'x', 5)")
    answer = call_row(db, "extend_lead(1, 7, 1, 'x', 6, 5, 'k2')")
    assert answer["on_hold_after"] and answer["reminder_due_after"] is None
    assert answer["expires_after"] - answer["expires_before"] == timedelta(days=1)


def test_the_idle_clock_leaves_an_extension_behind(db):
    """Parallel: 60 and 10 days from the last activity; the base clock is far away."""
    parallel = make_policy(db, "parallel", rule="parallel", base_months=600, time_zone="UTC")
    start = ago(20)
    insert_lead(db, 1, start, policy_id=parallel)
    assert call_row(db, "extend_lead(1, 7, 15, 'x', 6, 5, 'k')")["expires_after"] == start + timedelta(days=85)
    # It took place before the extension was granted, so that one still counts; the next does not.
    first, second = ago(10), datetime.now(UTC)
    db.execute("SELECT lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'a', 5)", (first,))
    assert shown(db)["protection_expires_at"] == first + timedelta(days=85)
    db.execute("SELECT lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'b', 5)", (second,))
    assert shown(db)["protection_expires_at"] == second + timedelta(days=70)
    base = row(db, "SELECT base_expires_at FROM lead_protection.lead_clocks")["base_expires_at"]
    assert base == fifty_years_after(start) + timedelta(days=15)
