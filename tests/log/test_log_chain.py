"""Each log row bears its number in the lead, and is sealed with a hash over it and the one before: however written."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from helpers import log_form
from helpers.calls import call, row, rows
from helpers.facts import EXPIRED, NIGHTLY_IDLE, PROTECTED, REMINDER_DUE, insert_leads_of_age
from helpers.jobs import run_nightly, run_pipeline
from helpers.project import PROJECT
from helpers.seals import seal

VERIFY = "SELECT lead_id, log_number, problem FROM lead_protection.verify_protection_log(%s)"
AS_A_REPLICA = "SET session_replication_role = replica"


def log_by_hand(db, lead_id, **columns) -> None:
    """Write one log row as it is given, by the trigger alone."""
    columns = {"lead_id": lead_id, "event_type": "lead.closed", "occurred_at": "2026-01-01Z"} | columns
    names = ", ".join(columns)
    marks = ", ".join(f"%({name})s" for name in columns)
    db.execute(f"INSERT INTO lead_protection.protection_log ({names}) VALUES ({marks})", columns)


def proved(db) -> list[dict]:
    """Seal the log; check it against the second writing of its form, and by its own word; return its rows."""
    seal(db)
    logged = log_form.log_rows(db)
    assert logged and log_form.broken(logged) == [] and db.execute(VERIFY, (None,)).fetchall() == []
    return logged


def test_what_functions_and_jobs_log_is_chained(db):
    insert_leads_of_age(db, PROTECTED, REMINDER_DUE, EXPIRED, PROTECTED)
    db.execute("INSERT INTO lead_protection.leads (id, user_id) SELECT 10 + n, 7 FROM generate_series(1, 3) AS n")
    call(db, "create_lead_hold", 1, 7, "Grüße von „drüben“", 5)
    call(db, "backdate_lead", 4, 7, row(db, "SELECT now() - INTERVAL '120 days' AS t")["t"], "x", "Brief, 3. Mai", 5)
    run_pipeline(db)
    call(db, "transfer_lead", 1, 7, 8, "x", 5)
    logged = proved(db)
    assert [(r["log_number"], r["event_type"]) for r in logged if r["lead_id"] == 1] == [
        (1, "lead.hold.created"), (2, "lead.hold.released"), (3, "lead.protection.transferred"),
    ]  # fmt: skip
    assert all(r["chained_at"] is None for r in logged)
    salts = [bytes(r["texts_salt"]) for r in logged]
    assert len(set(salts)) == len(salts) and {len(s) for s in salts} == {16}


@pytest.mark.made_up_events("the trigger alone is looked at")
def test_several_rows_of_one_lead_in_one_statement_are_chained_in_their_order(db):
    insert_leads_of_age(db, PROTECTED, PROTECTED)
    for lead_id in (1, 2):
        for days in range(3):
            call(
                db, "create_lead_hold", lead_id=lead_id, user_id=7, reason="x", actor_id=5,
                start_at=row(db, "SELECT now() + %s * INTERVAL '10 days' AS t", days + 1)["t"],
                end_at=row(db, "SELECT now() + %s * INTERVAL '10 days' AS t", days + 2)["t"],
            )  # fmt: skip
    db.execute("SELECT count(*) FROM lead_protection.transfer_leads('k', 8, 'x', 5, '{1,2}')")
    logged = proved(db)
    assert [r["log_number"] for r in logged] == [*range(1, 8)] * 2
    # In the outbox each lead's events come in the order of its chain.
    events = rows(db, "SELECT id FROM lead_protection.outbox_events WHERE aggregateid = '1' ORDER BY sequence_number")
    assert [e["id"] for e in events] == [r["event_id"] for r in logged if r["lead_id"] == 1]
    # By the trigger alone, too.
    db.execute(
        "INSERT INTO lead_protection.protection_log (lead_id, event_type, occurred_at, reason)"
        " SELECT 1 + n % 2, 'lead.closed', now(), 'x' FROM generate_series(1, 10) AS n"
    )
    assert [r["log_number"] for r in proved(db)] == [*range(1, 13)] * 2


@pytest.mark.made_up_events("values of all kinds, which no function writes")
def test_values_of_all_kinds_have_one_written_form(db):
    insert_leads_of_age(db, PROTECTED)
    for details in (
        "{}",
        '{"a": {"b": [1, 2.50, {"c": null}], "ä": "ü"}, "evidence": "Hüter", "zz": true, "n": -0.10}',
        '{"x": [], "y": {}, "z": null, "q": 1e20, "r": 1.5e-7, "": "", "s": "\\u0007\\n\\"\\\\ \\ud83d\\ude00"}',
        '{"evidence": "1", "bb": "2", "a": "3", "ab": "4", "ä": "5"}',
    ):
        log_by_hand(db, 1, details=details, reason="3:abc")
    for instant in ("1960-01-01 00:00:00.5Z", "2000-01-01Z", "1969-12-31 23:59:59.999999Z", "2999-12-31 12:00:00.1Z"):
        log_by_hand(db, 1, expires_after=instant, expires_before=instant, actor_id=-5, state_after="CLOSED")
    assert len(proved(db)) == 8
    # Python has no such instants.
    for instant in ("infinity", "-infinity"):
        log_by_hand(db, 1, expires_after=instant)
    assert db.execute(VERIFY, (1,)).fetchall() == []


def test_the_form_does_not_hang_on_the_session(db, connect):
    insert_leads_of_age(db, PROTECTED)
    other = connect()
    other.execute(
        "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German'; SET client_encoding = 'LATIN1';"
        " SET bytea_output = 'escape'; SET extra_float_digits = 0; SET lc_numeric = 'C'"
    )
    other.execute("SELECT count(*) FROM lead_protection.create_lead_hold(1, 7, 'Grüße', 5)")
    proved(db)
    assert other.execute(VERIFY, (None,)).fetchall() == []


def test_the_documented_example_is_what_is_written(db):
    page = (PROJECT / "docs" / "log-format.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^`(\{.*\})` is written as$", page, re.MULTILINE)
    (written,) = re.findall(r"^```text\n(.*)\n```$", page, re.MULTILINE)
    assert row(db, "SELECT lead_protection.written_json(%s) AS w", example)["w"] == f"{len(written)}:{written}"


def test_a_row_of_the_page_has_its_hash(db):
    """The row by itself, made of the page's own fields: a vector for whoever writes a program for it."""
    form = (
        b"21:lead-protection log 1" b"2:42" b"1:1" b"36:00000000-0000-4000-8000-000000000001" b"11:lead.closed"
        b"1:7" b"1:5" b"16:0002ea4f6cacc800" b"16:0002ea4f6cacc801" b"9:PROTECTED" b":" b"6:CLOSED" b":"
        b"3:app" b":" b":" b":" b"21:7:outcomestring4:LOST"
    )  # fmt: skip
    computed = row(
        db,
        "SELECT lead_protection.log_row_hash(NULL, lead_protection.log_row_digest(g)) AS first,"
        " lead_protection.log_row_hash(sha256('before'), lead_protection.log_row_digest(g)) AS later"
        " FROM jsonb_populate_record(NULL::lead_protection.protection_log, %s) AS g",
        '{"lead_id": 42, "log_number": 1, "event_id": "00000000-0000-4000-8000-000000000001",'
        ' "event_type": "lead.closed", "user_id": 7, "actor_id": 5, "occurred_at": "2026-01-01 10:00:00Z",'
        ' "recorded_at": "2026-01-01 10:00:00.000001Z", "state_before": "PROTECTED", "state_after": "CLOSED",'
        ' "session_role": "app", "details": {"outcome": "LOST"}}',
    )
    digest, before = hashlib.sha256(form).digest(), hashlib.sha256(b"before").digest()
    assert bytes(computed["first"]) == hashlib.sha256(digest).digest()
    assert bytes(computed["later"]) == hashlib.sha256(before + digest).digest()


