"""Running the jobs and reading what they say they did."""

from psycopg.rows import tuple_row


def last_run(db) -> tuple:
    """Outcome and result of the last run of either job, but for the rows that it sealed: see tests/seals."""
    with db.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(
            "SELECT outcome, result - 'log_sealed' FROM lead_protection.job_runs ORDER BY id DESC LIMIT 1"
        ).fetchone()


def call_pipeline(db, as_of=None, **named) -> None:
    """Call the pipeline; for an instant in the past in a database that is marked for drills."""
    if as_of is None:
        given = ", ".join(f"{name} => %({name})s" for name in named)
        db.execute(f"CALL lead_protection.run_protection_pipeline({given})", named)
        return
    db.execute("UPDATE lead_protection.settings SET for_drills = true")
    given = ", ".join(f"{name} => %({name})s" for name in ("as_of", *named))
    db.execute(f"CALL lead_protection.run_protection_drill({given})", {"as_of": as_of} | named)


def run_pipeline(db, as_of=None) -> dict:
    """Run the pipeline, which must succeed, and return its counts."""
    call_pipeline(db, as_of)
    outcome, result = last_run(db)
    assert outcome == "succeeded", result
    return result


def run_nightly(db) -> dict:
    """Run the nightly job, which must succeed, and return its counts."""
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    outcome, result = last_run(db)
    assert outcome == "succeeded", result
    return result


def repeat_now(db) -> None:
    """Run the pipeline as if the pauses after failed deliveries were over."""
    db.execute("UPDATE lead_protection.reminder_deliveries SET retry_at = now() WHERE retry_at IS NOT NULL")
    run_pipeline(db)
