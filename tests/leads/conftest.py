"""A lead under the policy with worked dates."""

from datetime import datetime

import pytest

from helpers.calls import make_policy
from helpers.facts import insert_lead
from helpers.lead_calls import (
    BERLIN,
    DUE,
    EXPIRY,
    START,
    shown,
)


@pytest.fixture
def long(db) -> int:
    """The policy of the worked dates, the default from now on; lead 1 of user 7 is under it."""
    policy_id = make_policy(db, "long", base_months=600)
    db.execute("SELECT lead_protection.set_default_policy(%s, 5)", (policy_id,))
    insert_lead(db, 1, START)
    assert (shown(db)["protection_expires_at"], shown(db)["reminder_due_at"]) == (EXPIRY, DUE)
    return policy_id


@pytest.fixture
def noticed(db) -> int:
    """A lead of the policy 1 month, 20 and 10 days, in Berlin: from 1 February to 31 March 2025, due on 21 March."""
    policy_id = make_policy(db, "noticed", base_months=1, extension_days=20, grace_days=10, notice_required=True)
    insert_lead(db, 1, datetime(2025, 2, 1, 12, 0, tzinfo=BERLIN), policy_id=policy_id)
    return policy_id
