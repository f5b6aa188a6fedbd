"""Backdating moves the start and all that hangs on it."""

from datetime import datetime, timedelta

from helpers.calls import call_row, make_policy
from helpers.facts import ago, insert_holds, insert_lead, insert_lead_of_age
from helpers.lead_calls import (
    BERLIN,
    EARLIER,
    EARLIER_EXPIRY,
    EXPIRY,
    START,
    as_of,
    check,
    did,
    proved,
    refused_unchanged,
    shown,
    unchanged,
)

# --- Backdating ------------------------------------------------------------------------------------------------------


def test_backdating_moves_the_start_and_all_that_hangs_on_it(db, long):
    answer = call_row(db, "backdate_lead(1, 7, %s, 'because', 'letter of 14 December', 5)", EARLIER)
    details = {
        "started_at_before": "2024-01-31T09:00:00.000000Z",
        "started_at": "2023-12-15T08:30:00.000000Z",
        "evidence": "letter of 14 December",
    }
    check(db, answer, "lead.protection.backdated", details=details)
    assert (answer["expires_before"], answer["expires_after"]) == (EXPIRY, EARLIER_EXPIRY)
    assert answer["reminder_due_after"] == datetime(2074, 2, 13, 8, 0, tzinfo=BERLIN)
    # A correction: it counts as having been so all the time.
    assert as_of(db, EARLIER) == (7, "PROTECTED", EARLIER_EXPIRY)
    assert as_of(db, EARLIER - timedelta(microseconds=1)) is None
    assert db.execute("SELECT count(*) FROM lead_protection.lead_history").fetchone() == (0,)
    unchanged(db, "backdate_lead(1, 7, %s, 'because', 'letter', 5)", EARLIER)
    refused_unchanged(db, "LP025", "backdate_lead(1, 7, %s, 'because', 'letter', 5)", START)


def test_backdating_follows_through_the_history_of_this_protection_only(db):
    """For 8 until ten days ago; then for 7, moved, closed and reopened; all by hand in the past."""
    db.execute("ALTER TABLE lead_protection.lead_history DISABLE TRIGGER refuse_change")
    db.execute("SELECT lead_protection.set_default_policy(%s, 5)", (make_policy(db, "long", base_months=600),))
    insert_lead(db, 1, ago(50), user_id=8)
    db.execute("UPDATE lead_protection.leads SET user_id = 7, created_at = %s", (ago(10),))
    since = shown(db)["created_at"]
    (changed,) = db.execute("UPDATE lead_protection.lead_history SET valid_until = %s RETURNING valid_until", (since,))
    call_row(db, "move_leads_to_policy('{1}', %s, 'x', 5)", make_policy(db, "other", base_months=300))
    call_row(db, "close_lead(1, 7, 'LOST', 'x', 5)")
    call_row(db, "reopen_lead(1, 7, 'x', 5)")
    insert_lead(db, 2, since)
    call_row(db, "move_leads_to_policy('{2}', 1, 'x', 5)")
    refused_unchanged(db, "LP026", "backdate_lead(1, 7, %s, 'x', 'file', 5)", changed[0] - timedelta(microseconds=1))
    starts = "SELECT user_id, created_at FROM lead_protection.lead_history WHERE lead_id = %s ORDER BY valid_until"
    before = db.execute(starts, (1,)).fetchall()
    assert [user_id for user_id, _ in before] == [8, 7, 7] and {start for _, start in before[1:]} == {since}
    db.execute("UPDATE lead_protection.lead_history SET valid_until = %s WHERE user_id = 8", (ago(14),))
    earlier = ago(12)
    assert call_row(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", earlier)["changed"]
    assert db.execute(starts, (1,)).fetchall() == [before[0], (7, earlier), (7, earlier)]
    assert db.execute(starts, (2,)).fetchall() == [(7, since)]
    assert as_of(db, earlier + timedelta(days=1))[0] == 7
    (until,) = db.execute("SELECT valid_until FROM lead_protection.lead_history WHERE user_id = 8").fetchone()
    refused_unchanged(db, "LP026", "backdate_lead(1, 7, %s, 'x', 'file', 5)", until - timedelta(microseconds=1))
    assert call_row(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", until)["changed"]
    proved(db)


def test_a_start_may_be_moved_back_to_the_very_end_of_the_other_users_time(db, long):
    call_row(db, "transfer_lead(1, 7, 8, 'x', 5)")
    (until,) = db.execute("SELECT valid_until FROM lead_protection.lead_history").fetchone()
    unchanged(db, "backdate_lead(1, 8, %s, 'x', 'file', 5)", until)
    refused_unchanged(db, "LP026", "backdate_lead(1, 8, %s, 'x', 'file', 5)", until - timedelta(microseconds=1))


def test_backdating_may_end_a_protection_at_once_and_lets_old_holds_count(db):
    insert_lead_of_age(db, 1, 200)
    insert_holds(db, 1, [(ago(280), ago(230))])
    held = call_row(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", ago(285))
    assert held["state_after"] == "PROTECTED", "50 days on hold"
    ended = call_row(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", ago(330))
    assert ended["state_after"] == "EXPIRED" and ended["reminder_due_after"] is not None
    assert did(db) == {"expiries": 1}
    # An expired lead can be backdated; it stays what it is.
    assert call_row(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", ago(331))["state_after"] == "EXPIRED"
    assert did(db) == {}
