"""Nobody's leads: entered without a user, given back, and given to a user anew."""

from datetime import UTC, datetime, timedelta
from itertools import starmap

import pytest

from helpers.calls import call_row, make_policy, row, rows
from helpers.facts import ago, events, in_utc, insert_history, insert_holds, insert_lead, insert_lead_of_age
from helpers.lead_calls import (
    START,
    as_of,
    check,
    did,
    logged,
    payload,
    proved,
    refused_unchanged,
    shown,
    unchanged,
)
from helpers.lead_states import one_answer
from helpers.model import Hold, Lead, Policy, Protection, Reminder, Version, calendar, local_date, protection

MICROSECOND = timedelta(microseconds=1)
NOTHING_SHOWN = {"protection_expires_at": None, "state": "FREE", "on_hold": False, "reminder_due_at": None}


def is_free(db, lead_id=1) -> bool:
    """The lead is nobody's, in every way of looking, and has no clock."""
    one_answer(db, [lead_id])
    now = shown(db, lead_id)
    return now["user_id"] is None and {name: now[name] for name in NOTHING_SHOWN} == NOTHING_SHOWN


def fresh_expiry(db, start) -> datetime:
    """When a protection of the default policy ends that began then."""
    return db.execute(
        "SELECT lead_protection.calendar_expiry(%s, time_zone, base_months, extension_days + grace_days)"
        " FROM lead_protection.protection_policies WHERE is_default",
        (start,),
    ).fetchone()[0]


# --- Entered as nobody's ---------------------------------------------------------------------------------------------


def test_a_lead_without_a_user_has_no_clock(db):
    insert_lead(db, 1, ago(5000), user_id=None)
    assert is_free(db)
    assert did(db) == {} and events(db) == []
    cached = row(db, "SELECT * FROM lead_protection.lead_clocks")
    assert cached["runs_from"] == cached["started_at"]
    assert {name for name, value in cached.items() if value is not None} == {
        *("lead_id", "policy_id", "started_at", "stops", "runs_from")
    }


def test_a_plain_insert_makes_a_free_lead(db):
    db.execute("INSERT INTO lead_protection.leads (id) VALUES (1)")
    assert is_free(db)


@pytest.mark.parametrize("rule", ["sequential", "parallel"])
@pytest.mark.parametrize("notice_required", [False, True])
def test_no_terms_give_a_free_lead_a_clock(db, rule, notice_required):
    policy_id = make_policy(db, "terms", rule=rule, notice_required=notice_required)
    insert_lead(db, 1, ago(5000), user_id=None, policy_id=policy_id)
    assert is_free(db)
    assert did(db) == {}


def test_a_user_gets_a_free_lead_from_then_on(db):
    """Ten months in the pool count for nothing."""
    began = ago(300)
    insert_lead(db, 1, began, user_id=None)
    theirs = make_policy(db, "theirs")
    db.execute("SELECT lead_protection.assign_user_policy(8, %s, 5)", (theirs,))
    answer = call_row(db, "transfer_lead(1, NULL, 8, 'because', 5)")
    at = answer["decided_at"]
    check(
        db,
        answer,
        "lead.protection.transferred",
        details={"policy_id_before": 1, "policy_id": theirs},
    )
    assert (answer["state_before"], answer["state_after"], answer["expires_before"]) == ("FREE", "PROTECTED", None)
    assert (shown(db)["created_at"], answer["expires_after"]) == (at, fresh_expiry(db, at))
    assert as_of(db, at - MICROSECOND) == (None, "FREE", None)
    assert as_of(db, began) == (None, "FREE", None)
    assert as_of(db, began - MICROSECOND) is None
    unchanged(db, "transfer_lead(1, NULL, 8, 'because', 5)")
    refused_unchanged(db, "LP003", "transfer_lead(1, NULL, 9, 'because', 5)")
    assert did(db) == {}


def test_by_hand_a_user_gets_a_free_lead_from_then_on(db):
    insert_lead(db, 1, ago(300), user_id=None)
    db.execute("UPDATE lead_protection.leads SET user_id = 8")
    assert shown(db)["state"] == "PROTECTED" and did(db) == {}
    assert "user_id_before" not in payload(db, "lead.changed")
    db.execute("UPDATE lead_protection.leads SET user_id = NULL")
    assert is_free(db) and shown(db)["created_at"] > ago(1)
    # Whoever says since when, is taken at his word.
    db.execute("UPDATE lead_protection.leads SET user_id = 8, created_at = %s", (ago(10),))
    assert shown(db)["created_at"] < ago(9)
    proved(db)


