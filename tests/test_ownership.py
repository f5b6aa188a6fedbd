"""Whose a lead is, from when, until when: transfer, extension, backdating, closing, deletion, policy moves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row

from facts import events, insert_holds, insert_lead, insert_lead_of_age
from test_concurrency import waits_for_a_lock

BERLIN = ZoneInfo("Europe/Berlin")
# Worked by hand, with the policy `long` (600 months, 60 days, 10 days, Europe/Berlin): the day 600 months later, and 70
# days more; reminders at 08:00 ten days before.
START = datetime(2024, 1, 31, 10, 0, tzinfo=BERLIN)
EXPIRY = datetime(2074, 4, 11, 10, 0, tzinfo=BERLIN)  # 31 January 2074 is followed by 28, 31 and 11 days
DUE = datetime(2074, 4, 1, 8, 0, tzinfo=BERLIN)


def row(db, query, *arguments) -> dict:
    """The one row of a query."""
    (only,) = db.cursor(row_factory=dict_row).execute(query, arguments).fetchall()
    return only


def call(db, function, *arguments) -> dict:
    """The one row that a function answers."""
    return row(db, f"SELECT * FROM lead_protection.{function}", *arguments)


def shown(db, lead_id=1) -> dict:
    """The lead in the view."""
    return row(db, "SELECT * FROM lead_protection.v_user_lead_protection WHERE lead_id = %s", lead_id)


def as_of(db, instant, lead_id=1) -> tuple:
    """User, state and expiry of the lead at an instant, by the rule."""
    return db.execute(
        "SELECT user_id, state, protection_expires_at FROM lead_protection.protection_as_of(%s) WHERE lead_id = %s",
        (instant, lead_id),
    ).fetchone()


def logged(db, event_type, lead_id=1) -> dict:
    """The one log row of that type."""
    query = "SELECT * FROM lead_protection.protection_log WHERE event_type = %s AND lead_id = %s"
    return row(db, query, event_type, lead_id)


def payload(db, event_type, lead_id=1) -> dict:
    """What the one event of that type says."""
    query = "SELECT payload FROM lead_protection.outbox_events WHERE type = %s AND aggregateid = %s"
    return row(db, query, event_type, str(lead_id))["payload"]


def written(db) -> list[tuple]:
    """All rows of all tables that a call may write."""
    names = db.execute(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'lead_protection' AND table_type = 'BASE TABLE' ORDER BY 1"
    ).fetchall()
    return sorted(
        (name, *values)
        for (name,) in names
        for values in db.execute(f"SELECT t::text FROM lead_protection.{name} AS t")
    )


def policy(db, name, **terms) -> int:
    """Make a policy and return its id."""
    named = "".join(f", {term} => %({term})s" for term in terms)
    return db.execute(
        f"SELECT policy_id FROM lead_protection.create_policy_version(%(name)s, 5{named})", terms | {"name": name}
    ).fetchone()[0]


def pipeline(db, instant=None) -> dict:
    """Run the pipeline and return what it did, without zeros."""
    db.execute("CALL lead_protection.run_protection_pipeline(%s)", (instant,))
    result = row(db, "SELECT result FROM lead_protection.job_runs ORDER BY id DESC LIMIT 1")["result"]
    return {step: number for step, number in result.items() if number}


def ago(days) -> datetime:
    """The instant so many days ago."""
    return datetime.now(UTC) - timedelta(days=days)


def fifty_years_after(instant: datetime) -> datetime:
    """600 months later in UTC."""
    day = 28 if (instant.month, instant.day) == (2, 29) else instant.day
    return instant.astimezone(UTC).replace(year=instant.astimezone(UTC).year + 50, day=day)


def check(db, answer, event_type, *, actor_id=5, reason="because", details=None):
    """The answer is what is seen, and the one log row and event of the call say the same."""
    now = shown(db, answer["lead_id"])
    assert answer["changed"] and answer["user_id"] == now["user_id"]
    assert (answer["state_after"], answer["on_hold_after"]) == (now["state"], now["on_hold"])
    assert answer["reminder_due_after"] == now["reminder_due_at"]
    if not now["on_hold"]:
        assert answer["expires_after"] == now["protection_expires_at"]
    log = logged(db, event_type, answer["lead_id"])
    assert (log["user_id"], log["actor_id"], log["reason"]) == (now["user_id"], actor_id, reason)
    assert (log["occurred_at"], log["state_after"]) == (answer["decided_at"], answer["state_after"])
    assert (log["expires_before"], log["expires_after"]) == (answer["expires_before"], answer["expires_after"])
    assert log["state_before"] == answer["state_before"]
    assert log["details"] == (details or {})
    event = payload(db, event_type, answer["lead_id"])
    assert event["state"] == answer["state_after"] and event["actor_id"] == actor_id
    assert datetime.fromisoformat(event["protection_expires_at"]) == answer["expires_after"]
    assert datetime.fromisoformat(event["occurred_at"]) == answer["decided_at"]
    told = {"lead_id", "user_id", "actor_id", "occurred_at", "state", "protection_expires_at"}
    assert {name: value for name, value in event.items() if name not in told} == {
        name: value for name, value in (details or {}).items() if name != "evidence"
    }
    assert "reason" not in event and "evidence" not in event
    proved(db)


def unchanged(db, function, *arguments) -> dict:
    """The call answers that it changed nothing, and did not."""
    before = written(db)
    answer = call(db, function, *arguments)
    assert answer["changed"] is False
    for what in ("state", "on_hold", "expires", "reminder_due"):
        assert answer[f"{what}_before"] == answer[f"{what}_after"]
    assert written(db) == before
    return answer


def refused(db, sqlstate, function, *arguments) -> psycopg.Error:
    """The call is refused with DETAIL and HINT, and changes nothing."""
    before = written(db)
    with pytest.raises(psycopg.Error) as error:
        db.execute(f"SELECT * FROM lead_protection.{function}", arguments)
    assert error.value.sqlstate == sqlstate
    assert error.value.diag.message_detail and error.value.diag.message_hint
    assert written(db) == before
    return error.value


def proved(db) -> None:
    """The cache is the rule, and the outbox the log."""
    assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []
    events(db)


@pytest.fixture
def long(db) -> int:
    """The policy of the worked dates, the default from now on; lead 1 of user 7 is under it."""
    policy_id = policy(db, "long", base_months=600)
    db.execute("SELECT lead_protection.set_default_policy(%s, 5)", (policy_id,))
    insert_lead(db, 1, START)
    assert (shown(db)["protection_expires_at"], shown(db)["reminder_due_at"]) == (EXPIRY, DUE)
    return policy_id


# --- Refusals and repetitions ----------------------------------------------------------------------------------------

CALLS = {
    "transfer_lead": "transfer_lead(%(lead)s, %(user)s, 8, %(reason)s, %(actor)s)",
    "extend_lead": "extend_lead(%(lead)s, %(user)s, 5, %(reason)s, 6, %(actor)s, 'k')",
    "backdate_lead": "backdate_lead(%(lead)s, %(user)s, '2020-01-01', %(reason)s, 'file', %(actor)s)",
    "close_lead": "close_lead(%(lead)s, %(user)s, 'LOST', %(reason)s, %(actor)s)",
    "reopen_lead": "reopen_lead(%(lead)s, %(user)s, %(reason)s, %(actor)s)",
    "delete_lead": "delete_lead(%(lead)s, %(user)s, %(reason)s, %(actor)s)",
}
GOOD = {"lead": 1, "user": 7, "reason": "because", "actor": 5}
BAD = [
    ("LP001", {"lead": None}),
    ("LP001", {"user": None}),
    ("LP001", {"actor": None}),
    ("LP002", {"lead": 99}),
    ("LP003", {"user": 8}),
    ("LP004", {"reason": None}),
    ("LP004", {"reason": ""}),
    ("LP004", {"reason": " \t\n"}),
    ("LP004", {"reason": "x" * 256}),
]


@pytest.mark.parametrize("function", CALLS)
def test_bad_arguments_are_refused(db, long, function):
    for sqlstate, bad in BAD:
        if (function, bad) == ("transfer_lead", {"user": 8}):
            bad = {"user": 9}
        before = written(db)
        with pytest.raises(psycopg.Error) as error:
            db.execute(f"SELECT * FROM lead_protection.{CALLS[function]}", GOOD | bad)
        assert error.value.sqlstate == sqlstate, bad
        assert error.value.diag.message_detail and error.value.diag.message_hint
        assert written(db) == before


@pytest.mark.parametrize(
    ("sqlstate", "function"),
    [
        ("LP001", "transfer_lead(1, 7, NULL, 'x', 5)"),
        ("LP001", "extend_lead(1, 7, NULL, 'x', 6, 5, 'k')"),
        ("LP001", "extend_lead(1, 7, 5, 'x', NULL, 5, 'k')"),
        ("LP001", "extend_lead(1, 7, 5, 'x', 6, 5, NULL)"),
        ("LP004", "extend_lead(1, 7, 5, 'x', 6, 5, ' ')"),
        ("LP004", "extend_lead(1, 7, 5, 'x', 6, 5, repeat('k', 256))"),
        ("LP023", "extend_lead(1, 7, 0, 'x', 6, 5, 'k')"),
        ("LP023", "extend_lead(1, 7, -3, 'x', 6, 5, 'k')"),
        ("LP024", "extend_lead(1, 7, 61, 'x', 6, 5, 'k')"),
        ("LP024", "extend_lead(1, 7, 2147483647, 'x', 6, 5, 'k')"),
        ("LP001", "backdate_lead(1, 7, NULL, 'x', 'file', 5)"),
        ("LP004", "backdate_lead(1, 7, '2020-01-01', 'x', NULL, 5)"),
        ("LP004", "backdate_lead(1, 7, '2020-01-01', 'x', ' ', 5)"),
        ("LP004", "backdate_lead(1, 7, '2020-01-01', 'x', repeat('e', 256), 5)"),
        ("LP005", "backdate_lead(1, 7, '1899-12-31', 'x', 'file', 5)"),
        ("LP005", "backdate_lead(1, 7, '-infinity', 'x', 'file', 5)"),
        ("LP010", "backdate_lead(1, 7, now() + INTERVAL '6 minutes', 'x', 'file', 5)"),
        ("LP010", "backdate_lead(1, 7, 'infinity', 'x', 'file', 5)"),
        ("LP025", "backdate_lead(1, 7, '2024-01-31 10:00:00.000001 Europe/Berlin', 'x', 'file', 5)"),
        ("LP001", "close_lead(1, 7, NULL, 'x', 5)"),
        ("LP027", "close_lead(1, 7, 'DELETED', 'x', 5)"),
        ("LP027", "close_lead(1, 7, 'lost', 'x', 5)"),
        ("LP001", "move_leads_to_policy(NULL, 1, 'x', 5)"),
        ("LP001", "move_leads_to_policy('{1,NULL}', 1, 'x', 5)"),
        ("LP001", "move_leads_to_policy('{1}', NULL, 'x', 5)"),
        ("LP001", "move_leads_to_policy('{1}', 1, 'x', NULL)"),
        ("LP002", "move_leads_to_policy('{1,99}', 1, 'x', 5)"),
        ("LP004", "move_leads_to_policy('{1}', 1, ' ', 5)"),
        ("LP019", "move_leads_to_policy('{1}', 99, 'x', 5)"),
    ],
)
def test_what_makes_no_sense_is_refused(db, long, sqlstate, function):
    refused(db, sqlstate, function)


@pytest.mark.parametrize(
    ("function", "sqlstate"),
    [
        ("transfer_lead(1, 7, 8, 'x', 5)", "LP009"),
        ("extend_lead(1, 7, 5, 'x', 6, 5, 'k')", "LP009"),
        ("backdate_lead(1, 7, '2020-01-01', 'x', 'file', 5)", "LP009"),
        ("close_lead(1, 7, 'LOST', 'x', 5)", "LP009"),
    ],
)
@pytest.mark.parametrize("how", ["close_lead(1, 7, 'CONVERTED', 'x', 5)", "delete_lead(1, 7, 'x', 5)"])
def test_a_closed_lead_is_left_alone(db, long, how, function, sqlstate):
    call(db, how)
    refused(db, sqlstate, function)


def test_a_lead_closed_as_a_row_has_no_outcome_to_repeat(db, long):
    db.execute("UPDATE lead_protection.leads SET closed_at = now()")
    refused(db, "LP009", "close_lead(1, 7, 'LOST', 'x', 5)")


# --- Transfer --------------------------------------------------------------------------------------------------------


def test_a_transfer_begins_a_new_protection(db, long):
    theirs = policy(db, "theirs", base_months=600, time_zone="UTC", reminder_time="06:30")
    db.execute("SELECT lead_protection.assign_user_policy(8, %s, 5)", (theirs,))
    answer = call(db, "transfer_lead(1, 7, 8, 'because', 5)")
    at = answer["decided_at"]
    check(
        db,
        answer,
        "lead.protection.transferred",
        details={"user_id_before": 7, "policy_id_before": long, "policy_id": theirs},
    )
    assert (answer["state_before"], answer["expires_before"], answer["reminder_due_before"]) == (
        "PROTECTED",
        EXPIRY,
        DUE,
    )
    expiry = fifty_years_after(at) + timedelta(days=70)
    assert (answer["user_id"], answer["state_after"], answer["expires_after"]) == (8, "PROTECTED", expiry)
    due = datetime.combine(expiry.date() - timedelta(days=10), datetime.min.time(), UTC) + timedelta(hours=6.5)
    assert answer["reminder_due_after"] == due
    assert (shown(db)["created_at"], shown(db)["policy_id"]) == (at, theirs)
    assert as_of(db, at - timedelta(microseconds=1)) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, START) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, at) == (8, "PROTECTED", expiry)
    assert db.execute("SELECT * FROM lead_protection.lead_history").fetchall() == [(1, at, 7, long, START, None)]
    # Repeated with the user that it was asked for, or by whom the lead is now.
    unchanged(db, "transfer_lead(1, 7, 8, 'because', 5)")
    unchanged(db, "transfer_lead(1, 8, 8, 'because', 5)")
    refused(db, "LP003", "transfer_lead(1, 7, 9, 'because', 5)")


def test_a_transfer_where_nobody_has_a_policy_keeps_that_of_the_lead(db, long):
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    call(db, "transfer_lead(1, 7, 8, 'because', 5)")
    assert shown(db)["policy_id"] == long


def test_nothing_of_an_old_protection_comes_back(db, long):
    call(db, "create_lead_hold(1, 7, 'open', 5, %s)", ago(3))
    call(db, "create_lead_hold(1, 7, 'planned', 5, %s, %s)", ago(-10), ago(-20))
    call(db, "create_lead_hold(1, 7, 'under way', 5, %s, %s)", ago(2), ago(-2))
    call(db, "extend_lead(1, 7, 20, 'x', 6, 5, 'k')")
    seen = shown(db)
    there = call(db, "transfer_lead(1, 7, 8, 'because', 5)")
    assert seen["on_hold"] and not shown(db)["on_hold"]
    # What the call found, and not what it had made of it on the way.
    assert there["on_hold_before"] is True and there["reminder_due_before"] is None
    assert timedelta(0) <= there["expires_before"] - seen["protection_expires_at"] < timedelta(seconds=30)
    assert events(db) == [
        *["lead.hold.created"] * 3,
        *["lead.hold.released"] * 3,
        "lead.protection.extended",
        "lead.protection.transferred",
    ]
    holds = db.execute("SELECT reason, start_at, end_at, released_by FROM lead_protection.lead_holds ORDER BY id")
    ended = {reason: (end_at, released_by, end_at == start_at) for reason, start_at, end_at, released_by in holds}
    at = there["decided_at"]
    assert ended["open"] == (at, 5, False) and ended["under way"] == (at, 5, False)
    assert ended["planned"][1:] == (5, True)

    back = call(db, "transfer_lead(1, 8, 7, 'because', 5)")
    again = back["decided_at"]
    now = shown(db)
    assert (now["state"], now["on_hold"], now["created_at"]) == ("PROTECTED", False, again)
    fresh = db.execute("SELECT lead_protection.calendar_expiry(%s, 'Europe/Berlin', 600, 70)", (again,)).fetchone()[0]
    assert now["protection_expires_at"] == fresh
    # The whole limit is open again, and the key of then is still that request.
    refused(db, "LP020", "extend_lead(1, 7, 60, 'x', 6, 5, 'k')")
    assert call(db, "extend_lead(1, 7, 60, 'x', 6, 5, 'k2')")["changed"]
    history = db.execute(
        "SELECT user_id, created_at, valid_until FROM lead_protection.lead_history ORDER BY valid_until"
    )
    assert history.fetchall() == [(7, START, at), (8, at, again)]
    assert [as_of(db, instant)[0] for instant in (at - timedelta(microseconds=1), at, again)] == [7, 8, 7]
    proved(db)


def test_a_reminder_of_an_old_protection_is_not_taken_back(db):
    insert_lead_of_age(db, 1, 249)
    assert pipeline(db) == {"reminders": 1}
    sent = shown(db)["reminded_at"]
    assert call(db, "transfer_lead(1, 7, 8, 'because', 5)")["state_before"] == "GRACE"
    assert pipeline(db) == {}
    call(db, "transfer_lead(1, 8, 7, 'because', 5)")
    assert pipeline(db) == {}
    assert shown(db)["state"] == "PROTECTED" and shown(db)["reminded_at"] is None
    assert as_of(db, sent)[:2] == (7, "GRACE")


def test_a_free_lead_can_be_transferred(db):
    insert_lead_of_age(db, 1, 300)
    assert pipeline(db) == {"expiries": 1}
    recorded = shown(db)["protection_expires_at"]
    answer = call(db, "transfer_lead(1, 7, 8, 'because', 5)")
    assert (answer["state_before"], answer["state_after"]) == ("EXPIRED", "PROTECTED")
    ledger = "SELECT user_id, protection_expires_at, reactivated_at FROM lead_protection.lead_expiries"
    assert db.execute(ledger).fetchall() == [(7, recorded, answer["decided_at"])]
    assert pipeline(db) == {}
    assert as_of(db, answer["decided_at"] - timedelta(microseconds=1)) == (7, "EXPIRED", recorded)
    back = call(db, "transfer_lead(1, 8, 7, 'because', 5)")
    assert back["state_after"] == "PROTECTED" and pipeline(db) == {}
    assert "lead.protection.reactivated" not in events(db)
    # The new protection of the old user ends in its turn, with a row of its own.
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (ago(300),))
    assert pipeline(db) == {"expiries": 1}
    assert [r[0] for r in db.execute(ledger)] == [7, 7]
    proved(db)


def test_an_expiry_that_no_run_has_seen_is_told_before_the_lead_goes_on(db):
    insert_lead_of_age(db, 1, 300)
    expiry = shown(db)["protection_expires_at"]
    at = call(db, "transfer_lead(1, 7, 8, 'because', 5)")["decided_at"]
    assert events(db) == ["lead.protection.expired", "lead.protection.transferred"]
    log = logged(db, "lead.protection.expired")
    assert (log["user_id"], log["actor_id"], log["state_after"], log["expires_after"]) == (7, None, "EXPIRED", expiry)
    ledger = row(db, "SELECT user_id, protection_expires_at, reactivated_at FROM lead_protection.lead_expiries")
    assert ledger == {"user_id": 7, "protection_expires_at": expiry, "reactivated_at": at}
    assert pipeline(db) == {}


def test_holds_of_another_user_are_left_alone(db, long):
    """They stop nothing; no function writes such rows for a lead that is not theirs."""
    insert_holds(db, 1, [(ago(3), None)], user_id=9)
    assert not shown(db)["on_hold"]
    for function in (
        "release_lead_hold(1, 7, 5)",
        "close_lead(1, 7, 'LOST', 'x', 5)",
        "reopen_lead(1, 7, 'x', 5)",
        "transfer_lead(1, 7, 8, 'x', 5)",
        "delete_lead(1, 8, 'x', 5)",
    ):
        call(db, function)
    assert row(db, "SELECT end_at, released_by FROM lead_protection.lead_holds") == {
        "end_at": None,
        "released_by": None,
    }
    assert "lead.hold.released" not in events(db)


# --- Extension -------------------------------------------------------------------------------------------------------


def test_an_extension_adds_days_to_the_months_in_one_calendar_addition(db, long):
    answer = call(db, "extend_lead(1, 7, 20, 'because', 6, 5, 'request 1')")
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
    refused(db, "LP020", "extend_lead(1, 7, 21, 'because', 6, 5, 'request 1')")
    refused(db, "LP020", "extend_lead(1, 8, 20, 'because', 6, 5, 'request 1')")


def test_a_key_is_the_leads_own(db, long):
    insert_lead(db, 2, START)
    call(db, "extend_lead(1, 7, 20, 'x', 6, 5, 'k')")
    assert call(db, "extend_lead(2, 7, 10, 'x', 6, 5, 'k')")["changed"]


def test_the_limit_is_for_all_extensions_together(db, long):
    for number, days in enumerate((20, 30, 10)):
        assert call(db, "extend_lead(1, 7, %s, 'x', 6, 5, %s)", days, f"k{number}")["changed"]
    assert shown(db)["protection_expires_at"] == datetime(2074, 6, 10, 10, 0, tzinfo=BERLIN)
    error = refused(db, "LP024", "extend_lead(1, 7, 1, 'x', 6, 5, 'k3')")
    assert "60 days in all, and 60 are granted" in error.diag.message_detail
    # The limit is that of the policy of now, for what was granted under another, too.
    more = policy(db, "more", base_months=600, extension_limit_days=65)
    call(db, "move_leads_to_policy('{1}', %s, 'x', 5)", more)
    refused(db, "LP024", "extend_lead(1, 7, 6, 'x', 6, 5, 'k3')")
    assert call(db, "extend_lead(1, 7, 5, 'x', 6, 5, 'k3')")["changed"]
    none = policy(db, "none", base_months=600, extension_limit_days=0)
    call(db, "move_leads_to_policy('{1}', %s, 'x', 5)", none)
    assert shown(db)["protection_expires_at"] == datetime(2074, 6, 15, 10, 0, tzinfo=BERLIN)
    refused(db, "LP024", "extend_lead(1, 7, 1, 'x', 6, 5, 'k4')")
    unchanged(db, "extend_lead(1, 7, 5, 'x', 6, 5, 'k3')")


def test_an_extension_takes_a_reminder_back(db):
    insert_lead_of_age(db, 1, 249)
    assert pipeline(db) == {"reminders": 1}
    answer = call(db, "extend_lead(1, 7, 30, 'x', 6, 5, 'k')")
    assert (answer["state_before"], answer["state_after"]) == ("GRACE", "PROTECTED")
    assert pipeline(db) == {"reactivations": 1}


def test_an_expired_lead_is_not_extended(db):
    insert_lead_of_age(db, 1, 300)
    refused(db, "LP008", "extend_lead(1, 7, 5, 'x', 6, 5, 'k')")


def test_an_extension_on_hold_counts(db, long):
    """A hold of two whole days; the days of the extension are added before it."""
    insert_holds(db, 1, [(datetime(2074, 1, 1, tzinfo=BERLIN), datetime(2074, 1, 3, tzinfo=BERLIN))])
    answer = call(db, "extend_lead(1, 7, 20, 'x', 6, 5, 'k')")
    assert answer["expires_after"] == datetime(2074, 5, 3, 10, 0, tzinfo=BERLIN)
    call(db, "create_lead_hold(1, 7, 'x', 5)")
    answer = call(db, "extend_lead(1, 7, 1, 'x', 6, 5, 'k2')")
    assert answer["on_hold_after"] and answer["reminder_due_after"] is None
    assert answer["expires_after"] - answer["expires_before"] == timedelta(days=1)


def test_the_idle_clock_leaves_an_extension_behind(db):
    """Parallel: 60 and 10 days from the last activity; the base clock is far away."""
    parallel = policy(db, "parallel", rule="parallel", base_months=600, time_zone="UTC")
    start = ago(20)
    insert_lead(db, 1, start, policy_id=parallel)
    assert call(db, "extend_lead(1, 7, 15, 'x', 6, 5, 'k')")["expires_after"] == start + timedelta(days=85)
    # It took place before the extension was granted, so that one still counts; the next does not.
    first, second = ago(10), datetime.now(UTC)
    db.execute("SELECT lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'a', 5)", (first,))
    assert shown(db)["protection_expires_at"] == first + timedelta(days=85)
    db.execute("SELECT lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'b', 5)", (second,))
    assert shown(db)["protection_expires_at"] == second + timedelta(days=70)
    base = row(db, "SELECT base_expires_at FROM lead_protection.lead_clocks")["base_expires_at"]
    assert base == fifty_years_after(start) + timedelta(days=15)


# --- Backdating ------------------------------------------------------------------------------------------------------

EARLIER = datetime(2023, 12, 15, 9, 30, tzinfo=BERLIN)
EARLIER_EXPIRY = datetime(2074, 2, 23, 9, 30, tzinfo=BERLIN)  # 15 December 2073, and 16, 31 and 23 days


def test_backdating_moves_the_start_and_all_that_hangs_on_it(db, long):
    answer = call(db, "backdate_lead(1, 7, %s, 'because', 'letter of 14 December', 5)", EARLIER)
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
    refused(db, "LP025", "backdate_lead(1, 7, %s, 'because', 'letter', 5)", START)


def test_backdating_follows_through_the_history_of_this_protection_only(db):
    """For 8 until ten days ago; then for 7, moved, closed and reopened; all by hand in the past."""
    db.execute("ALTER TABLE lead_protection.lead_history DISABLE TRIGGER refuse_change")
    db.execute("SELECT lead_protection.set_default_policy(%s, 5)", (policy(db, "long", base_months=600),))
    insert_lead(db, 1, ago(50), user_id=8)
    db.execute("UPDATE lead_protection.leads SET user_id = 7, created_at = %s", (ago(10),))
    since = shown(db)["created_at"]
    (changed,) = db.execute("UPDATE lead_protection.lead_history SET valid_until = %s RETURNING valid_until", (since,))
    call(db, "move_leads_to_policy('{1}', %s, 'x', 5)", policy(db, "other", base_months=300))
    call(db, "close_lead(1, 7, 'LOST', 'x', 5)")
    call(db, "reopen_lead(1, 7, 'x', 5)")
    insert_lead(db, 2, since)
    call(db, "move_leads_to_policy('{2}', 1, 'x', 5)")
    refused(db, "LP026", "backdate_lead(1, 7, %s, 'x', 'file', 5)", changed[0] - timedelta(microseconds=1))
    starts = "SELECT user_id, created_at FROM lead_protection.lead_history WHERE lead_id = %s ORDER BY valid_until"
    before = db.execute(starts, (1,)).fetchall()
    assert [user_id for user_id, _ in before] == [8, 7, 7] and {start for _, start in before[1:]} == {since}
    db.execute("UPDATE lead_protection.lead_history SET valid_until = %s WHERE user_id = 8", (ago(14),))
    earlier = ago(12)
    assert call(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", earlier)["changed"]
    assert db.execute(starts, (1,)).fetchall() == [before[0], (7, earlier), (7, earlier)]
    assert db.execute(starts, (2,)).fetchall() == [(7, since)]
    assert as_of(db, earlier + timedelta(days=1))[0] == 7
    (until,) = db.execute("SELECT valid_until FROM lead_protection.lead_history WHERE user_id = 8").fetchone()
    refused(db, "LP026", "backdate_lead(1, 7, %s, 'x', 'file', 5)", until - timedelta(microseconds=1))
    assert call(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", until)["changed"]
    proved(db)


def test_a_start_may_be_moved_back_to_the_very_end_of_the_other_users_time(db, long):
    call(db, "transfer_lead(1, 7, 8, 'x', 5)")
    (until,) = db.execute("SELECT valid_until FROM lead_protection.lead_history").fetchone()
    unchanged(db, "backdate_lead(1, 8, %s, 'x', 'file', 5)", until)
    refused(db, "LP026", "backdate_lead(1, 8, %s, 'x', 'file', 5)", until - timedelta(microseconds=1))


def test_backdating_may_end_a_protection_at_once_and_lets_old_holds_count(db):
    insert_lead_of_age(db, 1, 200)
    insert_holds(db, 1, [(ago(280), ago(230))])
    held = call(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", ago(285))
    assert held["state_after"] == "PROTECTED", "50 days on hold"
    ended = call(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", ago(330))
    assert ended["state_after"] == "EXPIRED" and ended["reminder_due_after"] is not None
    assert pipeline(db) == {"expiries": 1}
    # An expired lead can be backdated; it stays what it is.
    assert call(db, "backdate_lead(1, 7, %s, 'x', 'file', 5)", ago(331))["state_after"] == "EXPIRED"
    assert pipeline(db) == {}


# --- Closing, reopening, deletion ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["CONVERTED", "LOST"])
def test_closing(db, long, outcome):
    answer = call(db, "close_lead(1, 7, %s, 'because', 5)", outcome)
    check(db, answer, "lead.closed", details={"outcome": outcome})
    assert (answer["state_before"], answer["state_after"]) == ("PROTECTED", "CLOSED")
    assert (answer["expires_after"], answer["reminder_due_after"]) == (EXPIRY, None)
    lead = row(db, "SELECT closed_at, closed_as FROM lead_protection.leads")
    assert lead == {"closed_at": answer["decided_at"], "closed_as": outcome}
    assert as_of(db, answer["decided_at"] - timedelta(microseconds=1)) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, answer["decided_at"]) == (7, "CLOSED", EXPIRY)
    assert db.execute("SELECT count(*) FROM lead_protection.lead_history").fetchone() == (0,)
    unchanged(db, "close_lead(1, 7, %s, 'again', 5)", outcome)
    refused(db, "LP009", "close_lead(1, 7, %s, 'x', 5)", {"CONVERTED": "LOST", "LOST": "CONVERTED"}[outcome])


def test_closing_ends_the_holds_in_force_and_leaves_those_to_come(db, long):
    call(db, "create_lead_hold(1, 7, 'open', 5, %s)", ago(4))
    call(db, "create_lead_hold(1, 7, 'under way', 5, %s, %s)", ago(2), ago(-2))
    call(db, "create_lead_hold(1, 7, 'to come', 5, %s, %s)", ago(-10), ago(-20))
    planned = row(db, "SELECT end_at FROM lead_protection.lead_holds WHERE reason = 'to come'")["end_at"]
    answer = call(db, "close_lead(1, 7, 'LOST', 'x', 5)")
    assert (answer["on_hold_before"], answer["on_hold_after"]) == (True, False)
    ends = dict(db.execute("SELECT reason, end_at FROM lead_protection.lead_holds").fetchall())
    at = answer["decided_at"]
    assert ends == {"open": at, "under way": at, "to come": planned}
    assert events(db) == ["lead.closed", *["lead.hold.created"] * 3, *["lead.hold.released"] * 2]
    # Four days of stop, and ten to come.
    moved = answer["expires_after"] - EXPIRY
    assert timedelta(days=14) <= moved < timedelta(days=14, seconds=30)
    proved(db)


def test_a_free_lead_can_be_closed(db):
    insert_lead_of_age(db, 1, 300)
    assert call(db, "close_lead(1, 7, 'LOST', 'x', 5)")["state_before"] == "EXPIRED"
    assert pipeline(db) == {}


def test_reopening(db, long):
    closed_at = call(db, "close_lead(1, 7, 'CONVERTED', 'x', 5)")["decided_at"]
    answer = call(db, "reopen_lead(1, 7, 'because', 5)")
    closed = row(db, "SELECT lead_protection.instant_text(%s) AS at", closed_at)["at"]
    check(db, answer, "lead.reopened", details={"outcome": "CONVERTED", "closed_at": closed})
    assert (answer["state_before"], answer["state_after"], answer["expires_after"]) == ("CLOSED", "PROTECTED", EXPIRY)
    assert (answer["reminder_due_before"], answer["reminder_due_after"]) == (None, DUE)
    assert row(db, "SELECT closed_at, closed_as FROM lead_protection.leads") == {"closed_at": None, "closed_as": None}
    at = answer["decided_at"]
    looks = [closed_at - timedelta(microseconds=1), closed_at, at - timedelta(microseconds=1), at]
    assert [as_of(db, instant)[1] for instant in looks] == ["PROTECTED", "CLOSED", "CLOSED", "PROTECTED"]
    unchanged(db, "reopen_lead(1, 7, 'because', 5)")
    # It can be closed with another outcome now.
    assert call(db, "close_lead(1, 7, 'LOST', 'x', 5)")["changed"]


def test_reopening_ends_an_open_hold_where_the_row_was_closed(db, long):
    insert_holds(db, 1, [(ago(10), None)])
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(4),))
    closed = shown(db)
    answer = call(db, "reopen_lead(1, 7, 'because', 5)")
    assert (answer["on_hold_after"], answer["state_after"]) == (False, "PROTECTED")
    assert answer["expires_after"] == closed["protection_expires_at"]
    hold = row(db, "SELECT end_at, released_by FROM lead_protection.lead_holds")
    assert hold == {"end_at": closed["closed_at"], "released_by": 5}
    assert events(db) == ["lead.changed", "lead.hold.released", "lead.reopened"]
    proved(db)


def test_the_time_runs_out_while_a_lead_is_closed(db):
    insert_lead_of_age(db, 1, 300)
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(100),))
    assert pipeline(db) == {}
    answer = call(db, "reopen_lead(1, 7, 'because', 5)")
    assert (answer["state_before"], answer["state_after"]) == ("CLOSED", "EXPIRED")
    assert pipeline(db) == {"expiries": 1}
    assert as_of(db, ago(10))[1] == "CLOSED"


def test_an_activity_while_closed_counts_once_reopened(db):
    parallel = policy(db, "parallel", rule="parallel", base_months=600, time_zone="UTC")
    start, during = ago(50), ago(10)
    insert_lead(db, 1, start, policy_id=parallel)
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(20),))
    db.execute("SELECT lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'k', 5)", (during,))
    assert shown(db)["protection_expires_at"] == start + timedelta(days=70)
    answer = call(db, "reopen_lead(1, 7, 'because', 5)")
    assert answer["expires_after"] == during + timedelta(days=70)


def test_deletion(db, long):
    answer = call(db, "delete_lead(1, 7, 'because', 5)")
    check(db, answer, "lead.deleted")
    assert (answer["state_before"], answer["state_after"]) == ("PROTECTED", "CLOSED")
    lead = row(db, "SELECT closed_at, closed_as FROM lead_protection.leads")
    assert lead == {"closed_at": answer["decided_at"], "closed_as": "DELETED"}
    unchanged(db, "delete_lead(1, 7, 'because', 5)")
    refused(db, "LP028", "reopen_lead(1, 7, 'because', 5)")
    assert as_of(db, START) == (7, "PROTECTED", EXPIRY)


def test_a_closed_lead_can_be_deleted_and_stays_closed_when_it_was(db, long):
    closed_at = call(db, "close_lead(1, 7, 'LOST', 'x', 5)")["decided_at"]
    answer = call(db, "delete_lead(1, 7, 'because', 5)")
    check(db, answer, "lead.deleted", details={"outcome_before": "LOST"})
    assert (answer["state_before"], answer["state_after"]) == ("CLOSED", "CLOSED")
    lead = row(db, "SELECT closed_at, closed_as FROM lead_protection.leads")
    assert lead == {"closed_at": closed_at, "closed_as": "DELETED"}


def test_deletion_ends_a_hold(db, long):
    call(db, "create_lead_hold(1, 7, 'x', 5)")
    answer = call(db, "delete_lead(1, 7, 'because', 5)")
    assert (answer["on_hold_before"], answer["on_hold_after"]) == (True, False)
    assert events(db) == ["lead.deleted", "lead.hold.created", "lead.hold.released"]
    proved(db)


# --- Policy moves ----------------------------------------------------------------------------------------------------


def moved(db, lead_ids, policy_id) -> dict:
    """The answers of a move, by lead."""
    answers = db.cursor(row_factory=dict_row).execute(
        "SELECT * FROM lead_protection.move_leads_to_policy(%s, %s, 'because', 5)", (lead_ids, policy_id)
    )
    return {answer["lead_id"]: answer for answer in answers}


def test_a_move_counts_the_clock_anew_from_its_start(db, long):
    theirs = policy(db, "theirs", base_months=599, extension_days=30, grace_days=5, reminder_time="18:00")
    (answer,) = moved(db, [1], theirs).values()
    check(db, answer, "lead.protection.moved", details={"policy_id_before": long, "policy_id": theirs})
    # 31 December 2073, and 31 and 4 days.
    assert answer["expires_after"] == datetime(2074, 2, 4, 10, 0, tzinfo=BERLIN)
    assert answer["reminder_due_after"] == datetime(2074, 1, 30, 18, 0, tzinfo=BERLIN)
    at = answer["decided_at"]
    assert as_of(db, at - timedelta(microseconds=1)) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, at) == (7, "PROTECTED", answer["expires_after"])
    assert db.execute("SELECT * FROM lead_protection.lead_history").fetchall() == [(1, at, 7, long, START, None)]
    before = written(db)
    assert [again["changed"] for again in moved(db, [1], theirs).values()] == [False]
    assert written(db) == before


def test_free_and_closed_leads_stay(db):
    for lead_id, days in enumerate((100, 249, 300, 100), start=1):
        insert_lead_of_age(db, lead_id, days)
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 4")
    answers = moved(db, [4, 3, 2, 1, 1], policy(db, "longer", base_months=60))
    assert list(answers) == [1, 2, 3, 4]
    assert [answer["changed"] for answer in answers.values()] == [True, True, False, False]
    assert [answer["state_after"] for answer in answers.values()] == ["PROTECTED", "PROTECTED", "EXPIRED", "CLOSED"]
    assert events(db) == ["lead.changed", "lead.protection.moved", "lead.protection.moved"]
    assert moved(db, [], 1) == {}
    proved(db)


def test_a_move_may_end_a_protection_at_once(db):
    insert_lead_of_age(db, 1, 100)
    call(db, "create_lead_hold(1, 7, 'x', 5)")
    (answer,) = moved(db, [1], policy(db, "short", base_months=1, extension_days=1, grace_days=1)).values()
    assert (answer["state_before"], answer["on_hold_before"]) == ("PROTECTED", True)
    assert (answer["state_after"], answer["on_hold_after"]) == ("EXPIRED", False)
    assert pipeline(db) == {"expiries": 1}
    # Expired, it stays where it is.
    assert [again["changed"] for again in moved(db, [1], 1).values()] == [False]


def test_a_move_to_a_policy_that_requires_a_notice(db):
    """Its time would have run out long ago; nobody was reminded, so it is due and ends ten days after the reminder."""
    insert_lead_of_age(db, 1, 100)
    noticed = policy(db, "noticed", base_months=1, extension_days=1, time_zone="UTC", notice_required=True)
    (answer,) = moved(db, [1], noticed).values()
    assert (answer["state_after"], answer["expires_after"]) == (
        "REMINDER_DUE",
        answer["decided_at"] + timedelta(days=10),
    )
    assert pipeline(db) == {"reminders": 1}
    now = shown(db)
    assert (now["state"], now["protection_expires_at"]) == ("GRACE", now["reminded_at"] + timedelta(days=10))
    assert pipeline(db) == {}


def test_five_thousand_leads_in_one_call(db):
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT n, n %% 50, now() - %s * INTERVAL '1 day' FROM generate_series(1, 5000) AS n",
        (100,),
    )
    answers = moved(db, list(range(5000, 0, -1)), policy(db, "longer", base_months=60))
    assert list(answers) == list(range(1, 5001))
    assert all(answer["changed"] and answer["expires_after"] > answer["expires_before"] for answer in answers.values())
    assert events(db) == ["lead.protection.moved"] * 5000
    assert db.execute("SELECT count(*) FROM lead_protection.lead_history").fetchone() == (5000,)
    proved(db)


def test_a_move_is_all_or_nothing(db, long):
    insert_lead(db, 2, START)
    refused(db, "LP002", "move_leads_to_policy('{1,2,3}', 1, 'x', 5)")


# --- Rows, by the owner ----------------------------------------------------------------------------------------------


def test_a_change_by_hand_is_logged_and_kept(db, long):
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (EARLIER,))
    log = logged(db, "lead.changed")
    assert (log["actor_id"], log["reason"], log["state_before"], log["state_after"]) == (
        None,
        "changed as a row",
        "PROTECTED",
        "PROTECTED",
    )
    assert (log["expires_before"], log["expires_after"]) == (EXPIRY, EARLIER_EXPIRY)
    assert log["details"]["started_at_before"] == "2024-01-31T09:00:00.000000Z"
    assert log["details"]["started_at"] == "2023-12-15T08:30:00.000000Z"
    assert payload(db, "lead.changed")["started_at"] == log["details"]["started_at"]
    assert db.execute("SELECT count(*) FROM lead_protection.lead_history").fetchone() == (0,)


def test_a_change_of_hands_by_hand_has_its_history(db, long):
    db.execute("UPDATE lead_protection.leads SET user_id = 8")
    log = logged(db, "lead.changed")
    assert (log["user_id"], log["details"]["user_id_before"]) == (8, 7)
    history = db.execute("SELECT * FROM lead_protection.lead_history").fetchall()
    assert history == [(1, log["occurred_at"], 7, long, START, None)]
    assert as_of(db, log["occurred_at"] - timedelta(microseconds=1))[0] == 7
    assert as_of(db, log["occurred_at"])[0] == 8
    proved(db)


def test_an_update_that_changes_nothing_is_not_logged(db, long):
    db.execute("UPDATE lead_protection.leads SET user_id = user_id")
    assert events(db) == []


def test_a_bulk_update_by_hand_logs_each_lead_that_changes(db, long):
    insert_lead(db, 2, EARLIER)
    insert_lead(db, 3, START)
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (EARLIER,))
    assert (events(db, 1), events(db, 2), events(db, 3)) == (["lead.changed"], [], ["lead.changed"])


def test_what_a_function_changes_is_logged_once(db, long):
    for function in (
        "transfer_lead(1, 7, 8, 'x', 5)",
        "close_lead(1, 8, 'LOST', 'x', 5)",
        "reopen_lead(1, 8, 'x', 5)",
        "delete_lead(1, 8, 'x', 5)",
    ):
        call(db, function)
    assert events(db) == ["lead.closed", "lead.deleted", "lead.protection.transferred", "lead.reopened"]


# --- Several sessions at once ----------------------------------------------------------------------------------------


def at_once(connections, calls) -> list:
    """Make the calls at the same moment, each in its session; the answers, or SQLSTATEs."""
    barrier = Barrier(len(connections))

    def work(connection, function):
        barrier.wait()
        try:
            return call(connection, function)["changed"]
        except psycopg.Error as error:
            return error.sqlstate

    with ThreadPoolExecutor(len(connections)) as pool:
        return list(pool.map(work, connections, calls))


def test_eight_sessions_transfer_a_lead_to_eight_users(db, connect, long):
    calls = [f"transfer_lead(1, 7, {user}, 'x', 5)" for user in range(11, 19)]
    answers = at_once([connect() for _ in calls], calls)
    assert sorted(map(str, answers)) == ["LP003"] * 7 + ["True"]
    assert shown(db)["user_id"] == 11 + answers.index(True)
    assert events(db) == ["lead.protection.transferred"]
    proved(db)


def test_eight_sessions_transfer_a_lead_to_the_same_user(db, connect, long):
    answers = at_once([connect() for _ in range(8)], ["transfer_lead(1, 7, 8, 'x', 5)"] * 8)
    assert sorted(answers) == [False] * 7 + [True]
    assert events(db) == ["lead.protection.transferred"]


def test_transfers_in_a_row_leave_no_gap(db, connect, long):
    """Each session waits for the lead to be its user's, and hands it on; the history joins end to start."""

    def hand_on(connection, user):
        for _ in range(1000):
            try:
                return call(connection, f"transfer_lead(1, {user}, {user + 1}, 'x', 5)")["changed"]
            except psycopg.Error as error:
                assert error.sqlstate == "LP003"
        return None

    connections = [connect() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(hand_on, connections, range(7, 15))) == [True] * 8
    history = db.execute(
        "SELECT user_id, created_at, valid_until FROM lead_protection.lead_history ORDER BY 3"
    ).fetchall()
    assert [user_id for user_id, _, _ in history] == list(range(7, 15))
    starts = [created_at for _, created_at, _ in history] + [shown(db)["created_at"]]
    assert starts == [START] + [valid_until for _, _, valid_until in history]
    proved(db)


