"""Who can switch triggers off changes the log: verify_protection_log() says where."""

import random

import pytest

from helpers.calls import call, refused, row, rows
from helpers.facts import PROTECTED, insert_leads_of_age
from helpers.jobs import run_nightly
from helpers.project import cases
from helpers.seals import seal

pytestmark = pytest.mark.made_up_log("it is tampered with")
LOG = "lead_protection.protection_log"


@pytest.fixture
def log(db):
    """Leads 1 to 6 with five rows each, all sealed."""
    insert_leads_of_age(db, *[PROTECTED] * 6)
    for lead_id in range(1, 7):
        for _ in range(2):
            call(db, "create_lead_hold", lead_id, 7, "said so", 5)
            call(db, "release_lead_hold", lead_id, 7, 5)
        call(db, "close_lead", lead_id, 7, "LOST", "said so", 5)
    assert problems(db) == [] and seal(db) == 30 and problems(db) == []
    db.execute("SET session_replication_role = replica")
    yield db
    db.execute("RESET session_replication_role")


def problems(db, lead_id=None) -> list[tuple]:
    found = call(db, "verify_protection_log", lead_id)
    assert all(f["found"] and (f["event_id"] or f["problem"] == "ROW_MISSING") for f in found)
    return [(f["lead_id"], f["log_number"], f["problem"]) for f in found]


def swap(db, lead_id, one, other) -> None:
    """Let two rows change places; the index knows each number once."""
    for before, after in ((one, 99), (other, one), (99, other)):
        db.execute(f"UPDATE {LOG} SET log_number = {after} WHERE lead_id = {lead_id} AND log_number = {before}")