# --- Given back ------------------------------------------------------------------------------------------------------


def test_a_lead_is_given_back(db, long):
    call_row(db, "create_lead_hold(1, 7, 'open', 5, %s)", ago(3))
    call_row(db, "create_lead_hold(1, 7, 'planned', 5, %s, %s)", ago(-10), ago(-20))
    answer = call_row(db, "give_back_lead(1, 7, 'because', 5)")
    at = answer["decided_at"]
    assert is_free(db)
    assert (answer["changed"], answer["user_id"]) == (True, None)
    assert (answer["state_before"], answer["on_hold_before"]) == ("PROTECTED", True)
    assert (answer["state_after"], answer["on_hold_after"]) == ("FREE", False)
    assert (answer["expires_after"], answer["reminder_due_after"]) == (None, None)
    assert events(db) == [*["lead.hold.created"] * 2, *["lead.hold.released"] * 2, "lead.protection.given_back"]
    log = logged(db, "lead.protection.given_back")
    assert (log["user_id"], log["actor_id"], log["reason"], log["occurred_at"]) == (None, 5, "because", at)
    assert (log["state_before"], log["state_after"], log["expires_after"]) == ("PROTECTED", "FREE", None)
    assert log["details"] == {"user_id_before": 7}
    told = payload(db, "lead.protection.given_back")
    assert told.keys() == {"lead_id", "actor_id", "occurred_at", "state", "user_id_before"}
    assert (told["lead_id"], told["state"], told["user_id_before"]) == (1, "FREE", 7)
    assert as_of(db, START)[:2] == (7, "PROTECTED")
    assert as_of(db, at - MICROSECOND)[0] == 7 and as_of(db, at) == (None, "FREE", None)
    # Repeated, by whoever.
    unchanged(db, "give_back_lead(1, 7, 'because', 5)")
    unchanged(db, "give_back_lead(1, 8, 'because', 5)")
    proved(db)


def test_who_was_to_be_reminded_and_gave_the_lead_back_is_not(db):
    """A: the lead is given back in the days of the reminder, and nobody is told."""
    insert_lead_of_age(db, 1, 249)
    due = shown(db)["reminder_due_at"]
    assert shown(db)["state"] == "REMINDER_DUE"
    call_row(db, "give_back_lead(1, 7, 'because', 5)")
    assert did(db) == {} and is_free(db)
    assert db.execute("SELECT * FROM lead_protection.lead_reminders").fetchall() == []
    missed = payload(db, "lead.protection.given_back")["missed_reminder_due_at"]
    assert datetime.fromisoformat(missed) == due


def test_an_expired_lead_is_given_back(db):
    insert_lead_of_age(db, 1, 300)
    expiry = shown(db)["protection_expires_at"]
    answer = call_row(db, "give_back_lead(1, 7, 'because', 5)")
    assert events(db) == ["lead.protection.expired", "lead.protection.given_back"]
    assert (answer["state_before"], answer["state_after"]) == ("EXPIRED", "FREE")
    ledger = row(db, "SELECT user_id, protection_expires_at, reactivated_at FROM lead_protection.lead_expiries")
    assert ledger == {"user_id": 7, "protection_expires_at": expiry, "reactivated_at": answer["decided_at"]}
    assert did(db) == {} and is_free(db)


