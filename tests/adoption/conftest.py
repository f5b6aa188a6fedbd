"""The CRM's table, adopted."""

import pytest

from helpers.adoption_calls import ADOPT_CALLS, CALLS, ages
from helpers.sources import CRM


@pytest.fixture
def crm(db):
    """The CRM's table, adopted and switched on, with three leads of 10 days: 1 and 2 of user 101, 3 of 102."""
    db.execute(CRM.ddl)
    for number, user in ((1, 101), (2, 101), (3, 102)):
        db.execute(CRM.insert_sql(number, 10, user))
    db.execute(CRM.adopt_sql())
    db.execute("CALL lead_protection.switch_on_adoption()")
    return db


@pytest.fixture
def calls(db):
    """The CRM's table under the parallel rule, adopted and switched on, and its calls, adopted."""
    db.execute("SELECT lead_protection.create_policy_version('p', 1, rule => 'parallel')")
    db.execute("SELECT lead_protection.set_default_policy(2, 1)")
    ages(db, 40, 40)
    db.execute(CALLS)
    db.execute("INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (1, 101, now() - INTERVAL '20 days', 'call')")
    db.execute("INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (1, 101, now() - INTERVAL '9 days', 'chat')")
    db.execute("INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (NULL, 101, now(), 'call')")
    db.execute(ADOPT_CALLS)
    db.execute("CALL lead_protection.switch_on_adoption()")
    return db
