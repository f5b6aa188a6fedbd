"""The explanation as JSON and as a whole: its steps lead from the start to the date that is shown."""

import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from helpers.clock_cases import CASES
from helpers.explain_calls import (
    START,
    days,
    end_reached,
    explain,
    explain_json,
    notice_lead,
    only,
    utc,
)
from helpers.facts import (
    SHOWN,
    in_utc,
    insert_activities,
    insert_extensions,
    insert_history,
    insert_holds,
    insert_lead,
    insert_policy,
    insert_reminders,
)


def iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_json(step: dict) -> dict:
    """A row as the JSON must have it."""
    return {
        "step": step["step"],
        "clock": step["clock"],
        "item": step["item"],
        "fact_id": step["fact_id"],
        "from": iso(step["from_at"]),
        "until": iso(step["until_at"]),
        "moved_by_seconds": None if step["moved_by"] is None else step["moved_by"] / timedelta(seconds=1),
        "expires_at": iso(step["expires_at"]),
        "explanation": step["explanation"],
        "reason": step["reason"],
        "actor_id": step["actor_id"],
        "entered_at": iso(step["entered_at"]),
        "sentences": step["sentences"],
    }


def test_json_names_the_policy_and_all_its_terms(unchecked):
    notice_lead(unchecked, name="agents", rule="parallel", extension_limit_days=7, reminder_time="08:30")
    insert_holds(unchecked, 1, [("2025-02-01T00:00:00Z", "2025-02-01T00:00:00.000001Z")])
    answer = explain_json(unchecked, "2025-02-03T00:00:00+02:00")
    (policy_id,) = unchecked.execute(
        "SELECT id FROM lead_protection.protection_policies WHERE name = 'agents'"
    ).fetchone()
    assert {name: value for name, value in answer.items() if name != "steps"} == {
        "lead_id": 1,
        "lead_key": None,
        "as_of": "2025-02-02T22:00:00.000000Z",
        "user_id": 7,
        "policy": {
            "id": policy_id,
            "name": "agents",
            "version": 1,
            "rule": "parallel",
            "base_months": 6,
            "extension_days": 60,
            "grace_days": 10,
            "time_zone": "Europe/Berlin",
            "reminder_time": "08:30:00",
            "notice_required": True,
            "extension_limit_days": 7,
            "period_end": "instant",
            "hold_unit": "elapsed",
            "calendar": None,
            "expiry_on": "any_day",
            "remind_on": "any_day",
            "notice_counts_from": "sent",
        },
        "result": {
            "protection_expires_at": "2025-03-26T09:00:00.000001Z",
            "state": "PROTECTED",
            "on_hold": False,
            "reminder_due_at": "2025-03-16T07:30:00.000000Z",
        },
    }
    assert answer["steps"] == [as_json(step) for step in explain(unchecked, "2025-02-03T00:00:00+02:00")]
    assert [step["moved_by_seconds"] for step in answer["steps"] if step["item"] == "HOLD"] == [0.000001] * 2


def test_the_worked_cases(unchecked):
    assert len(CASES) == 50
    for number, case in enumerate(CASES, start=1):
        policy_id = insert_policy(unchecked, name=case["name"], **case["policy"])
        insert_lead(unchecked, number, case["created_at"], policy_id=policy_id)
        insert_holds(unchecked, number, [(hold["start_at"], hold["end_at"]) for hold in case["holds"]])
        insert_activities(unchecked, number, case["qualified_activities"])
        insert_reminders(unchecked, number, case["reminders_sent_at"])
        steps = explain(unchecked, case["as_of"], number)
        expect = case["expect"]
        assert steps[-1]["expires_at"] == end_reached(steps) == utc(expect["protection_expires_at"]), case["why"]
        assert only(steps, "REMINDER")["from_at"] == utc(expect["reminder_due_at"]), case["why"]
        on_hold = "on hold" if expect["on_hold"] else "not on hold"
        assert f": {expect['state']}, {on_hold}. " in steps[-1]["explanation"], case["why"]
        answer = explain_json(unchecked, case["as_of"], number)
        assert answer["steps"] == [as_json(step) for step in steps]
        assert answer["result"] == {
            "protection_expires_at": iso(utc(expect["protection_expires_at"])),
            "state": expect["state"],
            "on_hold": expect["on_hold"],
            "reminder_due_at": iso(utc(expect["reminder_due_at"])),
        }