def test_whose_it_was_is_told_for_each_day(db, long):
    """7's, then free, then 8's, then 7's again."""
    given_back = call_row(db, "give_back_lead(1, 7, 'x', 5)")["decided_at"]
    taken = call_row(db, "transfer_lead(1, NULL, 8, 'x', 5)")["decided_at"]
    back = call_row(db, "transfer_lead(1, 8, 7, 'x', 5)")["decided_at"]
    instants = START, given_back, taken, back
    assert [as_of(db, instant)[0] for instant in instants] == [7, None, 8, 7]
    assert [as_of(db, instant - MICROSECOND)[0] for instant in instants[1:]] == [7, None, 8]
    assert as_of(db, START - MICROSECOND) is None
    explained = [
        row(
            db,
            "SELECT result ->> 'state' AS state, (explained ->> 'user_id')::bigint AS user_id,"
            " explained #>> '{steps,0,explanation}' AS start"
            " FROM (SELECT lead_protection.explain_protection_json(1, %s) AS explained) AS e"
            " CROSS JOIN LATERAL (SELECT explained -> 'result' AS result) AS r",
            instant,
        )
        for instant in instants
    ]
    assert [(told["user_id"], told["state"]) for told in explained] == [
        (7, "PROTECTED"),
        (None, "FREE"),
        (8, "PROTECTED"),
        (7, "PROTECTED"),
    ]
    assert [told["start"].split()[0] for told in explained] == ["For", "Nobody's", "For", "For"]
    history = rows(db, "SELECT user_id, valid_until FROM lead_protection.lead_history ORDER BY valid_until")
    assert [tuple(past.values()) for past in history] == [(7, given_back), (None, taken), (8, back)]


def test_how_a_free_lead_is_explained(db, long):
    call_row(db, "give_back_lead(1, 7, 'x', 5)")
    steps = rows(db, "SELECT item, expires_at, explanation FROM lead_protection.explain_protection(1)")
    assert [step["item"] for step in steps] == ["START", "REMINDER", "RESULT"]
    assert all(step["expires_at"] is None for step in steps)
    assert steps[-1]["explanation"].endswith("FREE. The lead is nobody's.")
    call_row(db, "close_lead(1, NULL, 'LOST', 'x', 5)")
    steps = rows(db, "SELECT item, explanation FROM lead_protection.explain_protection(1)")
    assert [step["item"] for step in steps] == ["START", "CLOSED", "REMINDER", "RESULT"]
    assert steps[-1]["explanation"].endswith("CLOSED. The lead is nobody's.")


# --- Given to a user anew --------------------------------------------------------------------------------------------


def test_nothing_of_the_protection_given_back_comes_back(db):
    """The same user, minutes later: holds, activities and extensions of before count no more."""
    policy_id = make_policy(db, "agents", rule="parallel")
    insert_lead(db, 1, ago(20), policy_id=policy_id)
    db.execute("SELECT lead_protection.assign_user_policy(7, %s, 5)", (policy_id,))
    call_row(db, "create_lead_hold(1, 7, 'open', 5, %s)", ago(3))
    call_row(db, "create_lead_hold(1, 7, 'planned', 5, %s, %s)", ago(-10), ago(-20))
    call_row(db, "extend_lead(1, 7, 20, 'x', 6, 5, 'k')")
    call_row(db, "record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'a', 5)", ago(1))
    call_row(db, "give_back_lead(1, 7, 'x', 5)")
    answer = call_row(db, "transfer_lead(1, NULL, 7, 'x', 5)")
    at = answer["decided_at"]
    now = shown(db)
    assert (now["state"], now["on_hold"], now["created_at"], now["reminded_at"]) == ("PROTECTED", False, at, None)
    expected = protection(Lead((Version(7, Policy(rule="parallel"), in_utc((at,))[0]),)), datetime.now(UTC))
    assert expected and in_utc((now["protection_expires_at"],)) == (expected.protection_expires_at,)
    # But what was granted then still counts towards the limit.
    refused_unchanged(db, "LP024", "extend_lead(1, 7, 41, 'x', 6, 5, 'k2')")
    assert call_row(db, "extend_lead(1, 7, 40, 'x', 6, 5, 'k2')")["changed"]
    # Nor does it come back by moving the start into the former protection, or into the time as nobody's.
    for start in (ago(2), at - MICROSECOND):
        refused_unchanged(db, "LP026", "backdate_lead(1, 7, %s, 'x', 'file', 5)", start)
    one_answer(db, [1])
    proved(db)


def test_a_reminder_of_the_protection_given_back_counts_for_its_own_date_only(db):
    """Reminded, given back, and taken again on the same day: another date, and so a reminder of its own."""
    insert_lead_of_age(db, 1, 600)
    assert did(db, ago(350)) == {"reminders": 1}
    call_row(db, "give_back_lead(1, 7, 'x', 5)")
    call_row(db, "transfer_lead(1, NULL, 7, 'x', 5)")
    assert did(db) == {} and "lead.protection.reactivated" not in events(db)
    assert (shown(db)["state"], shown(db)["reminded_at"]) == ("PROTECTED", None)
    # As if it had been taken long ago: the user is reminded once more, of its own window.
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (ago(249),))
    assert did(db) == {"reminders": 1} and did(db) == {}
    assert shown(db)["state"] == "GRACE"
    windows = db.execute("SELECT count(DISTINCT window_date) FROM lead_protection.lead_reminders").fetchone()
    assert windows == (2,)
    proved(db)


