"""The JSON Schemas of the events, and the check that every event keeps to its own."""

import json
from functools import cache

import psycopg
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from helpers.project import PROJECT

# Beside them is error-codes.json, which is no schema.
SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (PROJECT / "schemas").glob("*.json")
    if path.stem != "error-codes"
}
REGISTRY = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values())


@cache
def validator(event_type: str) -> Draft202012Validator:
    """The validator of an event type's payload; KeyError if it has no schema."""
    return Draft202012Validator(SCHEMAS[event_type], registry=REGISTRY)


def faults(event_type: str, payload: dict) -> list[str]:
    """What is wrong with a payload, in the schema's words."""
    if event_type not in SCHEMAS:
        return [f"{event_type} has no schema"]
    return [f"{event_type}: {error.message} in {payload}" for error in validator(event_type).iter_errors(payload)]


# Of the same type, with the same keys, and values of the same kinds, the newest fifty: a bulk call makes thousands.
EVENTS = """
SELECT e.type, e.payload
FROM (
    SELECT
        o.type,
        o.payload,
        row_number() OVER (
            PARTITION BY o.type, (
                SELECT string_agg(p.key || jsonb_typeof(p.value), ',' ORDER BY p.key) FROM jsonb_each(o.payload) AS p
            )
            ORDER BY o.sequence_number DESC
        ) AS place
    FROM lead_protection.outbox_events AS o
) AS e
WHERE e.place <= 50
"""


def faults_in_outbox(db: psycopg.Connection) -> list[str]:
    """What is wrong with the events in a database's outbox, the first few; none where there is no outbox."""
    if db.execute("SELECT to_regclass('lead_protection.outbox_events')").fetchone() == (None,):
        return []
    found = []
    for event_type, payload in db.execute(EVENTS):
        found += faults(event_type, payload)
        if len(found) > 5:
            break
    return found
