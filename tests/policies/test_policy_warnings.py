"""Early warnings as terms of a policy version: what is taken, what is refused, and that they never change."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from helpers.calls import refused
from helpers.warnings import create_version

AGENTS: dict[str, Any] = {"rule": "parallel", "notice_required": True}
ONE = [{"days_before": 17, "audience": "user"}]


def kept(db, policy_id: int) -> list[tuple]:
    """Step, days and audience of each."""
    return db.execute(
        "SELECT step, days_before, audience FROM lead_protection.policy_warnings WHERE policy_id = %s ORDER BY step",
        (policy_id,),
    ).fetchall()


def test_without_any_a_policy_has_none_and_no_run_looks_for_them(db):
    policy_id, version, created = db.execute(
        "SELECT policy_id, version, created FROM lead_protection.create_policy_version('standard', 900)"
    ).fetchone()
    assert (version, created) == (1, False), "the package's own terms have none"
    assert kept(db, policy_id) == []
    db.execute("CALL lead_protection.run_protection_pipeline()")
    (result,) = db.execute("SELECT result FROM lead_protection.job_runs ORDER BY id DESC LIMIT 1").fetchone()
    assert "reminders" in result and "warnings" not in result


def test_they_are_numbered_from_the_earliest_on_whatever_the_order_they_are_given_in(db):
    given = [
        {"days_before": 3, "audience": "manager"},
        {"audience": "user", "days_before": 17},
        {"days_before": 17, "audience": "manager"},
    ]
    policy_id, version, created = create_version(db, given, **AGENTS)
    assert (version, created) == (1, True)
    assert kept(db, policy_id) == [(1, 17, "manager"), (2, 17, "user"), (3, 3, "manager")]
    assert create_version(db, list(reversed(given)), **AGENTS) == (policy_id, 1, False)


@pytest.mark.parametrize(
    "other",
    [
        [],
        [{"days_before": 16, "audience": "user"}],
        [{"days_before": 17, "audience": "manager"}],
        ONE * 1 + [{"days_before": 3, "audience": "user"}],
    ],
)
def test_other_warnings_are_another_version(db, other):
    policy_id, *_ = create_version(db, ONE, **AGENTS)
    assert create_version(db, other, **AGENTS)[1:] == (2, True)
    assert kept(db, policy_id) == [(1, 17, "user")], "a version keeps its own"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"days_before": 17, "audience": "user"}, "{"),
        ("17", "17"),
        ([17], "17"),
        ([{"days_before": 17}], "17"),
        ([{"audience": "user"}], "user"),
        ([{**ONE[0], "hours": 3}], "hours"),
        ([{"days_before": 0, "audience": "user"}], "0"),
        ([{"days_before": -3, "audience": "user"}], "-3"),
        ([{"days_before": 1.5, "audience": "user"}], "1.5"),
        ([{"days_before": "17", "audience": "user"}], '"17"'),
        ([{"days_before": None, "audience": "user"}], "null"),
        ([{"days_before": 10**9, "audience": "user"}], "1000000000"),
        ([{"days_before": 17, "audience": "User"}], "User"),
        ([{"days_before": 17, "audience": "the user"}], "the user"),
        ([{"days_before": 17, "audience": ""}], '""'),
        ([{"days_before": 17, "audience": "a" * 64}], "aaaa"),
        ([{"days_before": 17, "audience": 7}], "7"),
        ([{"days_before": 17, "audience": "user\n"}], "user"),
    ],
)
def test_what_is_no_warning_is_refused(db, given, named):
    error = refused(
        "LP105", db.execute, "SELECT lead_protection.create_policy_version('x', 900, warnings => %s)", (Jsonb(given),)
    )
    assert named in error.diag.message_detail
    assert error.diag.message_hint.startswith('Give an array of objects such as {"days_before": 17')


def test_null_is_no_list_of_warnings(db):
    refused("LP001", db.execute, "SELECT lead_protection.create_policy_version('x', 900, warnings => NULL)")


def test_one_given_twice_is_refused(db):
    error = refused(
        "LP106", db.execute, "SELECT lead_protection.create_policy_version('x', 900, warnings => %s)", (Jsonb(ONE * 2),)
    )
    assert error.diag.message_detail == "Given twice or more: 17 days before for user."
    assert error.diag.message_hint == "Give each number of days once for an audience."


@pytest.mark.parametrize(
    ("terms", "most"),
    [
        # From 1 September or 31 August on, six months have 181 days.
        ({}, 181 + 70 - 1),
        ({"base_months": 1}, 28 + 70 - 1),
        ({"base_months": 12}, 365 + 70 - 1),
        (AGENTS, 70 - 1),
        ({"rule": "parallel", "base_months": 2}, 59 - 1),
        ({"rule": "parallel", "extension_days": 5, "grace_days": 3}, 7),
    ],
)
def test_as_many_days_before_as_the_protection_lasts_are_refused(db, terms, most):
    assert create_version(db, [{"days_before": most, "audience": "user"}], **terms)[2]
    given = ", ".join(f"{term} => %({term})s" for term in terms)
    error = refused(
        "LP107",
        db.execute,
        f"SELECT lead_protection.create_policy_version('x', 900, {given}{', ' if given else ''}"
        "warnings => %(warnings)s)",
        {**terms, "warnings": Jsonb([{"days_before": most + 1, "audience": "user"}])},
    )
    assert f"may last no more than {most + 1} days. Given: {most + 1} for user." in error.diag.message_detail
    assert error.diag.message_hint == f"Give fewer days before the expiry: {most} at most."


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE lead_protection.policy_warnings SET days_before = 20",
        "DELETE FROM lead_protection.policy_warnings",
        "TRUNCATE lead_protection.policy_warnings",
        "INSERT INTO lead_protection.policy_warnings"
        " SELECT policy_id, 2, 3, 'user' FROM lead_protection.policy_warnings",
    ],
)
def test_those_of_a_version_never_change(db, change):
    policy_id, *_ = create_version(db, ONE, **AGENTS)
    error = refused("LP012", db.execute, change)
    anew = "To begin anew, roll back all migrations and apply them again."
    assert error.diag.message_hint == (
        anew if change.startswith("TRUNCATE") else "Make a new version with create_policy_version()."
    )
    assert kept(db, policy_id) == [(1, 17, "user")]


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ("0, 17, 'user'", "policy_warnings_step_positive"),
        ("1, 0, 'user'", "policy_warnings_days_before_sensible"),
        ("1, 200001, 'user'", "policy_warnings_days_before_sensible"),
        ("1, 17, 'Chef'", "policy_warnings_audience_sensible"),
    ],
)
def test_the_table_takes_no_other(db, columns, constraint):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute(f"INSERT INTO lead_protection.policy_warnings SELECT 1, {columns}")
    assert caught.value.diag.constraint_name == constraint


@pytest.mark.parametrize(("role", "may"), [("app", False), ("operator", True), ("monitor", False), ("jobs", False)])
def test_who_may_give_some(db, role, may):
    db.execute(f"SET ROLE lead_protection_{role}")
    if may:
        policy_id, *_ = create_version(db, ONE, **AGENTS)
        assert kept(db, policy_id) == [(1, 17, "user")]
    else:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            create_version(db, ONE, **AGENTS)