@pytest.mark.parametrize("notice_required", [False, True])
def test_a_reminder_of_the_same_date_is_neither_repeated_nor_in_the_way(db, notice_required):
    """The user was reminded of a date, gave the lead back, and got it under terms that end on that very date: the
    ledger takes no second reminder of it. Days on hold make it another date, which has its own."""
    terms = Policy(base_months=1, extension_days=1, time_zone="UTC", notice_required=notice_required)
    policy_id = make_policy(
        db, "short", base_months=1, extension_days=1, time_zone="UTC", notice_required=notice_required
    )
    began, given_back, taken = ago(400), ago(45.5), ago(45)
    window = local_date(calendar(taken, terms, 1, 11), terms)
    insert_lead(db, 1, taken, policy_id=policy_id)
    insert_history(db, 1, [(given_back, 7, policy_id, began, None), (taken, None, policy_id, given_back, None)])
    db.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at) VALUES (1, 7, %s, now(), %s, %s)",
        (window, ago(46), ago(46)),
    )

    def as_the_model_has_it() -> dict:
        """What the lead shows now, which is what the model shows."""
        with db.transaction():
            holds = db.execute("SELECT user_id, start_at, end_at FROM lead_protection.lead_holds").fetchall()
            sent = db.execute("SELECT user_id, sent_at, window_date FROM lead_protection.lead_reminders").fetchall()
            versions = (
                Version(7, terms, began, None, given_back),
                Version(None, terms, given_back, None, taken),
                Version(7, terms, taken),
            )
            lead = Lead(versions, holds=tuple(starmap(Hold, holds)), reminders=tuple(starmap(Reminder, sent)))
            ((now,),) = db.execute("SELECT now()").fetchall()
            expected = protection(lead, now)
            seen = shown(db)
        assert expected == Protection(*in_utc(tuple(seen[name] for name in Protection.__annotations__)))
        return seen

    sent = "SELECT window_date FROM lead_protection.lead_reminders ORDER BY sent_at"
    # Under the first terms it is over; where a notice is required, the old one was that.
    assert as_the_model_has_it()["state"] == "EXPIRED"
    assert did(db) == {"expiries": 1}
    assert db.execute(sent).fetchall() == [(window,)]
    insert_holds(db, 1, [(ago(20), ago(12))])
    assert as_the_model_has_it()["state"] == "REMINDER_DUE"
    assert did(db)["reminders"] == 1 and "reminders" not in did(db)
    assert as_the_model_has_it()["state"] == "GRACE"
    assert [row[0] > window for row in db.execute(sent)] == [False, True]
    one_answer(db, [1])


# --- Expired leads are taken as nobody's -----------------------------------------------------------------------------


@pytest.mark.parametrize("new_user_id", [7, 8])
@pytest.mark.parametrize("is_recorded", [True, False])
def test_an_expired_lead_is_given_to_a_user_as_nobodys(db, new_user_id, is_recorded):
    """Another user or the same one; an expiry that no run has seen is recorded first."""
    insert_lead_of_age(db, 1, 300)
    start, expiry = shown(db)["created_at"], shown(db)["protection_expires_at"]
    assert did(db) if is_recorded else True
    answer = call_row(db, "transfer_lead(1, NULL, %s, 'because', 5)", new_user_id)
    at = answer["decided_at"]
    assert events(db) == ["lead.protection.expired", "lead.protection.transferred"]
    assert (answer["user_id"], answer["state_before"], answer["state_after"]) == (new_user_id, "EXPIRED", "PROTECTED")
    assert (shown(db)["created_at"], answer["expires_after"]) == (at, fresh_expiry(db, at))
    assert logged(db, "lead.protection.transferred")["details"]["user_id_before"] == 7
    ledger = row(db, "SELECT user_id, protection_expires_at, reactivated_at FROM lead_protection.lead_expiries")
    assert ledger == {"user_id": 7, "protection_expires_at": expiry, "reactivated_at": at}
    assert as_of(db, start) == (7, "PROTECTED", expiry)
    assert as_of(db, at - MICROSECOND) == (7, "EXPIRED", expiry)
    assert as_of(db, at) == (new_user_id, "PROTECTED", fresh_expiry(db, at))
    unchanged(db, "transfer_lead(1, NULL, %s, 'because', 5)", new_user_id)
    assert did(db) == {}
    refused_unchanged(db, "LP026", "backdate_lead(1, %s, %s, 'x', 'file', 5)", new_user_id, at - MICROSECOND)
    one_answer(db, [1])
    proved(db)


