"""Limits on holds: overrun, announced, overridden."""

from datetime import UTC, timedelta

import pytest

from helpers.calls import call, refused, rows
from helpers.facts import NIGHTLY_IDLE, PROTECTED, events, insert_lead_of_age
from helpers.hold_calls import (
    DAY,
    active,
    consistent,
    correct,
    create,
    everything,
    from_now,
    hold_row,
    log,
    override,
    release,
    view,
    void,
)
from helpers.hold_limits import limited_lead, open_hold
from helpers.jobs import run_nightly

MICROSECOND = timedelta(microseconds=1)


# --- limits ---


def test_one_hold_may_be_as_long_as_the_limit_and_not_longer(db):
    limited_lead(db, hold_limit_days=10)
    start_at = from_now(-3)
    refused("LP032", create, db, 2, start_at=start_at, end_at=start_at + 10 * DAY + MICROSECOND)
    hold = create(db, 2, start_at=start_at, end_at=start_at + 10 * DAY)
    assert hold["created"] is True
    later = start_at + 10 * DAY + MICROSECOND
    refused("LP032", correct, db, hold["hold_id"], 1, start_at, later)
    # The limit of one hold says nothing about two.
    assert create(db, 2, start_at=start_at + 20 * DAY, end_at=start_at + 30 * DAY)["created"] is True


def test_a_limit_counts_days_of_24_hours(db):
    """Across both changes of the clocks of Berlin, whatever the session's zone."""
    db.execute("SET TimeZone = 'Europe/Berlin'")
    limited_lead(db, hold_limit_days=300, days=200)
    hold = create(db, 2, start_at=from_now(-1))
    (standing,) = active(db)
    assert standing["limit_at"].astimezone(UTC) == hold["start_at"].astimezone(UTC) + 300 * DAY


def test_a_limit_counts_from_where_the_hold_stops_the_clock(db):
    limited_lead(db, days=5, hold_limit_days=10)
    began = view(db, 2)["created_at"]
    refused("LP032", create, db, 2, start_at=began - 50 * DAY, end_at=began + 10 * DAY + MICROSECOND)
    assert create(db, 2, start_at=began - 50 * DAY, end_at=began + 10 * DAY)["created"] is True
    # One that lies before the protection counts for nothing, and no limit minds it.
    assert create(db, 2, start_at=began - 90 * DAY, end_at=began - 60 * DAY)["created"] is True


def test_an_open_hold_needs_time_left(db):
    limited_lead(db, hold_limit_days=10)
    refused("LP032", create, db, 2, start_at=from_now(-10))
    assert create(db, 2, start_at=from_now(-9))["created"] is True


def test_all_holds_together_and_overlaps_once(db):
    limited_lead(db, hold_total_limit_days=10)
    t = from_now(-40)
    assert create(db, 2, start_at=t, end_at=t + 6 * DAY)["created"] is True
    refused("LP032", create, db, 2, start_at=t + 4 * DAY, end_at=t + 10 * DAY + MICROSECOND)
    assert create(db, 2, start_at=t + 4 * DAY, end_at=t + 10 * DAY)["created"] is True
    # All used up: only what overlaps is still allowed.
    refused("LP032", create, db, 2, start_at=t + 20 * DAY, end_at=t + 20 * DAY + MICROSECOND)
    assert create(db, 2, start_at=t + 1 * DAY, end_at=t + 9 * DAY)["created"] is True
    refused("LP032", create, db, 2)
    # What is void, or belonged to another protection, is not counted.
    for row in rows(db, "SELECT id FROM lead_protection.lead_holds WHERE end_at - start_at = INTERVAL '8 days'"):
        void(db, row["id"], 1)
    refused("LP032", create, db, 2)
    void(db, rows(db, "SELECT min(id) AS id FROM lead_protection.lead_holds")[0]["id"], 1)
    assert create(db, 2, start_at=t + 20 * DAY, end_at=t + 24 * DAY)["created"] is True
    call(db, "transfer_lead", lead_id=2, user_id=7, new_user_id=8, reason="x", actor_id=1)
    began = view(db, 2)["created_at"]
    policy_id = rows(db, "SELECT id FROM lead_protection.protection_policies WHERE name = 'limited'")[0]["id"]
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (policy_id,))
    assert create(db, 2, user_id=8, start_at=began, end_at=began + 10 * DAY)["created"] is True