def test_eight_sessions_make_one_request(db, connect, long):
    answers = at_once([connect() for _ in range(8)], ["extend_lead(1, 7, 20, 'x', 6, 5, 'k')"] * 8)
    assert sorted(answers) == [False] * 7 + [True]
    assert db.execute("SELECT count(*), sum(days) FROM lead_protection.lead_extensions").fetchone() == (1, 20)
    assert events(db) == ["lead.protection.extended"]
    proved(db)


def test_eight_sessions_cannot_exceed_the_limit(db, connect, long):
    calls = [f"extend_lead(1, 7, 20, 'x', 6, 5, 'k{number}')" for number in range(8)]
    answers = at_once([connect() for _ in calls], calls)
    assert sorted(map(str, answers)) == ["LP024"] * 5 + ["True"] * 3


@pytest.mark.parametrize(
    ("first", "second", "committed"),
    [
        ("close_lead(1, 7, 'LOST', 'x', 5)", "transfer_lead(1, 7, 8, 'x', 5)", "LP009"),
        ("transfer_lead(1, 7, 8, 'x', 5)", "close_lead(1, 7, 'LOST', 'x', 5)", "LP003"),
        ("transfer_lead(1, 7, 8, 'x', 5)", "create_lead_hold(1, 7, 'x', 5)", "LP003"),
        ("delete_lead(1, 7, 'x', 5)", "extend_lead(1, 7, 5, 'x', 6, 5, 'k')", "LP009"),
        ("close_lead(1, 7, 'LOST', 'x', 5)", "close_lead(1, 7, 'LOST', 'x', 5)", None),
    ],
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_who_waits_decides_on_what_is_then(db, connect, wait_until, long, first, second, committed, end):
    one, other = connect(autocommit=False), connect()
    call(one, first)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, other, second)
        wait_until(lambda: waits_for_a_lock(db, other))
        getattr(one, end)()
        if end == "commit" and committed:
            with pytest.raises(psycopg.Error) as error:
                answer.result(timeout=10)
            assert error.value.sqlstate == committed
        else:
            done = answer.result(timeout=10)
            assert done.get("changed", done.get("created")) is (end == "rollback")
    proved(db)