def test_a_start_is_corrected_in_the_later_of_two_protections_of_one_user_only(db):
    insert_lead_of_age(db, 1, 600)
    first = shown(db)["created_at"]
    again = call_row(db, "transfer_lead(1, NULL, 7, 'x', 5)")["decided_at"]
    call_row(db, "move_leads_to_policy('{1}', %s, 'x', 5)", make_policy(db, "other"))
    earlier = again - timedelta(days=1)
    # By hand, where backdate_lead() would not go: the history of the first protection stays as it was.
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (earlier,))
    history = rows(db, "SELECT created_at FROM lead_protection.lead_history ORDER BY valid_until")
    assert [past["created_at"] for past in history] == [first, earlier]
    one_answer(db, [1])


def test_naming_the_last_user_of_an_expired_lead_keeps_working(db):
    insert_lead_of_age(db, 1, 300)
    unchanged(db, "transfer_lead(1, 7, 7, 'x', 5)")
    assert call_row(db, "transfer_lead(1, 7, 8, 'x', 5)")["state_after"] == "PROTECTED"


# --- Closed, deleted, reopened ---------------------------------------------------------------------------------------


def test_a_free_lead_is_closed_reopened_and_deleted(db):
    insert_lead(db, 1, ago(300), user_id=None)
    answer = call_row(db, "close_lead(1, NULL, 'CONVERTED', 'because', 5)")
    assert (answer["user_id"], answer["state_before"], answer["state_after"]) == (None, "FREE", "CLOSED")
    unchanged(db, "close_lead(1, NULL, 'CONVERTED', 'because', 5)")
    refused_unchanged(db, "LP009", "close_lead(1, NULL, 'LOST', 'because', 5)")
    refused_unchanged(db, "LP009", "transfer_lead(1, NULL, 8, 'because', 5)")
    unchanged(db, "give_back_lead(1, 7, 'because', 5)")
    one_answer(db, [1])
    assert call_row(db, "reopen_lead(1, NULL, 'because', 5)")["state_after"] == "FREE"
    assert is_free(db)
    unchanged(db, "reopen_lead(1, NULL, 'because', 5)")
    assert call_row(db, "delete_lead(1, NULL, 'because', 5)")["state_after"] == "CLOSED"
    unchanged(db, "delete_lead(1, NULL, 'because', 5)")
    refused_unchanged(db, "LP028", "reopen_lead(1, NULL, 'because', 5)")
    assert all("user_id" not in payload(db, name) for name in ("lead.closed", "lead.reopened", "lead.deleted"))
    assert as_of(db, ago(100)) == (None, "FREE", None)
    proved(db)


def test_given_back_closed_and_reopened_it_is_free(db, long):
    for call in ("give_back_lead(1, 7, 'x', 5)", "close_lead(1, NULL, 'LOST', 'x', 5)", "reopen_lead(1, NULL, 'x', 5)"):
        call_row(db, call)
    assert is_free(db)


# --- Refusals --------------------------------------------------------------------------------------------------------


OF_A_USER = [
    "create_lead_hold(1, 7, 'x', 5)",
    "create_lead_hold(1, 7, 'x', 5, dry_run => true)",
    "release_lead_hold(1, 7, 5)",
    "transfer_lead(1, 7, 8, 'x', 5)",
    "extend_lead(1, 7, 5, 'x', 6, 5, 'k')",
    "backdate_lead(1, 7, '2020-01-01', 'x', 'file', 5)",
    "close_lead(1, 7, 'LOST', 'x', 5)",
    "reopen_lead(1, 7, 'x', 5)",
    "delete_lead(1, 7, 'x', 5)",
]


