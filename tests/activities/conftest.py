"""A lead under the parallel rule."""

import pytest

from helpers.activity_calls import IDLE, START, clock
from helpers.facts import (
    insert_lead,
    insert_policy,
)


@pytest.fixture
def parallel(db):
    """A lead of user 7 under the parallel rule, brought in at START; the policy's id."""
    policy_id = insert_policy(db, rule="parallel")
    insert_lead(db, 1, START, policy_id=policy_id)
    assert clock(db) == IDLE
    return policy_id
