"""Five months of the jobs over leads of all kinds, as drills: the ledgers and the log hold what the model says."""

import pytest

from helpers.drills import Drills
from helpers.project import cases, seed


@pytest.mark.parametrize("number", range(cases(8, usual=1, fast=1)))
@pytest.mark.slow("hundreds of instants")
def test_the_jobs_do_at_each_instant_what_the_model_says(db, number):
    with db.transaction(force_rollback=True):
        drills = Drills(db, f"{seed()} {number}")
        assert drills.difference() is None
    for what in ("reminder", "repeated reminders", "expired", "reactivated"):
        assert drills.ledgers.counts[what if " " in what else f"lead.protection.{what}"] > 0