@pytest.mark.parametrize("function", OF_A_USER)
def test_a_free_lead_is_no_users(db, function):
    insert_lead(db, 1, ago(300), user_id=None)
    assert "transfer_lead" in (refused_unchanged(db, "LP064", function).diag.message_hint or "")
    call_row(db, "close_lead(1, NULL, 'LOST', 'x', 5)")
    refused_unchanged(db, "LP064", function)


@pytest.mark.parametrize(
    "function",
    [
        "correct_lead_hold(%s, %s, '2026-01-01Z', '2026-01-02Z', 'x', 5)",
        "void_lead_hold(%s, %s, 'x', 5)",
        "override_hold_limit(%s, %s, now() + INTERVAL '1 day', 'x', 5)",
    ],
)
def test_the_holds_of_a_protection_given_back_are_left_alone(db, long, function):
    hold = call_row(db, "create_lead_hold(1, 7, 'x', 5, %s)", ago(3))
    call_row(db, "give_back_lead(1, 7, 'x', 5)")
    refused_unchanged(db, "LP064", function, hold["hold_id"], hold["version"] + 1)


@pytest.mark.parametrize(
    "function",
    [
        "transfer_lead(1, NULL, 8, 'x', 5)",
        "close_lead(1, NULL, 'LOST', 'x', 5)",
        "reopen_lead(1, NULL, 'x', 5)",
        "delete_lead(1, NULL, 'x', 5)",
    ],
)
def test_a_lead_that_is_protected_is_not_nobodys(db, long, function):
    assert "null" in (refused_unchanged(db, "LP003", function).diag.message_hint or "")


def test_nobody_closes_an_expired_lead(db):
    """Only a transfer takes what has expired: it is its last user's still."""
    insert_lead_of_age(db, 1, 300)
    refused_unchanged(db, "LP003", "close_lead(1, NULL, 'LOST', 'x', 5)")


def test_giving_back_is_for_the_user_and_for_open_leads(db, long):
    for sqlstate, call in (
        ("LP001", "give_back_lead(NULL, 7, 'x', 5)"),
        ("LP001", "give_back_lead(1, NULL, 'x', 5)"),
        ("LP001", "give_back_lead(1, 7, 'x', NULL)"),
        ("LP002", "give_back_lead(99, 7, 'x', 5)"),
        ("LP003", "give_back_lead(1, 8, 'x', 5)"),
        ("LP004", "give_back_lead(1, 7, ' ', 5)"),
    ):
        refused_unchanged(db, sqlstate, call)
    call_row(db, "close_lead(1, 7, 'LOST', 'x', 5)")
    refused_unchanged(db, "LP009", "give_back_lead(1, 7, 'x', 5)")


# --- Many, and what hangs on a lead ----------------------------------------------------------------------------------


def test_bulk_calls_refuse_a_free_lead_and_do_the_others(db, long):
    insert_lead(db, 2, START, user_id=None)
    answers = "SELECT lead_id, user_id, outcome, sqlstate FROM lead_protection.{}"
    refused = {"lead_id": 2, "user_id": None, "outcome": "refused", "sqlstate": "LP064"}
    for call in ("hold_leads('k', 'strike', 5, '{1,2}')", "release_leads('k2', 5, '{1,2}')"):
        assert rows(db, answers.format(call)) == [
            {"lead_id": 1, "user_id": 7, "outcome": "done", "sqlstate": None},
            refused,
        ]
    moved = call_row(db, "move_leads_to_policy('{2}', %s, 'x', 5)", make_policy(db, "other"))
    assert (moved["changed"], moved["state_after"]) == (False, "FREE")
    assert rows(db, "SELECT lead_id FROM lead_protection.hold_leads('k3', 'strike', 5, user_id => 7)") == [
        {"lead_id": 1}
    ]
    proved(db)


def test_anybody_may_be_active_for_a_free_lead(db):
    policy_id = make_policy(db, "agents", rule="parallel")
    insert_lead(db, 1, ago(300), user_id=None, policy_id=policy_id)
    record = "record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'a', 5)"
    assert call_row(db, record, ago(2))["changed"] and is_free(db)
    assert call_row(db, "correct_lead_activity(1, 'a', 'EMAIL_SENT', %s, 'x', 5)", ago(3))["changed"]
    assert call_row(db, "delete_lead_activity(1, 'a', 'x', 5)")["state_after"] == "FREE"
    assert is_free(db)
    proved(db)