CHANGES = {
    "user_id": "user_id + 1",
    "actor_id": "coalesce(actor_id, 0) + 1",
    "event_type": "event_type || '.x'",
    "event_id": "gen_random_uuid()",
    "occurred_at": "occurred_at + INTERVAL '1 microsecond'",
    "recorded_at": "recorded_at - INTERVAL '1 microsecond'",
    "state_before": "NULL",
    "state_after": "'GRACE'",
    "expires_before": "expires_before + INTERVAL '1 day'",
    "expires_after": "coalesce(expires_after, now()) + INTERVAL '1 day'",
    "session_role": "'somebody'",
    "application_name": "'something'",
    "chained_at": "now() - INTERVAL '1 year'",
    "reason": "'said otherwise'",
    "details": "details || '{\"hold_id\": 99}'",
    "texts_salt": "texts_salt || '\\x00'",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_row_is_found(log, column):
    log.execute(f"UPDATE {LOG} SET {column} = {CHANGES[column]} WHERE lead_id = 3 AND log_number = 1")
    # The event of another id is one whose row is missing.
    expected = [(3, 1, "ROW_CHANGED")] + [(3, None, "EVENT_WITHOUT_ROW")] * (column == "event_id")
    assert problems(log) == expected
    assert problems(log, 3) == expected and problems(log, 2) == []


def test_a_changed_row_with_a_fresh_hash_is_found_by_the_next(log):
    log.execute(f"UPDATE {LOG} SET user_id = 9 WHERE lead_id = 3 AND log_number = 2")
    log.execute(
        "UPDATE lead_protection.log_leaves AS f"
        " SET row_hash = lead_protection.log_row_hash(b.row_hash, lead_protection.log_row_digest(g))"
        f" FROM {LOG} AS g, lead_protection.log_leaves AS b WHERE (f.lead_id, f.log_number) = (3, 2)"
        " AND (g.lead_id, g.log_number) = (3, 2) AND (b.lead_id, b.log_number) = (3, 1)"
    )
    assert problems(log) == [(3, 3, "ROW_CHANGED")]


def test_a_removed_row_is_found(log):
    log.execute(f"DELETE FROM {LOG} WHERE lead_id = 3 AND log_number = 2")
    assert problems(log) == [(3, 2, "ROW_MISSING"), (3, None, "EVENT_WITHOUT_ROW")]
    (found, _) = call(log, "verify_protection_log", 3)
    assert found["found"] == "it was sealed, and is not there"


def test_a_row_that_was_removed_before_it_was_sealed_is_found(log):
    log.execute("RESET session_replication_role")
    call(log, "reopen_lead", 3, 7, "said so", 5)
    call(log, "create_lead_hold", 3, 7, "said so", 5)
    log.execute("SET session_replication_role = replica")
    log.execute(f"DELETE FROM {LOG} WHERE lead_id = 3 AND log_number = 6")
    assert problems(log) == [(3, 7, "ROW_MISSING"), (3, None, "EVENT_WITHOUT_ROW")]
    (found, _) = call(log, "verify_protection_log", 3)
    assert found["found"] == "rows 6 to 6 are missing"


def test_a_removed_beginning_and_a_removed_end_are_found(log):
    log.execute(f"DELETE FROM {LOG} WHERE (lead_id = 3 AND log_number = 1) OR (lead_id = 4 AND log_number >= 4)")
    gone: list[tuple] = [(lead_id, None, "EVENT_WITHOUT_ROW") for lead_id in (3, 4, 4)]
    gone += [(lead_id, number, "ROW_MISSING") for lead_id, number in ((3, 1), (4, 4), (4, 5))]
    assert sorted(problems(log), key=str) == sorted(gone, key=str)


def test_an_invented_row_is_found(log):
    log.execute(f"INSERT INTO {LOG} (lead_id, event_type, occurred_at) VALUES (3, 'lead.closed', now())")
    assert problems(log) == [(3, None, "NOT_CHAINED")]
    log.execute(f"UPDATE {LOG} SET log_number = 6 WHERE log_number IS NULL")
    assert problems(log) == [], "like any other that is not sealed yet, and as late as that one"
    log.execute(f"UPDATE {LOG} SET transaction_id = '3' WHERE log_number = 6")
    assert problems(log) == [(3, 6, "NOT_SEALED")]
    log.execute(f"UPDATE {LOG} SET transaction_id = pg_current_xact_id() WHERE log_number = 6")
    log.execute("DELETE FROM lead_protection.log_leaves WHERE lead_id = 3 AND log_number = 4")
    assert problems(log) == [(3, 4, "NOT_SEALED"), (3, 5, "ROW_CHANGED")]


def test_two_rows_that_changed_places_are_found(log):
    swap(log, 3, 2, 4)
    assert problems(log) == [(3, 2, "ROW_CHANGED"), (3, 4, "ROW_CHANGED")]


def test_a_renumbered_end_is_found(log):
    log.execute(f"DELETE FROM {LOG} WHERE lead_id = 3 AND log_number = 2")
    for number in (3, 4, 5):
        log.execute(f"UPDATE {LOG} SET log_number = log_number - 1 WHERE lead_id = 3 AND log_number = {number}")
    changed = [(3, number, "ROW_CHANGED") for number in (2, 3, 4)]
    assert problems(log) == [*changed, (3, 5, "ROW_MISSING"), (3, None, "EVENT_WITHOUT_ROW")]


def test_a_row_given_to_another_lead_is_found(log):
    log.execute(f"UPDATE {LOG} SET lead_id = 4, log_number = 6 WHERE lead_id = 3 AND log_number = 5")
    assert problems(log) == [(4, 6, "NOT_SEALED"), (3, 5, "ROW_MISSING"), (3, None, "EVENT_WITHOUT_ROW")]


def test_a_row_marked_as_older_than_the_chain_is_found(log):
    log.execute(f"INSERT INTO {LOG} (lead_id, event_type, occurred_at) VALUES (99, 'lead.closed', now())")
    log.execute("SELECT lead_protection.chain_old_rows('{99}')")
    assert problems(log) == [(99, 1, "CHAINED_LATE")]


def test_texts_erased_past_the_function_are_found(log):
    log.execute(
        f"UPDATE {LOG} AS g SET reason = NULL, texts_hash = lead_protection.log_texts_hash(g), texts_salt = NULL"
        " WHERE lead_id = 3 AND log_number = 1"
    )
    assert problems(log) == [(3, 1, "ERASED_UNLOGGED")]
    log.execute(f"UPDATE {LOG} SET reason = 'another' WHERE lead_id = 3 AND log_number = 1")
    assert problems(log) == [(3, 1, "TEXTS_AMISS"), (3, 1, "ERASED_UNLOGGED")]


def test_the_night_finds_it_and_health_tells(log):
    log.execute(f"UPDATE {LOG} SET user_id = 9 WHERE lead_id = 3 AND log_number = 2")
    log.execute("RESET session_replication_role")
    assert run_nightly(log)["log_problems"] == 1
    shown = row(log, "SELECT status, found, runbook FROM lead_protection.health WHERE check_name = 'log_integrity'")
    assert shown["status"] == "critical" and shown["found"].startswith("1 found by the nightly run of ")
    assert shown["runbook"] == "The log does not prove itself"
    assert row(log, "SELECT value FROM lead_protection.v_metrics WHERE metric = 'lead_log_problems'")["value"] == 1


def test_the_owner_is_refused_what_only_a_superuser_can(log):
    log.execute("RESET session_replication_role")
    for change in (
        "log_number = 77",
        "transaction_id = NULL",
        "reason = NULL",
        "reason = NULL, texts_salt = NULL",
        "reason = NULL, texts_salt = NULL, texts_hash = '\\x00'",
        "user_id = user_id",
    ):
        refused("LP012", log.execute, f"UPDATE {LOG} SET {change} WHERE lead_id = 3 AND log_number = 1")


def test_an_unknown_lead_is_refused(log):
    refused("LP002", call, log, "verify_protection_log", 77)


@pytest.mark.parametrize("seed", range(cases(100, usual=25, fast=5)))
def test_random_tamperings_are_all_found_and_nothing_else(log, seed):
    """In one of the leads; each is undone for the next."""
    draw = random.Random(seed)
    lead_id, number = draw.randint(1, 6), draw.randint(1, 5)
    at = f"WHERE lead_id = {lead_id} AND log_number = {number}"
    column = draw.choice([c for c in CHANGES if c != "state_before"])
    other = draw.choice([n for n in range(1, 6) if n != number])
    tampering = draw.choice([
        f"UPDATE {LOG} SET {column} = {CHANGES[column]} {at} RETURNING 1",
        f"DELETE FROM {LOG} {at} RETURNING 1",
        f"INSERT INTO {LOG} (lead_id, event_type, occurred_at) VALUES ({lead_id}, 'lead.x', now()) RETURNING 1",
        None,
        f"UPDATE {LOG} SET log_number = log_number + 10 WHERE lead_id = {lead_id} AND log_number >= {number}"
        " RETURNING 1",
        f"UPDATE lead_protection.log_leaves SET row_hash = sha256(row_hash) {at} RETURNING 1",
    ])  # fmt: skip
    # No salt: the row has no text, and is not changed by that.
    no_salt = tampering is not None and "texts_salt" in tampering and number in (2, 4)
    if tampering:
        assert rows(log, tampering)
    else:
        swap(log, lead_id, number, other)
    found = problems(log)
    assert bool(found) != no_salt and {f[0] for f in found} <= {lead_id}, tampering
