"""A log row without its event, which only who switches the log's trigger off can write: found, published, told."""

import pytest

from helpers.calls import call, row, rows
from helpers.facts import NIGHTLY_IDLE, PROTECTED, events, insert_leads_of_age
from helpers.jobs import run_nightly

HEALTH = "SELECT status, found FROM lead_protection.health WHERE check_name = 'log_events'"


def log_past_its_trigger(db, lead_id, age="1 hour") -> None:
    """Write a log row as a replica does."""
    db.execute("SET session_replication_role = replica")
    db.execute(
        "INSERT INTO lead_protection.protection_log"
        " (lead_id, user_id, event_type, occurred_at, recorded_at, actor_id, reason, state_after, details)"
        " VALUES (%s, 7, 'lead.closed', now(), now() - %s::interval, 5, 'secret', 'CLOSED',"
        ' \'{"outcome": "LOST", "evidence": "secret"}\')',
        (lead_id, age),
    )
    db.execute("RESET session_replication_role")


@pytest.mark.made_up_log("a row written past the trigger")
def test_a_log_row_without_its_event_is_published_by_the_night_and_told(db):
    insert_leads_of_age(db, PROTECTED, PROTECTED)
    call(db, "register_event_consumer", "crm")
    call(db, "create_lead_hold", 1, 7, "x", 1)
    log_past_its_trigger(db, 2)
    assert row(db, HEALTH) == {"status": "ok", "found": "not proved yet"}
    assert run_nightly(db) == NIGHTLY_IDLE | {"log_problems": 1, "events_published": 1}
    assert events(db) == ["lead.closed", "lead.hold.created"], "the log and the outbox tell the same"
    payload = row(db, "SELECT payload FROM lead_protection.outbox_events WHERE type = 'lead.closed'")["payload"]
    assert (payload["lead_id"], payload["actor_id"], payload["outcome"], payload["state"]) == (2, 5, "LOST", "CLOSED")
    assert "secret" not in str(payload)
    claimed = rows(db, "SELECT type FROM lead_protection.claim_events('crm')")
    assert [event["type"] for event in claimed] == ["lead.hold.created", "lead.closed"]
    shown = row(db, HEALTH)
    assert shown["status"] == "warn" and shown["found"].startswith("1 published by the nightly run of ")
    assert run_nightly(db) == NIGHTLY_IDLE | {"log_problems": 1}
    assert row(db, HEALTH)["status"] == "ok"


@pytest.mark.made_up_log("a row written past the trigger")
def test_what_may_have_been_purged_is_not_published_again(db):
    insert_leads_of_age(db, PROTECTED)
    log_past_its_trigger(db, 1, "30 days")
    assert run_nightly(db) == NIGHTLY_IDLE | {"log_problems": 1}


def test_the_proof_reads_the_last_days_only(db):
    """By the index, which is a few pages however long the log is."""
    insert_leads_of_age(db, PROTECTED)
    db.execute("SET enable_seqscan = off")
    plan = rows(
        db,
        "EXPLAIN SELECT FROM lead_protection.protection_log WHERE recorded_at > now() - INTERVAL '29 days'",
    )
    assert "protection_log_recorded" in str(plan)
