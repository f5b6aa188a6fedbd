"""A dry run is doing it, without doing it: the same answer, the same errors, and nothing left behind."""

import random
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from helpers.calls import make_policy
from helpers.facts import ago, insert_holds, insert_lead, insert_lead_of_age
from helpers.jobs import call_pipeline
from helpers.project import cases
from helpers.rows import written

# A start, and holds that begin and end, at whole days from now: instants meet, and nothing shown moves with time.
STATES = (0, 30, 100, 240, 249, 252, 300)


def answer(db, function, *arguments) -> Any:
    """The rows that a function answers, without what each call has of its own; or its SQLSTATE."""
    try:
        rows = db.cursor(row_factory=dict_row).execute(f"SELECT * FROM lead_protection.{function}", arguments)
    except psycopg.Error as error:
        assert error.diag.message_detail and error.diag.message_hint
        return error.sqlstate
    own = {"decided_at", "hold_id", "created_at"}
    return [{name: value for name, value in row.items() if name not in own} for row in rows]


def did(row: dict) -> bool:
    """Whether the call says that it did something."""
    return row["created"] if "created" in row else row["changed"]


def look(db, lead_ids) -> dict[int, tuple]:
    """What the leads show."""
    rows = db.execute(
        "SELECT lead_id, state, on_hold, protection_expires_at, reminder_due_at"
        " FROM lead_protection.v_user_lead_protection WHERE lead_id = ANY(%s)",
        (list(lead_ids),),
    )
    return {lead_id: tuple(row) for lead_id, *row in rows}


def world(db, seed: int) -> tuple[random.Random, list[int]]:
    """Leads in many situations: ages, policies, bounded holds, reminders, some expired, closed or transferred."""
    chance = random.Random(seed)
    policies = [
        1,
        make_policy(db, "parallel", rule="parallel", base_months=12),
        make_policy(db, "noticed", base_months=1, notice_required=True, time_zone="America/New_York"),
    ]
    lead_ids = list(range(1, 13))
    for lead_id in lead_ids:
        insert_lead(db, lead_id, ago(chance.choice(STATES)), policy_id=chance.choice(policies))
        for _ in range(chance.randrange(3)):
            start = chance.randrange(-20, 100)
            insert_holds(db, lead_id, [(ago(start), ago(start - chance.choice([1, 5, 30])))])
    call_pipeline(db, ago(2))
    for lead_id in chance.sample(lead_ids, 2):
        db.execute("SELECT lead_protection.close_lead(%s, 7, 'LOST', 'x', 5)", (lead_id,))
    if seed % 2:
        db.execute("SELECT lead_protection.transfer_lead(%s, 7, 8, 'x', 5)", (chance.choice(lead_ids),))
    return chance, lead_ids


def shown_as_foreseen(foreseen: dict, before: dict, after: dict) -> None:
    """Before and after of the dry run are what was seen before doing it, and is seen after."""
    for end, seen in (("before", before), ("after", after)):
        state, on_hold, expires_at, due_at = seen[foreseen["lead_id"]]
        assert (foreseen[f"state_{end}"], foreseen[f"on_hold_{end}"]) == (state, on_hold)
        assert foreseen[f"reminder_due_{end}"] == due_at
        # Where a reminder is owed, the expiry is shown as if that went out now.
        owed = timedelta(seconds=30) if state == "REMINDER_DUE" else timedelta(0)
        assert abs(foreseen[f"expires_{end}"] - expires_at) <= owed