# --- The pipeline where a notice is required -------------------------------------------------------------------------


@pytest.fixture
def noticed(db) -> int:
    """A lead of the policy 1 month, 20 and 10 days, in Berlin: from 1 February to 31 March 2025, due on 21 March."""
    policy_id = policy(db, "noticed", base_months=1, extension_days=20, grace_days=10, notice_required=True)
    insert_lead(db, 1, datetime(2025, 2, 1, 12, 0, tzinfo=BERLIN), policy_id=policy_id)
    return policy_id


def berlin(*fields) -> datetime:
    """A local time in Berlin in 2025."""
    return datetime(2025, *fields, tzinfo=BERLIN)


RULE = berlin(3, 31, 12, 0)


def test_a_reminder_in_time_moves_nothing(db, noticed):
    assert as_of(db, berlin(3, 21, 7, 59)) == (7, "PROTECTED", RULE)
    assert pipeline(db, berlin(3, 21, 8, 3)) == {"reminders": 1}
    assert as_of(db, berlin(3, 21, 8, 3)) == (7, "GRACE", RULE)
    assert pipeline(db, RULE - timedelta(microseconds=1)) == {}
    assert pipeline(db, RULE) == {"expiries": 1}


def test_after_a_late_reminder_the_expiry_waits(db, noticed):
    """The clock change of 30 March does not shorten the grace days: they are days of the calendar."""
    late, waited = berlin(3, 25, 10, 0), berlin(4, 4, 10, 0)
    assert as_of(db, berlin(3, 21, 8, 0)) == (7, "REMINDER_DUE", RULE)
    assert as_of(db, berlin(3, 25, 9, 0)) == (7, "REMINDER_DUE", berlin(4, 4, 9, 0))
    assert pipeline(db, late) == {"reminders": 1}
    assert as_of(db, late) == (7, "GRACE", waited)
    assert (waited - late) == timedelta(days=10) and waited.astimezone(UTC) - late.astimezone(UTC) == timedelta(
        hours=239
    )
    log = logged(db, "lead.protection.reminder")
    assert (log["expires_before"], log["expires_after"]) == (waited, waited)
    assert pipeline(db, RULE) == {} and pipeline(db, waited - timedelta(microseconds=1)) == {}
    assert pipeline(db, waited) == {"expiries": 1}
    ledger = row(db, "SELECT window_date, protection_expires_at FROM lead_protection.lead_reminders")
    assert ledger == {"window_date": date(2025, 3, 31), "protection_expires_at": waited}
    assert logged(db, "lead.protection.expired")["expires_after"] == waited