def test_a_message_with_a_reminder_of_a_lead_given_back_is_not_sent(db):
    insert_lead_of_age(db, 1, 249)
    assert did(db) == {"reminders": 1}
    ((window,),) = db.execute("SELECT window_date FROM lead_protection.lead_reminders").fetchall()
    call_row(db, "report_reminder_delivery(1, 7, %s, '<1@x>', 'failed', '550')", window)
    call_row(db, "give_back_lead(1, 7, 'x', 5)")
    answer = call_row(db, "start_reminder_delivery(1, 7, %s, '<2@x>')", window)
    assert (answer["deliver"], answer["outcome"], answer["why"]) == (False, "skipped", "FREE")
    # Nor is the failed one repeated.
    db.execute(
        "UPDATE lead_protection.reminder_deliveries SET retry_at = now() - INTERVAL '1 hour' WHERE retry_at IS NOT NULL"
    )
    assert did(db) == {}
    assert payload(db, "lead.reminder.skipped")["user_id"] == 7


def test_free_leads_are_counted_and_listed(db):
    insert_lead(db, 1, ago(300), user_id=None)
    insert_lead(db, 2, ago(300), user_id=None, closed_at=ago(1))
    insert_lead_of_age(db, 3, 100)
    call_row(db, "give_back_lead(3, 7, 'x', 5)")
    insert_lead_of_age(db, 4, 249)
    states = "SELECT state, leads FROM lead_protection.v_kpi_states WHERE leads > 0 ORDER BY state"
    assert db.execute(states).fetchall() == [("CLOSED", 1), ("FREE", 2), ("REMINDER_DUE", 1)]
    users = "SELECT user_id, leads, closed, free, reminder_due FROM lead_protection.v_kpi_users ORDER BY user_id"
    assert db.execute(users).fetchall() == [(7, 1, 0, 0, 1), (None, 3, 1, 2, 0)]
    db.execute("SELECT lead_protection.refresh_metrics('0')")
    counted = "SELECT value::int FROM lead_protection.v_metrics WHERE metric = 'lead_protection_state'"
    assert db.execute(f"{counted} AND labels ->> 'state' = 'FREE'").fetchone() == (2,)
    assert {row[1] for row in db.execute("SELECT * FROM lead_protection.forecast_protection(520)")} == {7}


def test_drift_of_a_free_lead_is_found_and_mended(db):
    insert_lead(db, 1, ago(300), user_id=None)
    db.execute("UPDATE lead_protection.lead_clocks SET started_at = now(), runs_from = now()")
    assert [row[0] for row in db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()")] == [1]
    assert db.execute("SELECT lead_protection.mend_clock_drift()").fetchone() == (1,)
    assert is_free(db)
    assert "user_id" not in payload(db, "lead.clock.mended")


@pytest.mark.slow("twenty thousand leads")
@pytest.mark.parametrize(
    ("user_id", "asked", "index"),
    [
        ("nullif(n % 200, 0)", "user_id IS NULL", "lead_clocks_user_expiry"),
        # Most leads are nobody's: the branches are merged by the expiry's index all the same.
        (
            "CASE n % 10 WHEN 0 THEN 7 END",
            "protection_expires_at < now() + INTERVAL '60 days' ORDER BY protection_expires_at LIMIT 50",
            "lead_clocks_expiry",
        ),
    ],
)
def test_lists_are_index_scans(db, user_id, asked, index):
    db.execute(
        "INSERT INTO lead_protection.leads (user_id, created_at, changed_at)"
        f" SELECT {user_id}, now() - n * INTERVAL '15 minutes', now() FROM generate_series(1, 20000) AS n"
    )
    db.execute("ANALYZE lead_protection.lead_clocks")
    explain = "EXPLAIN (COSTS OFF) SELECT lead_id FROM lead_protection.v_user_lead_protection WHERE "
    plan = "\n".join(row[0] for row in db.execute(explain + asked))
    assert index in plan and "Seq Scan" not in plan and "Sort  " not in plan, plan
    assert "ORDER BY" not in asked or "Merge Append" in plan, plan