@pytest.mark.parametrize("seed", range(cases(4, usual=1, fast=1)))
@pytest.mark.slow("a world of random facts")
def test_a_hold_does_what_was_foreseen(db, seed):
    chance, lead_ids = world(db, seed)
    arguments, outcomes = "%s, 7, 'x', 5, %s, %s", set()
    for _ in range(30):
        lead_id, start = chance.choice(lead_ids), chance.randrange(-10, 30)
        start_at, end_at = ago(start), ago(start - chance.choice([-1, 1, 4, 20]))
        before, rows = look(db, lead_ids), written(db)
        foreseen = answer(db, f"create_lead_hold({arguments}, dry_run => true)", lead_id, start_at, end_at)
        assert written(db) == rows
        done = answer(db, f"create_lead_hold({arguments})", lead_id, start_at, end_at)
        if isinstance(done, str):
            assert foreseen == done
            outcomes.add(done)
            continue
        assert foreseen[0]["created"] is done[0]["created"] is True
        shown_as_foreseen(foreseen[0], before, look(db, lead_ids))
        if "REMINDER_DUE" not in (foreseen[0]["state_before"], foreseen[0]["state_after"]):
            assert foreseen == done
        outcomes.add("made")
        again = answer(db, f"create_lead_hold({arguments}, dry_run => true)", lead_id, start_at, end_at)
        assert again[0]["created"] is False and again[0]["expires_before"] == again[0]["expires_after"]
    assert "made" in outcomes and len(outcomes) > 2


def test_an_open_hold_is_foreseen_by_its_state(db):
    """From now on, or from long ago: the state is frozen where it would begin."""
    for start_at, state in ((None, "REMINDER_DUE"), (ago(20), "PROTECTED")):
        lead_id = 1 if start_at is None else 2
        insert_lead_of_age(db, lead_id, 249)
        before = look(db, [lead_id])
        (foreseen,) = answer(db, "create_lead_hold(%s, 7, 'x', 5, %s, dry_run => true)", lead_id, start_at)
        assert (foreseen["state_before"], foreseen["on_hold_before"]) == before[lead_id][:2]
        assert (foreseen["state_after"], foreseen["on_hold_after"]) == (state, True)
        assert foreseen["reminder_due_after"] is None and foreseen["created"]
        answer(db, "create_lead_hold(%s, 7, 'x', 5, %s)", lead_id, start_at)
        assert look(db, [lead_id])[lead_id][:2] == (state, True)
        moved = look(db, [lead_id])[lead_id][2] - foreseen["expires_after"]
        assert timedelta(0) <= moved < timedelta(seconds=30)
        assert answer(db, "create_lead_hold(%s, 7, 'x', 5, dry_run => true)", lead_id)[0]["created"] is False


@pytest.mark.parametrize("seed", range(cases(4, usual=1, fast=1)))
@pytest.mark.slow("a world of random facts")
def test_an_extension_does_what_was_foreseen(db, seed):
    chance, lead_ids = world(db, seed)
    outcomes = set()
    for number in range(30):
        lead_id, days = chance.choice(lead_ids), chance.choice([0, 1, 3, 10, 25, 60, 61])
        before, rows = look(db, lead_ids), written(db)
        foreseen = answer(db, "extend_lead(%s, 7, %s, 'x', 6, 5, %s, true)", lead_id, days, f"k{number}")
        assert written(db) == rows
        done = answer(db, "extend_lead(%s, 7, %s, 'x', 6, 5, %s)", lead_id, days, f"k{number}")
        if isinstance(done, str):
            assert foreseen == done
            outcomes.add(done)
            continue
        assert foreseen[0]["changed"] is done[0]["changed"] is True
        shown_as_foreseen(foreseen[0], before, look(db, lead_ids))
        if "REMINDER_DUE" not in (foreseen[0]["state_before"], foreseen[0]["state_after"]):
            assert foreseen == done
        outcomes.add("made")
    assert "made" in outcomes and len(outcomes) > 2


@pytest.mark.parametrize("seed", range(cases(4, usual=1, fast=1)))
@pytest.mark.slow("a world of random facts")
def test_a_policy_move_does_what_was_foreseen(db, seed):
    chance, lead_ids = world(db, seed)
    target = make_policy(db, "target", base_months=chance.choice([1, 3, 8]), extension_days=30, rule="parallel")
    some = [*chance.sample(lead_ids, 8), *chance.sample(lead_ids, 3)]
    before, rows = look(db, lead_ids), written(db)
    foreseen = answer(db, "move_leads_to_policy(%s, %s, 'x', 5, true)", some, target)
    assert written(db) == rows
    done = answer(db, "move_leads_to_policy(%s, %s, 'x', 5)", some, target)
    assert [row["lead_id"] for row in foreseen] == [row["lead_id"] for row in done] == sorted(set(some))
    assert [row["changed"] for row in foreseen] == [row["changed"] for row in done]
    assert {row["changed"] for row in foreseen} == {True, False}
    after = look(db, lead_ids)
    for row in foreseen:
        shown_as_foreseen(row, before, after)
    assert answer(db, "move_leads_to_policy(%s, %s, 'x', 5, true)", [], target) == []


