"""Each type of event has a schema and keeps to it (conftest.py checks every test); none names a person."""

import json
import re

import psycopg
import pytest
from cloudevents.http import from_json
from jsonschema import Draft202012Validator

from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, ago, insert_lead, insert_lead_of_age
from helpers.schemas import SCHEMAS, faults, faults_in_outbox
from helpers.warnings import insert_warned_policy


@pytest.fixture
def every_event(db) -> psycopg.Connection:
    """A database in which every type of event was emitted, by what emits it in life."""

    def call(function, *arguments):
        marks = ", ".join(["%s"] * len(arguments))
        db.execute(f"SELECT lead_protection.{function}({marks})", arguments)

    for lead_id in range(1, 20):
        insert_lead_of_age(db, lead_id, PROTECTED)
    for lead_id in (20, 21, 22):
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
    insert_lead_of_age(db, 23, EXPIRED)
    db.execute("CALL lead_protection.run_protection_pipeline()")  # reminder, expired
    for lead_id, *report in ((20, "delivered"), (21, "failed", "550")):
        (window,) = db.execute(
            "SELECT window_date FROM lead_protection.lead_reminders WHERE lead_id = %s", (lead_id,)
        ).fetchone()
        call("report_reminder_delivery", lead_id, 7, window, f"<{lead_id}@x>", *report)
    call("close_lead", 22, 7, "LOST", "x", 1)
    call("start_reminder_delivery", 22, 7, window, "<22@x>")
    call("reopen_lead", 22, 7, "x", 1)
    call("delete_lead", 22, 7, "x", 1)
    db.execute("SELECT lead_protection.extend_lead(20, 7, 30, 'x', 2, 1, 'key')")
    db.execute("CALL lead_protection.run_protection_pipeline()")  # reactivated
    call("transfer_lead", 1, 7, 8, "x", 1)
    call("give_back_lead", 14, 7, "x", 1)
    call("close_lead", 14, None, "LOST", "x", 1)
    call("reopen_lead", 14, None, "x", 1)
    call("transfer_lead", 14, None, 7, "x", 1)
    call("give_back_lead", 15, 7, "x", 1)
    call("delete_lead", 15, None, "x", 1)
    db.execute("SELECT lead_protection.backdate_lead(2, 7, now() - INTERVAL '120 days', 'x', 'Frau Muster, 3. Mai', 1)")
    db.execute("SELECT lead_protection.create_policy_version('limited', 1, hold_limit_days => 5) AS p")
    db.execute("SELECT lead_protection.create_lead_hold(3, 7, 'x', 1, now() - INTERVAL '10 days')")
    db.execute("SELECT lead_protection.create_lead_hold(4, 7, 'x', 1, now() - INTERVAL '2 days')")
    (policy,) = db.execute("SELECT max(id) FROM lead_protection.protection_policies").fetchone()
    call("move_leads_to_policy", [3, 4, 5], policy, "x", 1)
    call("create_lead_hold", 5, 7, "x", 1)
    db.execute("SELECT lead_protection.override_hold_limit(3, 1, now() + INTERVAL '50 days', 'x', 1)")
    db.execute("CALL lead_protection.run_nightly_maintenance()")  # overrun, limit_near
    call("create_lead_hold", 6, 7, "x", 1)
    call("release_lead_hold", 6, 7, 1)
    db.execute(
        "SELECT lead_protection.correct_lead_hold(id, version, start_at - INTERVAL '1 day', end_at, 'x', 1)"
        " FROM lead_protection.lead_holds WHERE lead_id = 6"
    )
    db.execute(
        "SELECT lead_protection.void_lead_hold(id, version, 'x', 1) FROM lead_protection.lead_holds WHERE lead_id = 6"
    )
    db.execute("SELECT count(*) FROM lead_protection.hold_leads('bulk', 'x', 1, '{10,11}')")
    db.execute("SELECT count(*) FROM lead_protection.release_leads('end of bulk', 1, '{10,11}')")
    db.execute("SELECT lead_protection.create_policy_version('agents', 1, rule => 'parallel')")
    (policy,) = db.execute("SELECT max(id) FROM lead_protection.protection_policies").fetchone()
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, policy_id, created_at)"
        " VALUES (30, 7, %s, now() - INTERVAL '40 days')",
        (policy,),
    )
    db.execute(
        "SELECT lead_protection.record_lead_activity(30, 7, 'QUALIFIED_CALL', now() - INTERVAL '3 days', 'call', 7)"
    )
    db.execute(
        "SELECT lead_protection.correct_lead_activity(30, 'call', 'QUALIFIED_CALL', now() - INTERVAL '2 days', 'x', 7)"
    )
    call("delete_lead_activity", 30, "call", "x", 7)
    insert_lead(db, 31, ago(54), policy_id=insert_warned_policy(db, [(17, "user")], rule="parallel"))
    db.execute("CALL lead_protection.run_protection_pipeline()")  # warning
    db.execute("UPDATE lead_protection.leads SET created_at = created_at - INTERVAL '1 day' WHERE id = 12")
    db.execute("UPDATE lead_protection.lead_clocks SET window_date = window_date + 1 WHERE lead_id = 13")
    db.execute("CALL lead_protection.run_nightly_maintenance()")  # mended
    # dismissed: a row that cannot be followed
    db.execute(
        "CREATE TABLE public.crm (id int PRIMARY KEY, user_id int, created_at timestamptz);"
        "INSERT INTO public.crm VALUES (1000, 7, now())"
    )
    db.execute("CALL lead_protection.adopt_leads('public.crm', 1)")
    db.execute("UPDATE public.crm SET created_at = NULL")
    db.execute("CALL lead_protection.follow_adopted_tables()")
    call("dismiss_adopted_row", "crm", "1000", "x", 1)
    db.execute("SELECT lead_protection.erase_texts('x', 1, lead_ids => '{3}', before => now())")
    return db


