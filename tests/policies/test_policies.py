"""Policies: versions, the default, a user's own; what is refused; running clocks keep theirs."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from helpers.calls import refused
from helpers.facts import PROTECTED, drift, insert_lead_of_age, insert_policy
from helpers.sessions import execute_at_once, waits_for_a_lock

TERMS = {
    "rule": "sequential",
    "base_months": 6,
    "extension_days": 60,
    "grace_days": 10,
    "time_zone": "Europe/Berlin",
    "reminder_time": "08:00",
    "notice_required": False,
    "extension_limit_days": 60,
    "period_end": "instant",
    "hold_unit": "elapsed",
    "expiry_on": "any_day",
    "remind_on": "any_day",
    "notice_counts_from": "sent",
}
OTHER_TERMS = {
    "rule": "parallel",
    "base_months": 7,
    "extension_days": 61,
    "grace_days": 11,
    "time_zone": "Europe/Vienna",
    "reminder_time": "08:01",
    "notice_required": True,
    "extension_limit_days": 0,
    "period_end": "end_of_day",
    "hold_unit": "day",
    "expiry_on": "working_day",
    "remind_on": "working_day",
    "notice_counts_from": "delivered_working_day",
}
# What a term needs beside it.
NEEDS: dict[str, dict] = {
    "expiry_on": {"period_end": "end_of_day", "calendar_id": 1},
    "remind_on": {"calendar_id": 1},
    "notice_counts_from": {"notice_required": True, "calendar_id": 1},
}


def create(db, name="x", actor_id=5, **terms):
    """Call create_policy_version() and return policy_id, name, version, created."""
    arguments = {"name": name, "actor_id": actor_id} | terms
    named = ", ".join(f"{argument} => %({argument})s" for argument in arguments)
    return db.execute(f"SELECT * FROM lead_protection.create_policy_version({named})", arguments).fetchone()


def set_default(db, policy_id, actor_id=5):
    """Call set_default_policy()."""
    return db.execute("SELECT lead_protection.set_default_policy(%s, %s)", (policy_id, actor_id)).fetchone()[0]


def assign(db, user_id, policy_id, actor_id=5):
    """Call assign_user_policy()."""
    call = "SELECT lead_protection.assign_user_policy(%s, %s, %s)"
    return db.execute(call, (user_id, policy_id, actor_id)).fetchone()[0]


def assignments(db):
    """All decisions, in order."""
    return db.execute(
        "SELECT user_id, policy_id, assigned_by FROM lead_protection.policy_assignments ORDER BY id"
    ).fetchall()


def defaults(db):
    """The ids of the default policies."""
    return [row[0] for row in db.execute("SELECT id FROM lead_protection.protection_policies WHERE is_default")]


def versions(db, name="x"):
    """Version and months of each version of a name."""
    return db.execute(
        "SELECT version, base_months FROM lead_protection.protection_policies WHERE name = %s ORDER BY 1", (name,)
    ).fetchall()


def policy_of_new_lead(db, lead_id, user_id):
    """Insert a lead of a user and return its policy."""
    insert_lead_of_age(db, lead_id, PROTECTED, user_id)
    row = db.execute("SELECT policy_id FROM lead_protection.lead_clocks WHERE lead_id = %s", (lead_id,)).fetchone()
    return row[0]


# create_policy_version


def test_a_first_version_has_the_terms_given_and_nobody_gets_it_yet(db):
    policy_id, name, version, created = create(db, **OTHER_TERMS, calendar_id=1)
    assert (name, version, created) == ("x", 1, True)
    row = db.execute(
        f"SELECT {', '.join(OTHER_TERMS)}, calendar_id, is_default, created_by FROM lead_protection.protection_policies"
        " WHERE id = %s",
        (policy_id,),
    ).fetchone()
    assert tuple(str(value) for value in row) == (
        *("parallel", "7", "61", "11", "Europe/Vienna", "08:01:00", "True", "0"),
        *("end_of_day", "day", "working_day", "working_day", "delivered_working_day", "1"),
        *("False", "5"),
    )
    assert (defaults(db), assignments(db)) == ([1], [])


def test_the_terms_left_out_are_those_of_the_package(db):
    assert create(db, "standard") == (1, "standard", 1, False)


def test_arguments_by_position(db):
    answer = db.execute(
        "SELECT * FROM lead_protection.create_policy_version"
        "('x', 5, 'parallel', 7, 61, 11, 'Europe/Vienna', '08:01', true, 0)"
    ).fetchone()
    assert answer[1:] == ("x", 1, True)
    first = {term: OTHER_TERMS[term] for term in list(OTHER_TERMS)[:8]}
    assert create(db, **first) == (*answer[:3], False)


@pytest.mark.parametrize("term", TERMS)
def test_another_term_is_another_version_and_the_same_terms_are_the_same(db, term):
    needed = NEEDS.get(term, {})
    first = create(db, **needed)
    assert create(db, actor_id=6, **needed) == (*first[:3], False)
    second = create(db, **needed | {term: OTHER_TERMS[term]})
    assert second == (second[0], "x", 2, True) and second[0] != first[0]
    assert create(db, **needed | {term: OTHER_TERMS[term]}) == (*second[:3], False)
    # Those of an older version are asked for: the latest has others.
    assert create(db, **needed)[1:] == ("x", 3, True)
    makers = db.execute("SELECT created_by FROM lead_protection.protection_policies WHERE name = 'x'").fetchall()
    assert makers == [(5,)] * 3


def test_another_version_of_the_calendar_is_another_version_of_the_policy(db):
    first, second = create(db, calendar_id=1), create(db, calendar_id=2)
    assert (first[2], second[2]) == (1, 2)
    assert create(db, calendar_id=2) == (*second[:3], False)


def test_an_unknown_calendar_is_refused(db):
    refused("LP092", create, db, calendar_id=10**9)
    assert versions(db) == []


def test_names_count_apart(db):
    assert create(db, "x")[2] == create(db, "y")[2] == create(db, "X")[2] == 1


NO_SENSE = [
    ("name", ""),
    ("name", " \t\n"),
    ("name", "x" * 256),
    ("rule", "best"),
    ("rule", "Parallel"),
    ("base_months", 0),
    ("base_months", -6),
    ("base_months", 1201),
    ("extension_days", 0),
    ("extension_days", -1),
    ("extension_days", 36501),
    ("grace_days", 0),
    ("grace_days", -1),
    ("grace_days", 36501),
    ("reminder_time", "24:00"),
    ("extension_limit_days", -1),
    ("extension_limit_days", 36501),
    ("period_end", "midnight"),
    ("hold_unit", "hour"),
    ("expiry_on", "monday"),
    # Without a calendar, without the end of the day, without a notice:
    ("expiry_on", "working_day"),
    ("remind_on", "working_day"),
    ("notice_counts_from", "delivered"),
    ("notice_counts_from", "delivered_working_day"),
    ("time_zone", ""),
    ("time_zone", "CET"),
    ("time_zone", "X-1"),
    ("time_zone", "Europe/Atlantis"),
    ("time_zone", "Europe/Berlin+1"),
    ("time_zone", "Europe/berlin"),
    # PostgreSQL would take this one for a rule of its own, 99 hours from UTC.
    ("time_zone", "Etc/GMT+99"),
    ("time_zone", "posix/Europe/Berlin"),
    ("time_zone", "+02:00"),
]


@pytest.mark.parametrize(("term", "value"), NO_SENSE, ids=lambda value: str(value)[:20])
def test_terms_that_make_no_sense_are_refused(db, term, value):
    with pytest.raises(psycopg.Error) as refused:
        create(db, **{term: value})
    assert refused.value.sqlstate == "LP018"
    detail, hint = str(refused.value.diag.message_detail), str(refused.value.diag.message_hint)
    assert detail.startswith(f"Given: {term}: ") and str(value) in detail
    assert hint.startswith(f"Allowed: {term}: ") and f"; {term}" not in hint
    assert db.execute("SELECT count(*) FROM lead_protection.protection_policies").fetchone() == (1,)


def test_all_terms_that_make_no_sense_are_named(db):
    with pytest.raises(psycopg.Error) as refused:
        create(db, base_months=0, grace_days=-1)
    assert refused.value.sqlstate == "LP018"
    assert refused.value.diag.message_detail == "Given: base_months: 0; grace_days: -1."
    assert refused.value.diag.message_hint == (
        "Allowed: base_months: 1 to 1200;"
        " grace_days: 1 to 36500, and under the parallel rule less than base_months of 28 days."
    )


def test_a_working_day_needs_what_says_so(db):
    """The same is refused of a row that the owner writes."""
    for terms in (
        {"expiry_on": "working_day", "calendar_id": 1},
        {"expiry_on": "working_day", "period_end": "end_of_day"},
        {"remind_on": "working_day"},
        {"notice_counts_from": "delivered_working_day", "notice_required": True},
        {"notice_counts_from": "delivered", "notice_required": False},
    ):
        refused("LP018", create, db, **terms)
        with pytest.raises(psycopg.errors.CheckViolation):
            insert_policy(db, name="y", **terms)


def test_a_reminder_is_never_due_before_the_start(db):
    """Under the parallel rule nothing lies between the start and the grace days but the base."""
    terms = {"rule": "parallel", "base_months": 1}
    with pytest.raises(psycopg.Error) as refused:
        create(db, **terms, grace_days=28)
    assert refused.value.sqlstate == "LP018"
    assert create(db, **terms, grace_days=27)
    assert create(db, name="sequential", rule="sequential", base_months=1, grace_days=28)


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("base_months", 1),
        ("base_months", 1200),
        ("extension_days", 1),
        ("extension_days", 36500),
        ("grace_days", 1),
        ("grace_days", 36500),
        ("extension_limit_days", 0),
        ("extension_limit_days", 36500),
        ("reminder_time", "00:00"),
        ("reminder_time", "23:59:59.999999"),
        ("time_zone", "UTC"),
        ("time_zone", "Etc/GMT+5"),
        ("time_zone", "America/Port-au-Prince"),
        ("time_zone", "America/Argentina/Buenos_Aires"),
        ("time_zone", "Australia/Lord_Howe"),
        ("name", "x" * 255),
    ],
    ids=lambda value: str(value)[:20],
)
def test_terms_at_the_edge_are_taken(db, term, value):
    assert create(db, **{term: value})[2:] == (1, True)


@pytest.mark.parametrize("argument", ["name", "actor_id", *TERMS])
def test_null_is_refused(db, argument):
    with pytest.raises(psycopg.Error) as refused:
        create(db, **{argument: None})
    assert refused.value.sqlstate == "LP001"
    assert argument in str(refused.value.diag.message_primary)


# Policies never change.


@pytest.mark.parametrize(
    "change",
    [
        "id = 2",
        "name = 'other'",
        "version = 2",
        "rule = 'parallel'",
        "base_months = 7",
        "extension_days = 61",
        "grace_days = 11",
        "time_zone = 'Europe/Vienna'",
        "reminder_time = '09:00'",
        "notice_required = true",
        "extension_limit_days = 61",
        "period_end = 'end_of_day'",
        "calendar_id = 1",
        "created_by = 1",
        "created_at = created_at - INTERVAL '1 day'",
    ],
)
def test_a_policy_cannot_be_changed(db, change):
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"UPDATE lead_protection.protection_policies SET {change}")
    assert refused.value.sqlstate == "LP011"
    assert refused.value.diag.message_detail and "create_policy_version" in str(refused.value.diag.message_hint)


def test_an_update_that_changes_no_term_passes(db):
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false, grace_days = grace_days")
    assert defaults(db) == []


@pytest.mark.parametrize(
    ("table", "may_change"), [("protection_policies", "is_default = false"), ("activity_kinds", "description = 'x'")]
)
def test_a_column_that_is_added_later_is_frozen_by_itself(db, table, may_change):
    db.execute(f"ALTER TABLE lead_protection.{table} ADD COLUMN weight integer")
    refused("LP011", db.execute, f"UPDATE lead_protection.{table} SET weight = 1")
    refused("LP011", db.execute, f"UPDATE lead_protection.{table} SET {may_change}, weight = 1")
    db.execute(f"UPDATE lead_protection.{table} SET {may_change}")
    assert db.execute(f"SELECT DISTINCT weight FROM lead_protection.{table}").fetchall() == [(None,)]


def test_a_policy_in_use_cannot_be_deleted(db):
    insert_lead_of_age(db, 1, PROTECTED)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.execute("DELETE FROM lead_protection.protection_policies")


# The default, and a user's own.


def test_running_clocks_keep_their_policy(db):
    insert_lead_of_age(db, 1, PROTECTED)
    clocks = "SELECT c::text FROM lead_protection.lead_clocks AS c WHERE lead_id = 1"
    rule = "SELECT p::text FROM lead_protection.protection_as_of('2100-01-01Z') AS p WHERE lead_id = 1"
    before = [db.execute(query).fetchall() for query in (clocks, rule)]
    policy_id = create(db, "standard", base_months=3)[0]
    assert policy_of_new_lead(db, 2, 7) == 1
    assert set_default(db, policy_id) and assign(db, 7, policy_id)
    assert [db.execute(query).fetchall() for query in (clocks, rule)] == before
    assert policy_of_new_lead(db, 3, 7) == policy_id
    assert drift(db) == []


def test_the_default_is_switched_once(db):
    policy_id = create(db)[0]
    assert set_default(db, policy_id, 5) is True
    assert set_default(db, policy_id, 6) is False
    assert (defaults(db), assignments(db)) == ([policy_id], [(None, policy_id, 5)])
    assert policy_of_new_lead(db, 1, 7) == policy_id
    assert set_default(db, 1, 6) is True
    assert (defaults(db), assignments(db)) == ([1], [(None, policy_id, 5), (None, 1, 6)])


def test_the_default_can_be_set_where_there_is_none(db):
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    assert set_default(db, 1) is True
    assert defaults(db) == [1]


def test_a_users_own_policy_is_that_of_their_new_leads(db):
    first, second = create(db)[0], create(db, base_months=7)[0]
    assert assign(db, 7, None) is False
    assert assign(db, 7, first, 5) is True
    assert assign(db, 7, first, 6) is False
    assert (policy_of_new_lead(db, 1, 7), policy_of_new_lead(db, 2, 8)) == (first, 1)
    assert assign(db, 7, second) is True
    # The default is none of their business now.
    assert set_default(db, first) is True
    assert (policy_of_new_lead(db, 3, 7), policy_of_new_lead(db, 4, 8)) == (second, first)
    assert assign(db, 7, None) is True
    assert assign(db, 7, None) is False
    assert policy_of_new_lead(db, 5, 7) == first
    assert assignments(db) == [(7, first, 5), (7, second, 5), (None, first, 5), (7, None, 5)]


def test_the_default_assigned_by_name_stays_when_the_default_changes(db):
    assert assign(db, 7, 1) is True
    set_default(db, create(db)[0])
    assert policy_of_new_lead(db, 1, 7) == 1


def test_a_policy_named_in_the_row_wins(db):
    policy_id = create(db)[0]
    assign(db, 7, policy_id)
    db.execute("INSERT INTO lead_protection.leads (id, user_id, policy_id) VALUES (1, 7, 1)")
    assert db.execute("SELECT policy_id FROM lead_protection.lead_clocks").fetchone() == (1,)


def test_without_a_default_only_those_with_their_own_get_leads(db):
    policy_id = create(db)[0]
    assign(db, 7, policy_id)
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    assert policy_of_new_lead(db, 1, 7) == policy_id
    assert db.execute("SELECT lead_protection.policy_of_user(8)").fetchone() == (None,)
    with pytest.raises(psycopg.Error) as refused:
        insert_lead_of_age(db, 2, PROTECTED, 8)
    assert refused.value.sqlstate == "LP017"


def test_a_transferred_lead_gets_the_new_users_policy(db):
    policy_id = create(db)[0]
    assign(db, 8, policy_id)
    insert_lead_of_age(db, 1, PROTECTED, 7)
    db.execute("SELECT lead_protection.transfer_lead(1, 7, 8, 'x', 1)")
    assert db.execute("SELECT policy_id FROM lead_protection.lead_clocks").fetchone() == (policy_id,)


@pytest.mark.parametrize(
    ("sqlstate", "call"),
    [
        ("LP001", "set_default_policy(NULL, 5)"),
        ("LP001", "set_default_policy(2, NULL)"),
        ("LP019", "set_default_policy(99, 5)"),
        ("LP001", "assign_user_policy(NULL, 2, 5)"),
        ("LP001", "assign_user_policy(7, 2, NULL)"),
        ("LP019", "assign_user_policy(7, 99, 5)"),
    ],
)
def test_decisions_refused(db, sqlstate, call):
    create(db)
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"SELECT lead_protection.{call}")
    assert refused.value.sqlstate == sqlstate
    assert refused.value.diag.message_detail and refused.value.diag.message_hint
    assert (defaults(db), assignments(db)) == ([1], [])


# Several sessions at once.


def test_eight_sessions_make_the_same_version(db, connect):
    answers = execute_at_once(
        [connect() for _ in range(8)], "SELECT * FROM lead_protection.create_policy_version('x', 5)"
    )
    assert {answer[:3] for answer in answers} == {(answers[0][0], "x", 1)}
    assert sorted(answer[3] for answer in answers) == [False] * 7 + [True]
    assert versions(db) == [(1, 6)]


def test_eight_sessions_make_versions_of_their_own(db, connect):
    """The months are the session's number: no two want the same."""
    sessions = [connect() for _ in range(8)]
    for months, session in enumerate(sessions, start=1):
        session.execute("SELECT set_config('test.months', %s, false)", (str(months),))
    call = (
        "SELECT * FROM lead_protection.create_policy_version('x', 5,"
        " base_months => current_setting('test.months')::integer)"
    )
    answers = execute_at_once(sessions, call)
    assert all(answer[3] for answer in answers)
    made = versions(db)
    assert [version for version, _ in made] == list(range(1, 9))
    assert sorted(months for _, months in made) == list(range(1, 9))
    assert [dict(made)[answer[2]] for answer in answers] == list(range(1, 9))


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("months", [6, 7])
def test_a_version_waits_for_an_unfinished_one(db, connect, wait_until, end, months):
    first, second = connect(autocommit=False), connect()
    made = create(first)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(create, second, base_months=months)
        wait_until(lambda: waits_for_a_lock(db, second))
        getattr(first, end)()
        policy_id, _, version, created = answer.result(timeout=10)
    stands = end == "commit"
    assert created is not (stands and months == 6)
    assert version == (2 if stands and months == 7 else 1)
    assert (policy_id == made[0]) is (stands and months == 6)