def test_the_leads_whose_expiry_changes(db):
    """What the manual tells to ask: a longer contract changes those that run, and none that are over."""
    for lead_id, days in enumerate((100, 249, 300), start=1):
        insert_lead_of_age(db, lead_id, days)
    changing = db.execute(
        "SELECT lead_id, state_before, state_after"
        " FROM lead_protection.move_leads_to_policy('{1,2,3}', %s, 'x', 5, dry_run => true)"
        " WHERE expires_after IS DISTINCT FROM expires_before",
        (make_policy(db, "longer", base_months=24),),
    ).fetchall()
    assert changing == [(1, "PROTECTED", "PROTECTED"), (2, "REMINDER_DUE", "PROTECTED")]


@pytest.fixture
def three(db):
    """A protected lead, with a hold that is over, an expired and a closed one."""
    for lead_id, days in enumerate((100, 300, 100), start=1):
        insert_lead_of_age(db, lead_id, days)
    insert_holds(db, 1, [(ago(20), ago(10))])
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 3")
    make_policy(db, "another", base_months=12)


# All arguments of a call but the last, dry_run.
CALLS = [
    "create_lead_hold(1, 7, 'x', 5, now() - INTERVAL '5 days', now() - INTERVAL '1 day'{})",
    "correct_lead_hold(1, 1, now() - INTERVAL '25 days', now() - INTERVAL '9 days', 'x', 5{})",
    "void_lead_hold(1, 1, 'x', 5{})",
    "extend_lead(1, 7, 5, 'x', 6, 5, 'k0'{})",
    "move_leads_to_policy('{{1,2}}', 2, 'x', 5{})",
]
DRY = ", dry_run => true"


@pytest.mark.parametrize("call", CALLS)
def test_a_dry_run_answers_what_the_call_answers_and_changes_nothing(db, three, call):
    # In one transaction, where now() is one instant.
    with db.transaction():
        rows = written(db)
        foreseen = answer(db, call.format(DRY))
        assert written(db) == rows
        assert answer(db, call.format(DRY)) == foreseen
        done = answer(db, call.format(", dry_run => false"))
        assert did(done[0]) is True and done[0]["expires_before"] != done[0]["expires_after"]
        assert foreseen == done
        assert written(db) != rows


@pytest.mark.parametrize("call", CALLS)
def test_whether_it_is_a_dry_run_must_be_said(db, three, call):
    rows = written(db)
    assert answer(db, call.format(", dry_run => NULL")) == "LP001"
    assert written(db) == rows