@pytest.mark.slow("hundreds of worlds")
def test_whatever_the_facts_the_steps_lead_to_what_is_shown(unchecked):
    """Random facts under every kind of policy, close together: the steps add up, and the last is the answer."""
    choose = random.Random(3)
    begin = utc(START)
    policies = [
        insert_policy(
            unchecked, name=f"{rule} {notice} {zone}", rule=rule, notice_required=notice, time_zone=zone,
            base_months=2, extension_days=20, grace_days=8,
        )
        for rule in ("sequential", "parallel")
        for notice in (False, True)
        for zone in ("Europe/Berlin", "Australia/Lord_Howe")
    ]  # fmt: skip

    def moment(first: int = -10, last: int = 130) -> datetime:
        """Whole days meet, others do not."""
        return begin + choose.choice([days(choose.randint(first, last)), days(choose.uniform(first, last))])

    seen = set()
    for lead_id in range(1, 151):
        changed_at = moment(5, 60)
        has_past = choose.random() < 0.3
        closed_at = moment(60) if choose.random() < 0.1 else None
        insert_lead(
            unchecked,
            lead_id,
            changed_at if has_past else begin,
            policy_id=choose.choice(policies),
            closed_at=closed_at,
        )
        if has_past:
            insert_history(unchecked, lead_id, [(changed_at, choose.choice((7, 9)), policies[0], begin, None)])
        for user_id in (7, 9) if has_past else (7,):
            holds: list[tuple[datetime, datetime | None]] = []
            for _ in range(choose.randint(0, 4)):
                start_at = moment()
                holds.append(
                    (start_at, max(start_at, choose.choice([moment(), start_at + days(choose.uniform(0, 9))])))
                )
            if choose.random() < 0.3:
                holds.append((moment(), None))
            insert_holds(unchecked, lead_id, holds, user_id)
            insert_extensions(unchecked, lead_id, [(moment(), 3) for _ in range(choose.randint(0, 2))], user_id)
            kinds = ("QUALIFIED_CALL", "EMAIL_SENT")
            insert_activities(
                unchecked, lead_id, [(moment(), choose.choice(kinds)) for _ in range(choose.randint(0, 3))], user_id
            )
            insert_reminders(unchecked, lead_id, [moment(50) for _ in range(choose.randint(0, 2))], user_id)
        for as_of in [moment(0, 160) for _ in range(3)]:
            steps = explain(unchecked, as_of, lead_id)
            shown = unchecked.execute(
                f"SELECT {SHOWN} FROM lead_protection.protection_as_of(%s) WHERE lead_id = %s", (as_of, lead_id)
            ).fetchone()
            if shown is None:
                assert [step["item"] for step in steps] == ["NOT_PROTECTED"]
                continue
            assert (steps[-1]["expires_at"], only(steps, "REMINDER")["from_at"]) == in_utc((shown[0], shown[3]))
            assert end_reached(steps) == steps[-1]["expires_at"], (lead_id, as_of)
            assert f": {shown[1]}, {'' if shown[2] else 'not '}on hold. " in steps[-1]["explanation"]
            seen.add(shown[1:3])
    states = ("PROTECTED", "REMINDER_DUE", "GRACE")
    assert seen == {(state, on_hold) for state in states for on_hold in (False, True)} | {
        ("EXPIRED", False),
        ("CLOSED", False),
    }


@pytest.mark.parametrize(
    "setting",
    [
        "TimeZone = 'Australia/Lord_Howe'",
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'sql_standard'",
        "search_path = pg_temp, public",
        "extra_float_digits = 0",
    ],
)
def test_no_setting_of_the_session_changes_the_explanation(unchecked, setting):
    notice_lead(unchecked, rule="parallel")
    insert_holds(unchecked, 1, [("2025-03-20T00:00:00Z", "2025-04-20T00:00:00.5Z"), ("2025-04-01Z", "2025-04-30Z")])
    insert_reminders(unchecked, 1, ["2025-06-20T12:00:00Z"])
    query = "SELECT lead_protection.explain_protection_json(1, '2025-06-21T00:00:00Z')::text"
    before = unchecked.execute(query).fetchone()
    unchecked.execute(f"SET LOCAL {setting}")
    assert unchecked.execute(query).fetchone() == before


def test_now_is_the_default(db):
    insert_lead(db, 1, datetime.now(UTC) - days(30))
    with db.transaction():
        view = db.execute("SELECT protection_expires_at FROM lead_protection.v_user_lead_protection").fetchone()
        steps = db.execute("SELECT expires_at FROM lead_protection.explain_protection(1)").fetchall()
        answer = db.execute(
            "SELECT lead_protection.explain_protection_json(1) = lead_protection.explain_protection_json(1, now())"
        )
        assert steps[-1] == view
        assert answer.fetchone() == (True,)


@pytest.mark.parametrize("function", ["explain_protection", "explain_protection_json"])
@pytest.mark.parametrize(
    ("lead_id", "as_of", "sqlstate"),
    [
        (None, "2025-06-01Z", "LP001"),
        (1, None, "LP001"),
        (2, "2025-06-01Z", "LP002"),
        (1, "infinity", "LP005"),
        (1, "-infinity", "LP005"),
        (1, "1899-12-31 23:59:59Z", "LP005"),
        (1, "3000-01-01 00:00Z", "LP005"),
    ],
)
def test_bad_input_is_refused(db, function, lead_id, as_of, sqlstate):
    insert_lead(db, 1, START)
    with pytest.raises(psycopg.Error) as caught:
        db.execute(f"SELECT * FROM lead_protection.{function}(%s, %s)", (lead_id, as_of))
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint


@pytest.mark.parametrize("role", ["app", "operator", "monitor"])
def test_who_may_ask(db, role):
    insert_lead(db, 1, START)
    db.execute(f"SET ROLE lead_protection_{role}")
    assert db.execute("SELECT count(*) FROM lead_protection.explain_protection(1)").fetchone()[0] > 3
    assert db.execute("SELECT lead_protection.explain_protection_json(1) ->> 'lead_id'").fetchone() == ("1",)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("SELECT * FROM lead_protection.explain_steps(1, now())")
