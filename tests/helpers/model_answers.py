"""What the model says of many leads, in a table: a query compares the rule and the cached view with all of it."""

from datetime import datetime

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as of_seed

from helpers.model import Lead, protection, stands_still_by_days, time_left
from helpers.project import cases, seed
from helpers.rare_facts import RARE, RARE_LOOKS
from helpers.worlds import insert_world, last_known, take_facts_of_the_future, worlds

# A part is compared before the next: nearly every fault shows in the first few leads.
PART = 20
TABLE = """
CREATE TABLE public.model_answers (
    part integer, lead_id bigint, as_of timestamptz, in_cache boolean,
    user_id bigint, protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz,
    time_left interval, by_days boolean
)
"""
WRONG = """
SELECT m.lead_id, m.as_of, m::text, p::text
FROM public.model_answers AS m
-- With OFFSET, for each question by itself: the planner would else ask for all leads, and then pick.
LEFT JOIN LATERAL (SELECT p.* FROM lead_protection.{}(m.as_of) AS p WHERE p.lead_id = m.lead_id OFFSET 0) AS p ON true
WHERE
    m.part = %s AND {}
LIMIT 1
"""
DIFFERENT = (
    "(p.user_id, p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at)"
    " IS DISTINCT FROM (m.user_id, m.protection_expires_at, m.state, m.on_hold, m.reminder_due_at)"
)
BY_THE_RULE = WRONG.format("protection_as_of", DIFFERENT)
BY_THE_CACHE = WRONG.format(
    "user_lead_protection",
    f"m.in_cache AND ({DIFFERENT} OR (NOT m.by_days AND p.time_left IS DISTINCT FROM m.time_left))",
)
REFRESH = "SELECT lead_protection.refresh_lead_clocks(ARRAY(SELECT id FROM lead_protection.leads))"


def one_world(number: int) -> tuple[Lead, list[datetime]]:
    """The world of a number: none resembles another, as those do that Hypothesis draws one after the other."""
    drawn: list[tuple[Lead, list[datetime]]] = []

    # The first is the simplest that there is, whatever the seed.
    @of_seed(1000 * seed() + number)
    @settings(max_examples=2, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(world=worlds())
    def draw(world: tuple[Lead, list[datetime]]) -> None:
        drawn.append(world)

    draw()
    return drawn[-1]


def store_answers(db: psycopg.Connection) -> int:
    """Write as many worlds as the suite looks at, with what the model says of them; return how many parts there are."""
    take_facts_of_the_future(db)
    db.execute(TABLE)
    drawn = [one_world(number) for number in range(cases(600, usual=80, fast=8))]
    found = [*((lead, RARE_LOOKS) for lead in RARE.values()), *drawn]
    for lead_id, (lead, looks) in enumerate(found, start=1):
        insert_world(db, lead_id, lead)
        known = last_known(lead)
        with db.cursor().copy("COPY public.model_answers FROM STDIN") as copy:
            for look in looks:
                shown = protection(lead, look)
                row = tuple(vars(shown).values()) if shown else (None,) * 5
                left = time_left(lead, look, shown), stands_still_by_days(lead, look, shown)
                copy.write_row(((lead_id - 1) // PART, lead_id, look, look >= known, *row, *left))
    db.execute("CREATE INDEX ON public.model_answers (part)")
    db.execute("VACUUM ANALYZE")
    return (len(found) - 1) // PART + 1


def disagreement(db: psycopg.Connection, parts: int) -> tuple | None:
    """The first question that the cache, filled anew, or the rule answers in another way than the model."""
    db.execute(REFRESH)
    questions = ((query, part) for query in (BY_THE_CACHE, BY_THE_RULE) for part in range(parts))
    return next((wrong for query, part in questions if (wrong := db.execute(query, (part,)).fetchone())), None)