def test_rollbacks_and_savepoints_leave_no_gap(db):
    insert_leads_of_age(db, PROTECTED)
    with db.transaction():
        call(db, "create_lead_hold", 1, 7, "x", 5)
        with db.transaction(force_rollback=True):
            call(db, "release_lead_hold", 1, 7, 5)
        with pytest.raises(psycopg.Error), db.transaction():
            call(db, "close_lead", 1, 7, "LOST", "x", 5)
            call(db, "close_lead", 1, 9, "LOST", "x", 5)
        call(db, "release_lead_hold", 1, 7, 5)
    with db.transaction(force_rollback=True):
        call(db, "close_lead", 1, 7, "LOST", "x", 5)
    call(db, "create_lead_hold", lead_id=1, user_id=7, reason="x", actor_id=5, dry_run=True)
    assert [r["log_number"] for r in proved(db)] == [1, 2]


def test_many_sessions_at_one_lead_make_one_chain(db, connect):
    insert_leads_of_age(db, PROTECTED, PROTECTED)

    def work(connection):
        for n in range(8):
            number = 1 + n % 2
            call(connection, "create_lead_hold", number, 7, "x", 5)
            call(connection, "release_lead_hold", number, 7, 5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [connect() for _ in range(4)]))
    proved(db)


CALLS = (
    "protect_lead(7, 5, 'key', NULL, 100)",
    "create_lead_hold(1, 7, 'x', 5)",
    "transfer_lead(1, 7, 8, 'x', 5)",
    "extend_lead(2, 7, 30, 'x', 2, 5, 'key')",
    "hold_leads('k', 'x', 5, '{1,2,3}')",
    "release_leads('r', 5, '{1,2,3}')",
    "run_job_step(lead_protection.start_job_run('lead-protection-reminders'))",
    *["run_job_step((SELECT max(id) FROM lead_protection.job_runs))"] * 6,
    "report_reminder_delivery(5, 7, (SELECT window_date FROM lead_protection.lead_reminders WHERE lead_id = 5),"
    " '<1@x>', 'failed', '550')",
    "extend_lead(6, 7, 30, 'x', 2, 5, 'key')",
    "record_reactivations(NULL, 100)",
    "mend_clock_drift()",
    "move_leads_to_policy('{4}', (SELECT max(id) FROM lead_protection.protection_policies), 'x', 5)",
    "erase_texts('x', 5, '{1,2}')",
)