ERRORS = [
    ("LP001", "create_lead_hold(NULL, 7, 'x', 5{})"),
    ("LP001", "create_lead_hold(1, NULL, 'x', 5{})"),
    ("LP002", "create_lead_hold(99, 7, 'x', 5{})"),
    ("LP003", "create_lead_hold(1, 8, 'x', 5{})"),
    ("LP004", "create_lead_hold(1, 7, ' ', 5{})"),
    ("LP005", "create_lead_hold(1, 7, 'x', 5, 'infinity'{})"),
    ("LP006", "create_lead_hold(1, 7, 'x', 5, '2026-01-02', '2026-01-02'{})"),
    ("LP007", "create_lead_hold(1, 7, 'x', 5, now() + INTERVAL '1 hour'{})"),
    ("LP008", "create_lead_hold(2, 7, 'x', 5{})"),
    ("LP009", "create_lead_hold(3, 7, 'x', 5{})"),
    ("LP001", "correct_lead_hold(1, NULL, now(), NULL, 'x', 5{})"),
    ("LP004", "correct_lead_hold(1, 1, now(), NULL, NULL, 5{})"),
    ("LP035", "correct_lead_hold(1, 2, now(), NULL, 'x', 5{})"),
    ("LP001", "void_lead_hold(1, NULL, 'x', 5{})"),
    ("LP033", "void_lead_hold(99, 1, 'x', 5{})"),
    ("LP035", "void_lead_hold(1, 2, 'x', 5{})"),
    ("LP001", "extend_lead(1, 7, NULL, 'x', 6, 5, 'k'{})"),
    ("LP001", "extend_lead(NULL, 7, 1, 'x', 6, 5, 'k'{})"),
    ("LP002", "extend_lead(99, 7, 1, 'x', 6, 5, 'k'{})"),
    ("LP003", "extend_lead(1, 8, 1, 'x', 6, 5, 'k'{})"),
    ("LP008", "extend_lead(2, 7, 1, 'x', 6, 5, 'k'{})"),
    ("LP009", "extend_lead(3, 7, 1, 'x', 6, 5, 'k'{})"),
    ("LP023", "extend_lead(1, 7, 0, 'x', 6, 5, 'k'{})"),
    ("LP024", "extend_lead(1, 7, 61, 'x', 6, 5, 'k'{})"),
    ("LP001", "move_leads_to_policy(NULL, 1, 'x', 5{})"),
    ("LP001", "move_leads_to_policy('{{NULL}}', 1, 'x', 5{})"),
    ("LP001", "move_leads_to_policy('{{1}}', NULL, 'x', 5{})"),
    ("LP002", "move_leads_to_policy('{{1,99}}', 1, 'x', 5{})"),
    ("LP004", "move_leads_to_policy('{{1}}', 1, '', 5{})"),
    ("LP019", "move_leads_to_policy('{{1}}', 99, 'x', 5{})"),
]


@pytest.mark.parametrize("dry", [DRY, ""])
def test_the_errors_are_those_of_the_call(db, three, dry):
    rows = written(db)
    assert [answer(db, call.format(dry)) for _, call in ERRORS] == [sqlstate for sqlstate, _ in ERRORS]
    assert written(db) == rows


@pytest.mark.parametrize("call", CALLS)
def test_a_dry_run_keeps_no_lock(db, connect, three, call):
    """Its transaction is still open, and others can change the lead, move its policy and clean up."""
    looking, other = connect(autocommit=False), connect()
    assert did(answer(looking, call.format(DRY))[0])
    for table in ("leads", "lead_clocks", "protection_policies"):
        other.execute(f"SELECT * FROM lead_protection.{table} FOR UPDATE NOWAIT")
    with other.transaction():
        other.execute("LOCK TABLE lead_protection.leads IN EXCLUSIVE MODE NOWAIT")
    other.execute("SELECT lead_protection.extend_lead(1, 7, 1, 'x', 6, 5, 'k')")
    # And it sees that at its next look, as any statement does.
    now = look(db, [1])[1][2]
    assert answer(looking, call.format(DRY))[0]["expires_before"] == now
    looking.rollback()


@pytest.mark.parametrize("call", CALLS)
def test_a_dry_run_leaves_the_rest_of_its_transaction_alone(db, three, call):
    with db.transaction():
        db.execute("SELECT lead_protection.extend_lead(1, 7, 3, 'x', 6, 5, 'before')")
        answer(db, call.format(DRY))
        db.execute("SELECT lead_protection.extend_lead(1, 7, 4, 'x', 6, 5, 'after')")
    days = db.execute("SELECT array_agg(days ORDER BY id) FROM lead_protection.lead_extensions").fetchone()[0]
    assert days == [3, 4]
    assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []


@pytest.mark.parametrize("call", CALLS)
def test_no_code_of_its_own_leaves_a_dry_run(db, three, call):
    """What undoes it must catch that alone: neither let it out nor take an error of the function for it."""
    for refresh in ("refresh_lead_clocks", "refresh_held_clocks"):
        db.execute(
            f"CREATE OR REPLACE FUNCTION lead_protection.{refresh}(lead_ids bigint[]) RETURNS void"
            " LANGUAGE plpgsql AS $$"
            " BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = 'LP042', DETAIL = 'd', HINT = 'h'; END $$"
        )
    assert answer(db, call.format(DRY)) == "LP042"
