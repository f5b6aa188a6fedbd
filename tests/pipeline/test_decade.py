"""Some weeks of `make decade`: a server whose clock is set, and a model that says what must be in the ledgers."""

import random
from datetime import UTC, datetime

import pytest

from helpers.decade import Decade
from helpers.expected_ledgers import EXPIRED, REACTIVATED, REMINDER
from helpers.faked_clock import faked_server
from helpers.project import cases, seed


@pytest.mark.parametrize("number", range(cases(3, usual=1, fast=1)))
@pytest.mark.thorough(
    "twelve days on a server of its own",
    by_day="pipeline/test_drills_against_model.py::test_the_jobs_do_at_each_instant_what_the_model_says"
    " pipeline/test_outage.py::test_after_an_outage_each_lead_has_the_one_fate_that_makes_sense",
)
def test_the_ledgers_hold_what_the_model_says_whatever_happens(number):
    """A failure names the day; it comes again with the seed at the head of the run."""
    drawn = f"{seed()} {number}"
    # Over a change of the clocks, in spring or in autumn.
    chance = random.Random(drawn)
    start = datetime(chance.randint(2016, 2030), chance.choice([3, 10]), 20, tzinfo=UTC)
    with faked_server(start) as server:
        decade = Decade(server, drawn, start, leads_a_day=8, trouble=2)
        decade.go(cases(90, usual=12, fast=12), 15)
        decade.later()
        decade.run(killed=True)
        # By a year, and by 300 days.
        decade.ahead()
        decade.behind()
        decade.compare_all()
        decade.finish()
    done = decade.done | decade.ledgers.counts
    for what in ("crashes", "deaths of consumers", REMINDER, EXPIRED, REACTIVATED, "taken back: expiries"):
        assert done[what] > 0, done