def test_who_was_never_reminded_does_not_lose_the_lead(db, noticed):
    assert as_of(db, berlin(6, 1, 12, 0)) == (7, "REMINDER_DUE", berlin(6, 11, 12, 0))
    assert shown(db)["state"] == "REMINDER_DUE"
    assert db.execute("SELECT lead_protection.record_expiries(%s, 10)", (berlin(6, 1, 12, 0),)).fetchone() == (0,)
    assert pipeline(db, berlin(6, 1, 12, 0)) == {"reminders": 1}
    assert as_of(db, berlin(6, 5, 12, 0)) == (7, "GRACE", berlin(6, 11, 12, 0))
    assert pipeline(db, berlin(6, 11, 11, 59)) == {}
    assert pipeline(db, berlin(6, 11, 12, 0)) == {"expiries": 1}
    assert events(db) == ["lead.protection.expired", "lead.protection.reminder"]
    proved(db)


def test_leads_that_wait_for_a_notice_do_not_stand_in_the_way_of_those_that_expire(db, noticed):
    plain = policy(db, "plain", base_months=1, extension_days=20, grace_days=10)
    insert_lead(db, 2, datetime(2025, 2, 1, 12, 0, tzinfo=BERLIN), policy_id=plain)
    record = "SELECT lead_protection.record_expiries(%s, 1)"
    assert [db.execute(record, (berlin(4, 1, 0, 0),)).fetchone()[0] for _ in range(2)] == [1, 0]


