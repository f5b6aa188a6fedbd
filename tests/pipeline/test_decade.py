"""Some weeks of `make decade`: a server whose clock is set, and a model that says what must be in the ledgers."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from helpers.decade import Decade
from helpers.faked_clock import faked_server
from helpers.project import cases, seed


@pytest.mark.slow("it lives through some weeks on a server of its own")
@pytest.mark.parametrize("number", range(cases(3, usual=1, fast=1)))
def test_the_ledgers_hold_what_the_model_says_whatever_happens(number):
    """A failure names the day; it comes again with the seed at the head of the run."""
    drawn = f"{seed()} {number}"
    # Over a change of the clocks, in spring or in autumn.
    start = datetime(random.Random(drawn).randint(2016, 2030), random.Random(drawn).choice([3, 10]), 10, tzinfo=UTC)
    with faked_server(start) as server:
        decade = Decade(server, drawn, start, leads_a_day=3, trouble=3)
        decade.go(cases(120, usual=30, fast=30), 15)
        decade.ahead()
        decade.behind()
        decade.compare_all()
        decade.finish()
    done = decade.done | decade.ledgers.counts
    for what in ("crashes", "lead.protection.reminder", "lead.protection.expired", "lead.protection.warning"):
        assert done[what] > 0, done
    assert done["taken back: expiries"] and done["lead.protection.reactivated"], done
    assert decade.now - start > timedelta(days=29)