def test_the_limit_of_an_open_hold_minds_planned_ones(db):
    """Those that it will run into stretch it, for they stop the clock anyway; those beyond are taken off."""
    limited_lead(db, hold_total_limit_days=10)
    t = from_now(-1)
    create(db, 2, start_at=t + 3 * DAY, end_at=t + 5 * DAY)
    create(db, 2, start_at=t + 20 * DAY, end_at=t + 23 * DAY)
    create(db, 2, start_at=t)
    (standing,) = active(db)
    # 10 days less 2 less 3, and the 2 that it runs through.
    assert standing["limit_at"] == t + 7 * DAY


def test_a_planned_hold_minds_the_open_one(db):
    """What the open one has used until now is used: it must not lose it to a plan."""
    limited_lead(db, hold_total_limit_days=10)
    open_since = from_now(-6)
    create(db, 2, start_at=open_since)
    t = from_now(30)
    refused("LP032", create, db, 2, start_at=t, end_at=t + 4.01 * DAY)
    create(db, 2, start_at=t, end_at=t + 3.5 * DAY)
    (standing,) = active(db)
    assert standing["limit_at"] == open_since + 6.5 * DAY
    assert run_nightly(db)["holds_overrun"] == 0


def test_the_shorter_of_both_limits_counts(db):
    limited_lead(db, hold_limit_days=8, hold_total_limit_days=10)
    t = from_now(-40)
    refused("LP032", create, db, 2, start_at=t, end_at=t + 9 * DAY)
    create(db, 2, start_at=t, end_at=t + 6 * DAY)
    refused("LP032", create, db, 2, start_at=t + 10 * DAY, end_at=t + 15 * DAY)
    assert create(db, 2, start_at=t + 10 * DAY, end_at=t + 14 * DAY)["created"] is True


def test_the_default_policy_sets_no_limit(lead):
    policy = rows(lead, "SELECT hold_limit_days, hold_total_limit_days FROM lead_protection.protection_policies")
    assert policy == [{"hold_limit_days": None, "hold_total_limit_days": None}]
    assert create(lead, start_at=from_now(-99))["created"] is True
    assert create(lead, start_at=from_now(1), end_at=from_now(3000))["created"] is True
    assert active(lead)[0]["limit_at"] is None and active(lead)[0]["overrun"] is False
    assert run_nightly(lead) == NIGHTLY_IDLE
    # An override of no limit is no limit either.
    override(lead, 1, 1, from_now(1))
    assert active(lead)[0]["limit_at"] is None


def test_the_nightly_job_ends_an_overrun_hold_at_its_limit(db):
    limited_lead(db, hold_limit_days=10)
    base = view(db, 2)["protection_expires_at"]
    start_at = from_now(-15)
    hold_id = open_hold(db, 2, start_at)
    assert active(db)[0]["overrun"] is True
    assert run_nightly(db) == NIGHTLY_IDLE | {"holds_overrun": 1}
    ended = hold_row(db, hold_id)
    assert (ended["end_at"], ended["released_by"], ended["version"]) == (start_at + 10 * DAY, None, 2)
    assert view(db, 2)["protection_expires_at"] == base + 10 * DAY
    assert view(db, 2)["on_hold"] is False
    (row,) = log(db, "lead.hold.overrun")
    assert row["actor_id"] is None and row["reason"]
    assert row["occurred_at"] == ended["overrun_at"]
    assert row["expires_after"] == base + 10 * DAY
    assert row["expires_before"] - row["expires_after"] == row["occurred_at"] - (start_at + 10 * DAY)
    left = everything(db)
    assert run_nightly(db) == NIGHTLY_IDLE
    assert everything(db) == left
    assert events(db, 2) == ["lead.changed", "lead.hold.overrun"]
    consistent(db)