def test_a_hold_while_the_notice_is_owed_stops_the_reminder_and_moves_the_notice(db, noticed):
    insert_holds(db, 1, [(berlin(4, 10, 0, 0), berlin(4, 20, 0, 0))])
    assert pipeline(db, berlin(4, 15, 0, 0)) == {}
    assert pipeline(db, berlin(4, 20, 0, 0)) == {"reminders": 1}
    assert as_of(db, berlin(4, 20, 0, 0)) == (7, "GRACE", berlin(4, 30, 0, 0))
    insert_holds(db, 1, [(berlin(4, 25, 0, 0), berlin(4, 28, 0, 0))])
    assert pipeline(db, berlin(4, 30, 0, 0)) == {}
    assert pipeline(db, berlin(5, 3, 0, 0)) == {"expiries": 1}
    proved(db)


def test_without_the_notice_the_same_lead_would_have_expired(db, noticed):
    plain = policy(db, "plain", base_months=1, extension_days=20, grace_days=10)
    insert_lead(db, 2, datetime(2025, 2, 1, 12, 0, tzinfo=BERLIN), policy_id=plain)
    assert pipeline(db, berlin(4, 1, 0, 0)) == {"reminders": 1, "expiries": 1}
    assert (events(db, 1), events(db, 2)) == (["lead.protection.reminder"], ["lead.protection.expired"])
