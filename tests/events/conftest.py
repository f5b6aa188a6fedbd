"""Leads to have events."""

import pytest

from helpers.facts import PROTECTED, insert_leads_of_age


@pytest.fixture
def leads(db):
    """Leads 1 to 5, protected."""
    insert_leads_of_age(db, *[PROTECTED] * 5)
