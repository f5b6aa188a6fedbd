"""Random facts: derivation, cached view and explanation against the independent model."""

from datetime import datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as of_seed

from helpers.facts import in_utc
from helpers.model import Lead, Protection, protection
from helpers.model_answers import disagreement, store_answers
from helpers.project import cases, seed
from helpers.rare_facts import RARE, RARE_LOOKS
from helpers.worlds import insert_world, last_known, take_facts_of_the_future, worlds

# In PL/pgSQL, for its plans last: psycopg forgets what it prepared at every rollback, and planning is what costs.
LOOK = """
CREATE FUNCTION pg_temp.look_by_{function}(the_lead bigint, looks timestamptz[])
RETURNS TABLE (
    user_id bigint, protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz
)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT p.user_id, p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at
    FROM unnest(looks) WITH ORDINALITY AS look (as_of, n)
    LEFT JOIN LATERAL lead_protection.{function}(look.as_of) AS p ON p.lead_id = the_lead
    ORDER BY look.n;
END
$$
"""

DRIFT = """
CREATE FUNCTION pg_temp.drift(the_lead bigint)
RETURNS TABLE (cached lead_protection.lead_clocks, derived lead_protection.lead_clocks)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT c, d.derived
    FROM (SELECT the_lead AS lead_id) AS it
    LEFT JOIN lead_protection.lead_clocks AS c ON c.lead_id = it.lead_id
    LEFT JOIN LATERAL (
        SELECT r AS derived FROM lead_protection.derive_lead_clocks() AS r WHERE r.lead_id = it.lead_id
    ) AS d ON true
    WHERE c IS DISTINCT FROM d.derived;
END
$$
"""


# The expiry that the steps arrive at, and the one that the result tells.
EXPLAIN = """
CREATE FUNCTION pg_temp.explain(the_lead bigint, looks timestamptz[])
RETURNS TABLE (reached timestamptz, result timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT
        (
            array_agg(e.expires_at ORDER BY e.step DESC)
            FILTER (WHERE e.item <> 'RESULT' AND e.expires_at IS NOT NULL)
        )[1],
        (array_agg(e.expires_at ORDER BY e.step DESC))[1]
    FROM unnest(looks) WITH ORDINALITY AS look (as_of, n)
    CROSS JOIN LATERAL lead_protection.explain_protection(the_lead, look.as_of) AS e
    GROUP BY look.n
    ORDER BY look.n;
END
$$
"""


def shown_by(db: psycopg.Connection, function: str, lead_id: int, looks: list[datetime]) -> list[Protection | None]:
    """What a function of the instant shows of the lead at each look; None where it has no row."""
    rows = db.execute(f"SELECT * FROM pg_temp.look_by_{function}(%s, %s)", (lead_id, looks))
    return [None if row[2] is None else Protection(*in_utc(row)) for row in rows]


@pytest.fixture
def bare(db):
    """A connection to a database that takes facts in the future; plans are made once, and for tables with rows."""
    take_facts_of_the_future(db)
    for function in ("protection_as_of", "user_lead_protection"):
        db.execute(LOOK.format(function=function))
    db.execute(DRIFT)
    db.execute(EXPLAIN)
    return db


def check(bare: psycopg.Connection, lead: Lead, looks: list[datetime]) -> None:
    """Compare all that shows the lead with the model, at each look."""
    expected = [protection(lead, look) for look in looks]
    known = last_known(lead)
    later = [look for look in looks if look >= known]
    with bare.transaction(force_rollback=True):
        insert_world(bare, 1, lead)
        assert shown_by(bare, "protection_as_of", 1, looks) == expected
        assert shown_by(bare, "user_lead_protection", 1, later) == expected[len(looks) - len(later) :]
        assert bare.execute("SELECT * FROM pg_temp.drift(1)").fetchall() == []
        # A few: an explanation costs more than the rest.
        few = slice(len(looks) // 6, None, len(looks) // 3)
        explained = bare.execute("SELECT * FROM pg_temp.explain(1, %s)", (looks[few],)).fetchall()
        expiries = [e and e.protection_expires_at for e in expected[few]]
        assert [in_utc(row) for row in explained] == [(expiry, expiry) for expiry in expiries]


@of_seed(seed())
@settings(
    max_examples=cases(1200, usual=100, fast=20),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_random_facts(bare, world):
    check(bare, *world)


@pytest.mark.parametrize("name", RARE)
def test_rare_facts(bare, name):
    check(bare, RARE[name], RARE_LOOKS)


def test_leads_that_have_nothing_in_common(db):
    """Those that Hypothesis draws one after the other resemble each other, half of them by what they lack."""
    parts = store_answers(db)
    assert disagreement(db, parts) is None
