"""Texts that people wrote can be erased, wherever they stand; the proof stays."""

import psycopg
import pytest

from helpers import log_form
from helpers.calls import call, make_policy, refused, row, rows
from helpers.consumer_calls import claim, fail, register
from helpers.facts import EXPIRED, NIGHTLY_IDLE, PROTECTED, REMINDER_DUE, ago, insert_leads_of_age
from helpers.jobs import run_nightly, run_pipeline
from helpers.project import run_program
from helpers.seals import seal

WORD = "Wiesengrund"
ERASED = "SELECT leads, texts, user_keys FROM lead_protection.erase_texts(reason => 'request 7', actor_id => 5, {})"


def dump(server, db) -> str:
    """All that is in the database."""
    done = run_program([str(server.bin / "pg_dump"), server.url(db.info.dbname)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_texts(db, lead_id, word=WORD) -> None:
    """Everything that takes a text, for one lead of user 7 whose reminder was sent."""
    call(db, "backdate_lead", lead_id, 7, ago(251), f"{word} says so", f"letter of {word}", 5)
    run_pipeline(db)
    window = row(db, "SELECT window_date FROM lead_protection.lead_reminders WHERE lead_id = %s", lead_id)
    call(
        db, "report_reminder_delivery", lead_id, 7, window["window_date"], f"<{lead_id}@x>", "failed",
        f"550 no mailbox {word}",
    )  # fmt: skip
    call(db, "extend_lead", lead_id, 7, 30, f"{word} is ill", 2, 5, f"key {lead_id}")
    call(db, "create_lead_hold", lead_id, 7, f"{word} wants time", 5)
    hold = row(db, "SELECT id, version, start_at, end_at FROM lead_protection.lead_holds WHERE lead_id = %s", lead_id)
    call(
        db, "correct_lead_hold", hold["id"], hold["version"], hold["start_at"], hold["end_at"],
        f"{word} wants more", 5,
    )  # fmt: skip
    db.execute(
        f"SELECT count(*) FROM lead_protection.release_leads('r {lead_id}', 5, '{{{lead_id}}}');"
        f"SELECT count(*) FROM lead_protection.hold_leads('k {lead_id}', '{word} again', 5, '{{{lead_id}}}')"
    )
    for event in claim(db):
        if event.aggregateid == str(lead_id):
            fail(db, event, error=f"{word}: unknown customer")


@pytest.fixture
def texts(db, server):
    """Leads 1 and 2 with all kinds of texts."""
    insert_leads_of_age(db, REMINDER_DUE, REMINDER_DUE)
    register(db)
    write_texts(db, 1)
    write_texts(db, 2, "Lindenhof")
    call(db, "close_lead", 1, 7, "LOST", f"{WORD} has left", 5)
    assert dump(server, db).count(WORD) >= 10
    return db


def test_no_trace_of_a_text_is_in_a_dump_and_the_log_proves_itself(texts, server):
    erased = row(texts, ERASED.format("lead_ids => '{1}'"))
    assert erased["leads"] == 1 and erased["texts"] >= 10
    text = dump(server, texts)
    assert WORD not in text and "Lindenhof" in text
    # Some rows were sealed before their texts were erased, some are after.
    assert seal(texts) > 5
    logged = log_form.log_rows(texts)
    assert log_form.broken(logged) == [] and log_form.problems_of_log(texts) == []
    of_lead = [r for r in logged if r["lead_id"] == 1]
    assert of_lead[-1]["event_type"] == "lead.texts.erased" and of_lead[-1]["reason"] == "request 7"
    assert of_lead[-1]["details"] == {"texts": erased["texts"]}
    assert all((r["texts_salt"] is None) == (r["texts_hash"] is not None) for r in of_lead)
    assert sum(r["texts_hash"] is not None for r in of_lead) >= 5
    # Nothing but texts: every date is as it was.
    assert texts.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []


def test_repeated_nothing_is_erased_and_nothing_logged(texts):
    assert row(texts, ERASED.format("lead_ids => '{1,2}'"))["leads"] == 2
    before = len(log_form.log_rows(texts))
    assert row(texts, ERASED.format("lead_ids => '{1,2}'")) == {"leads": 0, "texts": 0, "user_keys": 0}
    assert row(texts, ERASED.format("user_id => 7")) == {"leads": 0, "texts": 0, "user_keys": 0}
    assert len(log_form.log_rows(texts)) == before


def test_what_reads_texts_goes_on_without_them(texts):
    row(texts, ERASED.format("before => clock_timestamp()"))
    for lead_id in (1, 2):
        page = row(texts, f"SELECT lead_protection.protection_statement({lead_id}) AS page")["page"]
        assert "(erased)" in page and WORD not in page
        assert call(texts, "explain_protection", lead_id) and call(texts, "lead_log", lead_id)
    history = rows(texts, "SELECT reason FROM lead_protection.v_hold_history")
    assert history and {h["reason"] for h in history} <= {None, "(erased)"}
    run_pipeline(texts)
    assert run_nightly(texts)["log_problems"] == 0


def test_by_user_only_what_belongs_to_that_users_protections(db, server):
    insert_leads_of_age(db, PROTECTED, PROTECTED)
    call(db, "create_lead_hold", 1, 7, "of Anton", 5)
    call(db, "transfer_lead", 1, 7, 8, "to Berta", 5)
    call(db, "create_lead_hold", 1, 8, "of Caesar", 5)
    call(db, "create_lead_hold", 2, 7, "of Dora", 5)
    assert row(db, ERASED.format("user_id => 7"))["leads"] == 2
    text = dump(server, db)
    assert "of Anton" not in text and "of Dora" not in text
    # The transfer began the protection of user 8.
    assert "to Berta" in text and "of Caesar" in text


def test_before_an_instant(db, server):
    insert_leads_of_age(db, PROTECTED)
    call(db, "create_lead_hold", 1, 7, "of Anton", 5)
    call(db, "release_lead_hold", 1, 7, 5)
    between = row(db, "SELECT clock_timestamp() AS t")["t"]
    call(db, "transfer_lead", 1, 7, 8, "to Berta", 5)
    db.execute(ERASED.format("before => %s"), (between,))
    text = dump(server, db)
    assert "of Anton" not in text and "to Berta" in text
    assert log_form.log_rows(db)[-1]["details"]["texts_before"]


def test_a_code_of_the_catalogue_is_no_text(db):
    insert_leads_of_age(db, PROTECTED)
    call(db, "create_lead_hold", 1, 7, "SUPPLY_ISSUE", 5)
    row(db, ERASED.format("lead_ids => '{1}'"))
    assert row(db, "SELECT reason, reason_code FROM lead_protection.lead_holds") == {
        "reason": "SUPPLY_ISSUE", "reason_code": "SUPPLY_ISSUE",
    }  # fmt: skip


def test_a_bulk_call_whose_reason_was_erased_is_refused_and_not_done_again(texts):
    row(texts, ERASED.format("lead_ids => '{2}'"))
    refused("LP020", texts.execute, "SELECT lead_protection.hold_leads('k 2', 'Lindenhof again', 5, '{2}')")


def test_only_the_role_for_it_may(db, connect):
    insert_leads_of_age(db, PROTECTED)
    call(db, "create_lead_hold", 1, 7, "of Anton", 5)
    session = connect()
    for role in ("app", "operator", "monitor", "jobs", "consumer"):
        session.execute(f"SET ROLE lead_protection_{role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(ERASED.format("lead_ids => '{1}'"))
    session.execute("SET ROLE lead_protection_privacy")
    assert row(session, ERASED.format("lead_ids => '{1}'")) == {"leads": 1, "texts": 2, "user_keys": 0}
    assert session.execute("SELECT * FROM lead_protection.verify_protection_log(1)").fetchall() == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT FROM lead_protection.protection_log")


def test_it_is_refused_what_makes_no_sense(db):
    for sqlstate, reason, actor_id, named in (
        ("LP110", "x", 5, {}),
        ("LP001", "x", None, {"user_id": 7}),
        ("LP004", " ", 5, {"user_id": 7}),
        ("LP002", "x", 5, {"lead_ids": [77]}),
        ("LP001", "x", 5, {"lead_ids": [None]}),
        ("LP005", "x", 5, {"before": "infinity"}),
    ):
        refused(sqlstate, call, db, "erase_texts", reason=reason, actor_id=actor_id, **named)


def test_rows_from_before_the_chain_are_chained_first(db):
    insert_leads_of_age(db, PROTECTED)
    call(db, "create_lead_hold", 1, 7, "of Anton", 5)
    db.execute("SET session_replication_role = replica")
    db.execute(
        "UPDATE lead_protection.protection_log SET log_number = NULL, texts_salt = NULL;"
        "UPDATE lead_protection.settings SET log_chained_at = NULL"
    )
    db.execute("RESET session_replication_role")
    assert row(db, ERASED.format("lead_ids => '{1}'"))["texts"] == 2
    first, last = log_form.log_rows(db)
    assert first["texts_hash"] and first["chained_at"] and not last["chained_at"]


def test_the_night_erases_what_a_policy_keeps_no_longer(db, server):
    """Closed, expired or given back longer ago than texts_kept_days; open leads and other policies keep theirs."""
    kept = make_policy(db, "kept", texts_kept_days=30)
    assert call(db, "create_policy_version", name="kept", actor_id=5, texts_kept_days=30)[0]["created"] is False
    insert_leads_of_age(db, *[PROTECTED] * 5, EXPIRED)
    run_pipeline(db)
    for lead_id in range(1, 6):
        call(db, "create_lead_hold", lead_id, 7, f"gossip on {lead_id}", 5)
    call(db, "give_back_lead", 3, 7, "gossip on 3", 5)
    for lead_id in (1, 2, 5):
        call(db, "close_lead", lead_id, 7, "LOST", f"gossip on {lead_id}", 5)
    db.execute("SET session_replication_role = replica")
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id <> 5", (kept,))
    db.execute(
        "UPDATE lead_protection.leads SET closed_at = now() - INTERVAL '31 days' WHERE id IN (1, 5);"
        "UPDATE lead_protection.leads SET created_at = now() - INTERVAL '31 days' WHERE id = 3;"
        "UPDATE lead_protection.lead_holds SET reason = 'gossip on 6', lead_id = 6 WHERE lead_id = 4"
    )
    db.execute("RESET session_replication_role")
    db.execute("SELECT lead_protection.refresh_lead_clocks('{1,2,3,4,5,6}')")
    assert run_nightly(db) == NIGHTLY_IDLE | {"texts_erased": 3}
    text = dump(server, db)
    assert [n for n in range(1, 7) if f"gossip on {n}" in text] == [2, 4, 5]
    assert run_nightly(db) == NIGHTLY_IDLE


def test_a_retention_that_makes_no_sense_is_refused(db):
    for days in (0, 36501):
        refused("LP018", make_policy, db, "x", texts_kept_days=days)


def test_the_key_of_a_user_goes_once_no_adopted_row_names_them(db, server):
    db.execute(
        "CREATE TABLE public.crm (id int PRIMARY KEY, owner text, created_at timestamptz);"
        f"INSERT INTO public.crm VALUES (1, '{WORD}', now() - INTERVAL '10 days'), (2, 'other', now())"
    )
    db.execute("CALL lead_protection.adopt_leads('public.crm', 1, user_column => 'owner')")
    (user_id,) = db.execute("SELECT user_id FROM lead_protection.adopted_users WHERE user_key = %s", (WORD,)).fetchone()
    assert row(db, ERASED.format(f"user_id => {user_id}"))["user_keys"] == 0
    # First in the table of the company's own.
    db.execute("UPDATE public.crm SET owner = 'other' WHERE id = 1")
    db.execute("CALL lead_protection.follow_adopted_tables()")
    assert row(db, ERASED.format(f"user_id => {user_id}"))["user_keys"] == 1
    assert WORD not in dump(server, db)
