"""A pause: no job does anything until somebody resumes; who paused, when and why; nothing is lost."""

from datetime import UTC

import psycopg
import pytest

from helpers.calls import call_row
from helpers.facts import (
    EXPIRED,
    PIPELINE_IDLE,
    PROTECTED,
    REMINDER_DUE,
    events,
    insert_leads_of_age,
)
from helpers.jobs import last_run


def said(db, invocation: str) -> tuple:
    """What a call answered."""
    return tuple(call_row(db, invocation).values())


def log(db) -> list[tuple]:
    return db.execute("SELECT action, actor_id, reason FROM lead_protection.pause_log ORDER BY id").fetchall()


@pytest.fixture
def leads(db) -> None:
    """One is protected, one due, one expired."""
    insert_leads_of_age(db, PROTECTED, REMINDER_DUE, EXPIRED)


@pytest.mark.parametrize("job", ["run_protection_pipeline", "run_nightly_maintenance"])
def test_a_paused_job_leaves_says_why_and_does_nothing(db, leads, job):
    db.execute("UPDATE lead_protection.lead_clocks SET reminded_at = '2020-01-01' WHERE lead_id = 1")
    changed, since, by, reason = said(db, "pause_protection('a restore is examined', 901)")
    assert (changed, by, reason) == (True, 901, "a restore is examined")

    db.execute(f"CALL lead_protection.{job}()")

    outcome, result = last_run(db)
    assert outcome == "skipped"
    utc = since.astimezone(tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert result == {"waiting": f"paused by 901 at {utc}: a restore is examined"}
    assert events(db) == []
    assert db.execute("SELECT count(*) FROM lead_protection.find_clock_drift()").fetchone() == (1,)


def test_after_resuming_the_next_run_does_all_that_is_due(db, leads):
    said(db, "pause_protection('x', 901)")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert said(db, "resume_protection(902)") == (True, None, None, None)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert last_run(db) == ("succeeded", PIPELINE_IDLE | {"reminders": 1, "expiries": 1})
    assert log(db) == [("paused", 901, "x"), ("resumed", 902, None)]


def test_repeated_calls_change_nothing_and_say_so(db):
    first = said(db, "pause_protection('first', 901)")
    assert said(db, "pause_protection('second', 902)") == (False, *first[1:])
    assert said(db, "resume_protection(903)")[0] is True
    assert said(db, "resume_protection(904)")[0] is False
    assert log(db) == [("paused", 901, "first"), ("resumed", 903, None)]


def test_a_run_under_way_ends_with_the_batch_at_work(db, leads, connect):
    """The trigger of somebody else's table pauses in the middle: the expiry's batch is kept, no reminder goes out."""
    db.execute("""
        CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM lead_protection.pause_protection('in the middle', 901);
            RETURN NULL;
        END $$;
        CREATE TRIGGER pause AFTER INSERT ON lead_protection.lead_expiries
        FOR EACH STATEMENT EXECUTE FUNCTION public.pause()
    """)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    outcome, result = last_run(db)
    assert outcome == "succeeded"
    assert result.pop("waiting").endswith("in the middle")
    assert result == {"adopted_rows": 0, "reactivations": 0, "expiries": 1}
    assert events(db) == ["lead.protection.expired"]


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("pause_protection(NULL, 901)", "LP060"),
        ("pause_protection('', 901)", "LP060"),
        ("pause_protection(E' \\t', 901)", "LP060"),
        ("pause_protection(repeat('x', 256), 901)", "LP060"),
        ("pause_protection('x', NULL)", "LP001"),
        ("resume_protection(NULL)", "LP001"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(db, statement, sqlstate):
    with pytest.raises(psycopg.Error) as error:
        said(db, statement)
    assert error.value.sqlstate == sqlstate
    assert error.value.diag.message_detail and error.value.diag.message_hint
    assert log(db) == [] and said(db, "waiting_reason()") == (None,)


def test_functions_that_change_a_lead_work_while_paused(db, leads):
    said(db, "pause_protection('x', 901)")
    assert said(db, "create_lead_hold(1, 7, 'x', 1)") is not None
    assert events(db, 1) == ["lead.hold.created"]