def test_every_type_is_emitted_and_keeps_to_its_schema(every_event):
    emitted = {row[0] for row in every_event.execute("SELECT DISTINCT type FROM lead_protection.outbox_events")}
    known = {row[0] for row in every_event.execute("SELECT type FROM lead_protection.event_types")}
    assert emitted == known
    assert faults_in_outbox(every_event) == []


def test_there_is_a_schema_for_each_type_and_no_other(db):
    types = {row[0] for row in db.execute("SELECT type FROM lead_protection.event_types")}
    assert SCHEMAS.keys() == types | {"common"}
    for name, schema in SCHEMAS.items():
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:lead-protection:schema:{name}"
        assert name == "common" or schema["unevaluatedProperties"] is False
    meanings = dict(db.execute("SELECT type, meaning FROM lead_protection.event_types").fetchall())
    assert {name: schema["description"] for name, schema in SCHEMAS.items() if name != "common"} == meanings


def test_the_documentation_lists_each_type(db):
    from helpers.project import PROJECT

    page = (PROJECT / "docs" / "events.md").read_text(encoding="utf-8")
    row = r"^\| \[`((?:lead|log)\.[a-z_.]+)`\]\(\.\./schemas/\1\.json\) \| (.*?) \|$"
    rows = dict(re.findall(row, page, re.MULTILINE))
    assert rows == dict(db.execute("SELECT type, meaning FROM lead_protection.event_types").fetchall())


def test_no_event_has_words_of_a_person(every_event):
    """The free texts of the calls above: reason x, evidence, the error of a mail server."""
    words = "SELECT DISTINCT key, value FROM lead_protection.outbox_events, jsonb_each_text(payload)"
    rows = every_event.execute(words).fetchall()
    assert not {key for key, _ in rows} & {"reason", "evidence", "error", "why", "name", "email", "address", "phone"}
    assert not [row for row in rows if row[1] in ("x", "550") or "Muster" in row[1]]
    logged = "SELECT count(*) FROM lead_protection.protection_log WHERE details ->> 'evidence' LIKE '%Muster%'"
    assert every_event.execute(logged).fetchone() == (1,)


REFUSED = [
    ({"email": "a@example.com"}, "Unevaluated properties are not allowed"),
    ({"state": "GONE"}, "'GRACE' was expected"),
    ({"occurred_at": "2026-11-24 08:00:00+01"}, "does not match"),
    ({"lead_id": "1"}, "is not of type 'integer'"),
    ({"window_date": None}, "is not of type 'string'"),
]


def test_a_schema_refuses_what_it_must(every_event):
    (payload,) = every_event.execute(
        "SELECT payload FROM lead_protection.outbox_events WHERE type = 'lead.protection.reminder' LIMIT 1"
    ).fetchone()
    assert faults("lead.protection.reminder", payload) == []
    for change, fault in REFUSED:
        assert any(fault in found for found in faults("lead.protection.reminder", payload | change)), change
    assert faults("lead.unheard.of", payload) == ["lead.unheard.of has no schema"]


def test_events_are_cloud_events(every_event):
    rows = every_event.execute(
        "SELECT o.id, o.type, o.payload, v.event FROM lead_protection.v_cloud_events AS v"
        " JOIN lead_protection.outbox_events AS o USING (id) ORDER BY o.sequence_number"
    ).fetchall()
    sequences = []
    for id, type, payload, event in rows:
        parsed = from_json(json.dumps(event))  # of the CNCF's own SDK: refuses what is none
        assert parsed["specversion"] == "1.0"
        assert (parsed["id"], parsed["type"], parsed.data) == (str(id), type, payload)
        # Of the log, and of no lead.
        lead_id = 0 if type == "log.sealed" else payload["lead_id"]
        subject = f"log/{lead_id}" if type == "log.sealed" else f"lead/{lead_id}"
        assert parsed["source"] == "/lead-protection" and parsed["subject"] == subject
        assert parsed["time"] == payload["occurred_at"] and parsed["partitionkey"] == str(lead_id)
        assert parsed["dataschema"] == SCHEMAS[type]["$id"]
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event)
        sequences.append(parsed["sequence"])
    assert sequences == sorted(sequences) and len(set(sequences)) == len(sequences) > 25
