"""A protected lead."""

import pytest

from helpers.facts import PROTECTED, insert_lead_of_age
from helpers.hold_calls import (
    create,
    from_now,
)
from helpers.hold_limits import limited_lead, open_hold


@pytest.fixture
def lead(db):
    """The connection, to a database with a protected lead of user 7."""
    insert_lead_of_age(db, 1, PROTECTED)
    return db


@pytest.fixture
def hold(lead):
    """The open hold of lead 1, made 20 days ago."""
    return create(lead, start_at=from_now(-20))


@pytest.fixture
def overrun(db):
    """A hold past its limit; its id."""
    limited_lead(db, 1, hold_limit_days=10)
    return open_hold(db, 1, from_now(-15))