def test_an_overrun_hold_of_a_lead_that_is_over_is_left_alone(db):
    limited_lead(db, hold_limit_days=10)
    open_hold(db, 2, from_now(-15))
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 2")
    assert run_nightly(db) == NIGHTLY_IDLE


@pytest.mark.parametrize("how", ["single", "bulk", "close"])
def test_a_release_after_the_limit_ends_the_hold_at_the_limit(db, how):
    """Whether the job or a person comes first makes no difference to the expiry."""
    limited_lead(db, hold_limit_days=10)
    base = view(db, 2)["protection_expires_at"]
    start_at = from_now(-15)
    hold_id = open_hold(db, 2, start_at)
    if how == "single":
        release(db, 2, actor_id=5)
    elif how == "bulk":
        call(db, "release_leads", request_key="k", actor_id=5, lead_ids=[2])
    else:
        call(db, "close_lead", lead_id=2, user_id=7, outcome="LOST", reason="x", actor_id=5)
    ended = hold_row(db, hold_id)
    assert (ended["end_at"], ended["released_by"]) == (start_at + 10 * DAY, 5)
    assert view(db, 2)["protection_expires_at"] == base + 10 * DAY


def test_a_release_before_the_limit_ends_the_hold_now(db):
    limited_lead(db, hold_limit_days=10)
    start_at = from_now(-9)
    open_hold(db, 2, start_at)
    (released,) = release(db, 2)
    assert start_at + 9 * DAY < released["end_at"] < start_at + 10 * DAY


def test_the_limit_is_announced_once(db):
    limited_lead(db, hold_limit_days=10)
    hold = create(db, 2, start_at=from_now(-4))
    before = view(db, 2)
    assert run_nightly(db) == NIGHTLY_IDLE | {"hold_limits_announced": 1}
    assert run_nightly(db) == NIGHTLY_IDLE
    (row,) = log(db, "lead.hold.limit_near")
    assert (row["actor_id"], row["state_after"]) == (None, before["state"])
    limit_at = (hold["start_at"] + 10 * DAY).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (row["details"]["hold_id"], row["details"]["limit_at"]) == (hold["hold_id"], limit_at)
    # It is no change that an operator could have missed.
    assert hold_row(db, hold["hold_id"])["version"] == 1
    # Corrected, it is announced once more.
    correct(db, hold["hold_id"], 1, hold["start_at"] - DAY, None)
    assert [run_nightly(db)["hold_limits_announced"] for _ in range(2)] == [1, 0]
    # Overridden, when its new limit is near.
    override(db, hold["hold_id"], 2, from_now(30))
    assert run_nightly(db)["hold_limits_announced"] == 0
    override(db, hold["hold_id"], 3, from_now(6))
    assert [run_nightly(db)["hold_limits_announced"] for _ in range(2)] == [1, 0]
    consistent(db)


def test_only_open_holds_near_their_limit_are_announced(db):
    limited_lead(db, hold_limit_days=10)
    create(db, 2, start_at=from_now(-2.9))
    insert_lead_of_age(db, 3, PROTECTED)
    db.execute("UPDATE lead_protection.leads SET policy_id = (SELECT max(policy_id) FROM lead_protection.leads)")
    create(db, 3, start_at=from_now(-8), end_at=from_now(1))
    assert run_nightly(db) == NIGHTLY_IDLE


