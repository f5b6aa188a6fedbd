"""verify.py recomputes what the database shows, from what is exported alone."""

import os

import pytest
from hypothesis import HealthCheck, given, settings

from helpers.project import cases
from lead_protection import verify
from rule.test_rule_against_model import bare, insert_world, worlds  # noqa: F401

HISTORIES = int(os.environ.get("LEAD_PROTECTION_HISTORIES", cases(600, fast=60)))

SHOWN = """
SELECT p.user_id, p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at
FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS look (as_of, n)
LEFT JOIN LATERAL lead_protection.protection_as_of(look.as_of) AS p ON p.lead_id = 1
ORDER BY look.n
"""


@settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_random_histories(bare, world):  # noqa: F811
    lead, looks = world
    with bare.transaction(force_rollback=True):
        insert_world(bare, 1, lead)
        facts, terms = bare.execute(
            "SELECT lead_protection.exported_facts(1), lead_protection.exported_terms(NULL)"
        ).fetchone()
        told = bare.execute(SHOWN, (looks,)).fetchall()
    exported = verify.Given(terms)
    lead = verify.facts(facts)
    for look, row in zip(looks, told, strict=True):
        found = exported.shown(lead, look)
        assert found == (None if row[2] is None else row), look
