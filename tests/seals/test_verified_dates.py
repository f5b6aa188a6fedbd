"""verify.py recomputes what the database shows, from what is exported alone."""

import json
import os

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from helpers.facts import in_utc
from helpers.project import cases
from helpers.worlds import insert_world, take_facts_of_the_future, worlds
from lead_protection import verify

HISTORIES = int(os.environ.get("LEAD_PROTECTION_HISTORIES", cases(400, usual=100, fast=20)))

LOOK = """
CREATE FUNCTION pg_temp.look(looks timestamptz[])
RETURNS TABLE (
    user_id bigint, protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz
)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT p.user_id, p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at
    FROM unnest(looks) WITH ORDINALITY AS look (as_of, n)
    LEFT JOIN LATERAL lead_protection.protection_as_of(look.as_of) AS p ON p.lead_id = 1
    ORDER BY look.n;
END
$$
"""


@pytest.fixture
def bare(db) -> psycopg.Connection:
    take_facts_of_the_future(db)
    db.execute(LOOK)
    return db


@pytest.mark.slow("random histories, exported and verified")
@settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_random_histories(bare, world):
    """Over all terms of policies, at each boundary and a microsecond to either side of it."""
    lead, looks = world
    with bare.transaction(force_rollback=True):
        insert_world(bare, 1, lead)
        export = "SELECT lead_protection.exported_facts(1)::text, lead_protection.exported_terms(NULL)::text"
        facts, terms = map(json.loads, bare.execute(export).fetchone())
        told = bare.execute("SELECT * FROM pg_temp.look(%s)", (looks,)).fetchall()
    policies = {key: verify.Terms(policy, terms["calendars"] or {}) for key, policy in terms["policies"].items()}
    parsed = {name: [verify.parsed(fact) for fact in found or []] for name, found in facts.items()}
    for look, row in zip(looks, told, strict=True):
        shown = verify.shown(parsed, policies, terms["qualifying"], look)
        assert shown == (None if row[2] is None else in_utc(row)), look
