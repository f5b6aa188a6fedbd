"""Runs that are not at work any more and could not say so: the next run of any job sees it, whoever has the process."""

import pytest

from helpers.calls import row
from helpers.jobs import run_nightly, run_pipeline

PIPELINE, NIGHTLY = "lead-protection-reminders", "lead-protection-nightly"


def outcomes(db) -> list[str]:
    return [outcome for (outcome,) in db.execute("SELECT outcome FROM lead_protection.job_runs ORDER BY id")]


def hanging(db) -> tuple[str, str]:
    found = row(db, "SELECT status, found FROM lead_protection.health WHERE check_name = 'job_hanging'")
    return found["status"], found["found"]


def start(connection, job: str = PIPELINE) -> int:
    ((run_id,),) = connection.execute("SELECT lead_protection.start_job_run(%s)", (job,)).fetchall()
    return run_id


def pass_time(db, interval: str) -> None:
    db.execute(
        "UPDATE lead_protection.job_runs SET started_at = started_at - %s::interval,"
        " stepped_at = stepped_at - %s::interval WHERE outcome = 'running'",
        (interval, interval),
    )


@pytest.mark.parametrize("job", [PIPELINE, NIGHTLY])
def test_a_run_whose_process_number_another_connection_has(db, connect, job):
    """The server was restarted, and the system gave out the number once more: it is seen by the next run of any job."""
    other = connect()
    start(other, job)
    pass_time(db, "2 hours")
    status, found = hanging(db)
    assert status == "critical"
    assert found.endswith(f", says the table, but process {other.info.backend_pid} is not at it")
    run_pipeline(db)
    assert outcomes(db) == ["abandoned", "succeeded"] and hanging(db) == ("ok", "no run is at work")


def test_a_run_that_was_cancelled_between_two_steps(db, connect):
    """No step could say so, and psql is still there."""
    cancelled = connect()
    run_id = start(cancelled)
    cancelled.execute("SELECT lead_protection.run_job_step(%s)", (run_id,))
    pass_time(db, "2 minutes")
    run_nightly(db)
    assert outcomes(db) == ["abandoned", "succeeded"]
    assert cancelled.execute("SELECT lead_protection.run_job_step(%s)", (run_id,)).fetchone() == (False,)
    assert outcomes(db) == ["abandoned", "succeeded"], "what is over stays over"


def test_a_run_that_begins_or_is_between_two_steps_is_left_alone(db, connect):
    at_work = connect()
    run_id = start(at_work)
    run_pipeline(db)
    at_work.execute("SELECT lead_protection.run_job_step(%s)", (run_id,))
    pass_time(db, "50 seconds")
    run_pipeline(db)
    assert outcomes(db) == ["running", "succeeded", "succeeded"]


def test_a_long_step_is_left_alone(db, connect):
    """It holds the lock of its job, however long it takes; so the other run leaves."""
    at_work = connect(autocommit=False)
    run_id = start(at_work)
    at_work.commit()
    pass_time(db, "2 hours")
    at_work.execute("SELECT lead_protection.run_job_step(%s)", (run_id,))
    status, found = hanging(db)
    assert (status, found.endswith(f", in process {at_work.info.backend_pid}")) == ("critical", True)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    run_nightly(db)
    assert outcomes(db) == ["running", "skipped", "succeeded"]
    at_work.commit()
    while at_work.execute("SELECT lead_protection.run_job_step(%s)", (run_id,)).fetchone()[0]:
        at_work.commit()
    at_work.commit()
    assert outcomes(db) == ["succeeded", "skipped", "succeeded"]