def test_an_old_snapshot_is_refused_rather_than_asked_for_ever(db, connect):
    old = connect(autocommit=False)
    old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    old.execute("SELECT count(*) FROM lead_protection.protection_policies")
    create(db)
    old.execute("SET statement_timeout = '10s'")
    with pytest.raises(psycopg.errors.SerializationFailure):
        create(old)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_switch_waits_for_an_unfinished_one(db, connect, wait_until, end):
    policies = [create(db, name)[0] for name in "ab"]
    first, second = connect(autocommit=False), connect()
    assert set_default(first, policies[0])
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(set_default, second, policies[1])
        wait_until(lambda: waits_for_a_lock(db, second))
        getattr(first, end)()
        assert answer.result(timeout=10) is True
    assert defaults(db) == [policies[1]]
    decided = [(None, policy_id, 5) for policy_id in policies]
    assert assignments(db) == (decided if end == "commit" else decided[1:])


def test_eight_sessions_switch_to_the_same(db, connect):
    policy_id = create(db)[0]
    answers = execute_at_once(
        [connect() for _ in range(8)], f"SELECT lead_protection.set_default_policy({policy_id}, 5)"
    )
    assert sorted(answers) == [(False,)] * 7 + [(True,)]
    assert (defaults(db), assignments(db)) == ([policy_id], [(None, policy_id, 5)])