def test_an_override_keeps_the_hold_open(db):
    limited_lead(db, hold_limit_days=10)
    hold_id = open_hold(db, 2, from_now(-15))
    until_at = from_now(5)
    before = view(db, 2)
    answer = override(db, hold_id, 1, until_at, "the supplier said so", 99)
    assert answer["changed"] is True
    assert answer["expires_after"] == answer["expires_before"] >= before["protection_expires_at"]
    (row,) = log(db, "lead.hold.limit_overridden")
    assert (row["actor_id"], row["reason"]) == (99, "the supplier said so")
    assert row["details"]["limit_override_until"] == until_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert run_nightly(db)["holds_overrun"] == 0
    (standing,) = active(db)
    assert (standing["limit_at"], standing["limit_override_until"], standing["overrun"]) == (until_at, until_at, False)
    left = everything(db)
    assert override(db, hold_id, 1, until_at)["changed"] is False
    assert everything(db) == left
    # It may get an end up to there, and no later one.
    refused("LP032", correct, db, hold_id, 2, from_now(-15), until_at + MICROSECOND)
    assert correct(db, hold_id, 2, from_now(-15), until_at)["changed"] is True


def test_an_override_never_shortens_a_limit(db):
    limited_lead(db, hold_limit_days=10)
    hold = create(db, 2, start_at=from_now(-4))
    override(db, hold["hold_id"], 1, from_now(-1))
    assert active(db)[0]["limit_at"] == hold["start_at"] + 10 * DAY


def test_a_hold_that_the_job_ended_is_opened_again_after_an_override(db):
    limited_lead(db, hold_limit_days=10)
    start_at = from_now(-15)
    hold_id = open_hold(db, 2, start_at)
    run_nightly(db)
    refused("LP032", correct, db, hold_id, 2, start_at, None)
    override(db, hold_id, 2, from_now(5))
    answer = correct(db, hold_id, 3, start_at, None)
    assert answer["on_hold_after"] is True
    assert hold_row(db, hold_id)["overrun_at"] is None
    assert run_nightly(db)["holds_overrun"] == 0
    consistent(db)


def test_a_move_to_a_stricter_policy_ends_the_hold_at_its_limit(lead):
    start_at = from_now(-20)
    create(lead, start_at=start_at)
    planned = create(lead, start_at=from_now(30), end_at=from_now(60))
    base = rows(lead, "SELECT base_expires_at FROM lead_protection.lead_clocks")[0]["base_expires_at"]
    policy_id = call(lead, "create_policy_version", name="strict", actor_id=1, hold_limit_days=10)[0]["policy_id"]
    call(lead, "move_leads_to_policy", lead_ids=[1], policy_id=policy_id, reason="x", actor_id=1)
    assert active(lead)[0]["overrun"] is True
    assert run_nightly(lead)["holds_overrun"] == 1
    # One with an end stands as it was decided; a new one would be refused.
    assert hold_row(lead, planned["hold_id"])["end_at"] == planned["end_at"]
    refused("LP032", create, lead, start_at=from_now(70), end_at=from_now(81))
    assert view(lead)["protection_expires_at"] == base + 10 * DAY + (planned["end_at"] - planned["start_at"])
    consistent(lead)


def test_policies_with_the_same_limits_are_one_version(db):
    made = [
        (answer["version"], answer["created"])
        for limits in (
            {},
            {},
            {"hold_limit_days": 30},
            {"hold_limit_days": 30},
            {"hold_limit_days": 30, "hold_total_limit_days": 90},
            {"hold_limit_days": 30, "hold_total_limit_days": 90},
            {},
        )
        for answer in call(db, "create_policy_version", name="p", actor_id=1, **limits)
    ]
    assert made == [(1, True), (1, False), (2, True), (2, False), (3, True), (3, False), (4, True)]
    for term in ("hold_limit_days", "hold_total_limit_days"):
        for days in (0, 36501):
            error = refused("LP018", call, db, "create_policy_version", name="p", actor_id=1, **{term: days})
            assert f"{term}: {days}" in str(error.diag.message_detail)
            assert f"{term}: 1 to 36500" in str(error.diag.message_hint)
    signatures = "SELECT 1 FROM pg_proc WHERE proname = 'create_policy_version'"
    assert len(rows(db, signatures)) == 1
