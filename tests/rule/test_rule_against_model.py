"""Random facts: derivation, cached view and explanation against the independent model."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as of_seed

from helpers.facts import in_utc
from helpers.model import (
    Hold,
    Lead,
    Policy,
    Protection,
    Reminder,
    Version,
    protection,
)
from helpers.project import cases, seed
from helpers.worlds import insert_world, take_facts_of_the_future, worlds

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


def last_known(lead: Lead) -> datetime:
    """The instant of the last fact that the cache knows as if it had always been."""
    present = lead.versions[-1]
    return max(
        present.start,
        present.closed_at or present.start,
        *(activity.occurred_at for activity in lead.activities),
        *(extension.granted_at for extension in lead.extensions),
        *(reminder.sent_at for reminder in lead.reminders),
        *(reminder.delivered_at for reminder in lead.reminders if reminder.delivered_at is not None),
        *(version.valid_until for version in lead.versions[:-1] if version.valid_until),
    )


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
    max_examples=cases(1200, usual=200, fast=60),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_random_facts(bare, world):
    check(bare, *world)


BEGUN = datetime(2025, 1, 15, 9, tzinfo=UTC)
SATURDAY = datetime(2025, 1, 19, 9, tzinfo=UTC)
BY_DAYS = Policy(period_end="end_of_day", calendar="DE-NW", expiry_on="working_day", remind_on="working_day")
# What chance seldom finds, and once was wrong or is easily made so.
RARE = {
    # Each policy has its own grace days. The last brings back the first window, which was reminded of, with a later due
    # instant; a reminder of another window came between.
    "a window that comes back": Lead(
        versions=(
            Version(7, Policy(extension_days=55, grace_days=15), BEGUN, None, datetime(2025, 9, 9, tzinfo=UTC)),
            Version(7, Policy(grace_days=30), BEGUN, None, datetime(2025, 9, 14, tzinfo=UTC)),
            Version(7, Policy(extension_days=65, grace_days=5), BEGUN),
        ),
        reminders=(
            Reminder(7, datetime(2025, 9, 8, 6, tzinfo=UTC), date(2025, 9, 23)),
            Reminder(7, datetime(2025, 9, 13, 6, tzinfo=UTC), date(2025, 10, 13)),
        ),
    ),
    "an open hold that takes over from a planned one": Lead(
        versions=(Version(7, Policy(), BEGUN),),
        holds=(
            Hold(7, datetime(2025, 9, 18, 8, tzinfo=UTC), datetime(2025, 10, 3, 8, tzinfo=UTC)),
            Hold(7, datetime(2025, 10, 3, 8, tzinfo=UTC), None),
        ),
    ),
    # By its terms the protection ends on Saturday, 27 September 2025; by the calendar on Monday.
    "a hold that begins on a day that the calendar added": Lead(
        versions=(Version(7, replace(BY_DAYS, hold_unit="day"), SATURDAY),),
        holds=(Hold(7, datetime(2025, 9, 29, 8, tzinfo=UTC), datetime(2025, 10, 2, 8, tzinfo=UTC)),),
    ),
    "a hold by the time elapsed that begins on such a day": Lead(
        versions=(Version(7, BY_DAYS, SATURDAY),),
        holds=(Hold(7, datetime(2025, 9, 29, 8, tzinfo=UTC), datetime(2025, 10, 2, 8, tzinfo=UTC)),),
    ),
    "two holds on one day": Lead(
        versions=(Version(7, replace(BY_DAYS, hold_unit="day"), BEGUN),),
        holds=(
            Hold(7, datetime(2025, 9, 3, 8, tzinfo=UTC), datetime(2025, 9, 5, 8, tzinfo=UTC)),
            Hold(7, datetime(2025, 9, 5, 12, tzinfo=UTC), datetime(2025, 9, 8, 12, tzinfo=UTC)),
        ),
    ),
    "an open hold that counts by days": Lead(
        versions=(Version(7, Policy(hold_unit="day"), BEGUN),),
        holds=(Hold(7, datetime(2025, 9, 3, 8, tzinfo=UTC), None),),
    ),
    "a hold that begins in the evening of the last day": Lead(
        versions=(Version(7, Policy(period_end="end_of_day"), BEGUN),),
        holds=(Hold(7, datetime(2025, 9, 23, 20, tzinfo=UTC), datetime(2025, 9, 24, 6, tzinfo=UTC)),),
    ),
    "a notice that arrives late, on a Sunday": Lead(
        versions=(
            Version(7, replace(BY_DAYS, notice_required=True, notice_counts_from="delivered_working_day"), BEGUN),
        ),
        reminders=(
            Reminder(7, datetime(2025, 9, 12, 6, tzinfo=UTC), date(2025, 9, 23), datetime(2025, 9, 21, 6, tzinfo=UTC)),
        ),
    ),
    "a notice that another system sent": Lead(
        versions=(Version(7, Policy(notice_required=True, notice_counts_from="delivered"), BEGUN),),
        reminders=(Reminder(7, datetime(2025, 9, 20, 6, tzinfo=UTC), date(2025, 9, 23), adopted=True),),
    ),
    "a hold while a notice is owed": Lead(
        versions=(Version(7, Policy(notice_required=True), BEGUN),),
        holds=(Hold(7, datetime(2025, 10, 1, 8, tzinfo=UTC), None),),
    ),
}


@pytest.mark.parametrize("name", RARE)
def test_rare_facts(bare, name):
    check(bare, RARE[name], [datetime(2025, 9, 1, tzinfo=UTC) + timedelta(days=days) for days in range(60)])