def test_whoever_logs_holds_the_lead_locked(db, two):
    """While the writer's transaction is open, another session finds no lead of its log rows free."""
    insert_leads_of_age(db, *[PROTECTED] * 4, REMINDER_DUE, REMINDER_DUE, EXPIRED)
    call(db, "create_policy_version", name="other", actor_id=5)
    db.execute("UPDATE lead_protection.lead_clocks SET window_date = window_date + 1 WHERE lead_id = 4")
    writer, other = two
    logged = set()
    by_hand = "UPDATE lead_protection.leads SET created_at = created_at - INTERVAL '1 day' WHERE id = 3"
    for statement in [*(f"SELECT count(*) FROM lead_protection.{c}" for c in CALLS), by_hand]:
        (seen,) = writer.execute("SELECT clock_timestamp()").fetchone()
        writer.execute(statement)
        new = writer.execute(
            "SELECT lead_id, event_type FROM lead_protection.protection_log WHERE recorded_at >= %s", (seen,)
        ).fetchall()
        free = other.execute(
            "SELECT id FROM lead_protection.leads WHERE id = ANY(%s) FOR NO KEY UPDATE SKIP LOCKED",
            ([lead_id for lead_id, _ in new],),
        ).fetchall()
        assert free == [], statement
        logged |= {event_type for _, event_type in new}
        writer.commit()
    assert logged >= {
        "lead.created", "lead.changed", "lead.clock.mended", "lead.hold.created", "lead.hold.released",
        "lead.protection.transferred", "lead.protection.reminder", "lead.protection.expired",
        "lead.protection.reactivated", "lead.protection.moved", "lead.reminder.failed", "lead.texts.erased",
    }  # fmt: skip
    proved(db)


def make_older_than_the_chain(db) -> None:
    """Have the log as an upgrade finds it: written without a chain."""
    db.execute(AS_A_REPLICA)
    db.execute(
        "UPDATE lead_protection.protection_log"
        " SET log_number = NULL, texts_salt = NULL, transaction_id = NULL;"
        "UPDATE lead_protection.settings SET log_chained_at = NULL"
    )
    db.execute("RESET session_replication_role")


def test_rows_from_before_are_chained_by_the_night_and_marked(db, connect):
    insert_leads_of_age(db, *[PROTECTED] * 5)
    for lead_id in range(1, 6):
        call(db, "create_lead_hold", lead_id, 7, "x", 5)
        call(db, "release_lead_hold", lead_id, 7, 5)
    make_older_than_the_chain(db)
    assert db.execute(VERIFY, (None,)).fetchall() == [], "what is not chained yet is no problem"
    # One that goes on before the night: its old rows come first.
    call(db, "close_lead", 1, 7, "LOST", "x", 5)
    db.execute("SELECT count(*) FROM lead_protection.close_leads('k', 'LOST', 'x', 5, '{2}')")
    # One that somebody holds locked is left to the next night.
    other = connect(autocommit=False)
    other.execute("SELECT FROM lead_protection.leads WHERE id = 4 FOR UPDATE")
    assert run_nightly(db) == NIGHTLY_IDLE | {"log_rows_chained": 3, "skipped_locked": 1}
    assert row(db, "SELECT log_chained_at AS at FROM lead_protection.settings")["at"] is None
    other.rollback()
    assert run_nightly(db) == NIGHTLY_IDLE | {"log_rows_chained": 1}
    assert row(db, "SELECT log_chained_at AS at FROM lead_protection.settings")["at"] is not None
    logged = proved(db)
    assert [(r["lead_id"], r["log_number"], r["chained_at"] is not None) for r in logged] == [
        (1, 1, True), (1, 2, True), (1, 3, False), (2, 1, True), (2, 2, True), (2, 3, False),
        (3, 1, True), (3, 2, True), (4, 1, True), (4, 2, True), (5, 1, True), (5, 2, True),
    ]  # fmt: skip
    assert run_nightly(db) == NIGHTLY_IDLE


def test_many_rows_from_before_are_chained_in_batches(db):
    insert_leads_of_age(db, *[PROTECTED] * 7)
    for lead_id in range(1, 8):
        call(db, "create_lead_hold", lead_id, 7, "x", 5)
    make_older_than_the_chain(db)
    handled = [row(db, "SELECT lead_protection.chain_next_rows(3) AS n")["n"] for _ in range(5)]
    assert handled == [3, 3, 1, 0, 0]
    proved(db)