def test_leads_come_in_and_policies_are_made_during_a_switch(db, connect):
    policy_id = create(db)[0]
    switch = connect(autocommit=False)
    set_default(switch, policy_id)
    db.execute("SET lock_timeout = '1s'")
    assert policy_of_new_lead(db, 1, 7) == 1
    assert create(db, "y")[3] is True
    assert assign(db, 7, policy_id) is True
    switch.commit()
    assert policy_of_new_lead(db, 2, 8) == policy_id


def test_two_who_make_a_policy_and_switch_to_it_do_not_deadlock(db, connect, wait_until):
    first, second = connect(autocommit=False), connect(autocommit=False)
    made = [create(first, "a")[0], create(second, "b")[0]]
    assert set_default(first, made[0])
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(set_default, second, made[1])
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        assert answer.result(timeout=10) is True
    second.commit()
    assert defaults(db) == [made[1]]


def test_eight_sessions_assign_the_same(db, connect):
    policy_id = create(db)[0]
    answers = execute_at_once(
        [connect() for _ in range(8)], f"SELECT lead_protection.assign_user_policy(7, {policy_id}, 5)"
    )
    assert sorted(answers) == [(False,)] * 7 + [(True,)]
    assert assignments(db) == [(7, policy_id, 5)]


def test_an_assignment_waits_for_an_unfinished_one_of_the_same_user_only(db, connect, wait_until):
    policies = [create(db, name)[0] for name in "ab"]
    first, second = connect(autocommit=False), connect()
    assign(first, 7, policies[0])
    second.execute("SET lock_timeout = '1s'")
    assert assign(second, 8, policies[1]) is True
    second.execute("RESET lock_timeout")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(assign, second, 7, policies[1])
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        assert answer.result(timeout=10) is True
    assert [row for row in assignments(db) if row[0] == 7] == [(7, policies[0], 5), (7, policies[1], 5)]
    assert policy_of_new_lead(db, 1, 7) == policies[1]


# Rights.

OPERATOR_MAY = ["create_policy_version('y', 5)", "set_default_policy(2, 5)", "assign_user_policy(7, 2, 5)"]


@pytest.mark.parametrize("call", OPERATOR_MAY)
def test_policies_are_the_operators(db, connect, call):
    assert insert_policy(db) == 2
    for group in ("app", "monitor", "jobs", "operator"):
        session = connect()
        session.execute(f"SET SESSION AUTHORIZATION lead_protection_{group}")
        if group == "operator":
            session.execute(f"SELECT lead_protection.{call}")
            continue
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"SELECT lead_protection.{call}")


def test_the_applications_leads_get_the_users_policy(db, connect):
    """The application may not ask for it itself."""
    policy_id = create(db)[0]
    assign(db, 7, policy_id)
    app = connect()
    app.execute("SET SESSION AUTHORIZATION lead_protection_app")
    app.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (1, 7)")
    assert app.execute("SELECT policy_id FROM lead_protection.v_user_lead_protection").fetchone() == (policy_id,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT lead_protection.policy_of_user(7)")
