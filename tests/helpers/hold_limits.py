"""Leads under a policy with limits on holds, and open holds that no limit was asked for."""

from helpers.calls import rows
from helpers.facts import PROTECTED, insert_holds, insert_lead_of_age
from helpers.hold_calls import (
    STATE,
    limited_policy,
    view,
)


def shown(db, lead_id=1):
    """What the view shows of the lead."""
    row = view(db, lead_id)
    return {column: row[column] for column in STATE}


def limited_lead(db, lead_id=2, days=PROTECTED, **limits):
    """Insert a lead of user 7 under a policy with limits."""
    policy_id = limited_policy(db, **limits)
    insert_lead_of_age(db, lead_id, days)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = %s", (policy_id, lead_id))
    return policy_id


def open_hold(db, lead_id, start_at):
    """An open hold that no limit was asked for, as a row; return its id."""
    insert_holds(db, lead_id, [(start_at, None)])
    return rows(db, "SELECT max(id) AS id FROM lead_protection.lead_holds")[0]["id"]
