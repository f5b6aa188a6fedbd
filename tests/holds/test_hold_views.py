"""The operators' views of holds."""

from datetime import timedelta

from helpers.calls import call, rows
from helpers.facts import PROTECTED, insert_lead_of_age
from helpers.hold_calls import (
    DAY,
    active,
    correct,
    create,
    from_now,
    hold_row,
    override,
    release,
    void,
)
from helpers.hold_limits import limited_lead, open_hold
from helpers.jobs import run_nightly

ABOUT_TO_END = (
    "SELECT hold_id, ends_at, end_at FROM lead_protection.v_active_holds"
    " WHERE ends_at < now() + INTERVAL '7 days' ORDER BY hold_id"
)

# --- views ---


def test_active_holds(db):
    policy_id = limited_lead(db, 1, hold_limit_days=10)
    for lead_id in (2, 3, 4, 5):
        insert_lead_of_age(db, lead_id, PROTECTED)
    in_force = create(db, 1, reason="SUPPLY_ISSUE", actor_id=5, start_at=from_now(-4))
    create(db, 1, start_at=from_now(2), end_at=from_now(3))
    create(db, 2, start_at=from_now(-4), end_at=from_now(-3))
    void(db, create(db, 2)["hold_id"], 1)
    create(db, 3)
    call(db, "transfer_lead", lead_id=3, user_id=7, new_user_id=8, reason="x", actor_id=1)
    open_hold(db, 4, from_now(-1))
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 4")
    bounded = create(db, 5, start_at=from_now(-30), end_at=from_now(3))
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = 5", (policy_id,))
    first, second = active(db)
    age = first.pop("age")
    assert 4 * DAY < age < 4 * DAY + timedelta(minutes=1)
    assert first == {
        "hold_id": in_force["hold_id"], "lead_id": 1, "user_id": 7, "reason_code": "SUPPLY_ISSUE",
        "reason": "SUPPLY_ISSUE", "start_at": in_force["start_at"], "end_at": None,
        "ends_at": in_force["start_at"] + 10 * DAY, "limit_at": in_force["start_at"] + 10 * DAY,
        "overrun": False, "limit_override_until": None, "version": 1,
        "created_by": 5, "created_at": in_force["created_at"],
    }  # fmt: skip
    # One with an end ends there: the nightly job leaves it alone.
    assert (second["hold_id"], second["overrun"]) == (bounded["hold_id"], False)
    assert run_nightly(db)["holds_overrun"] == 0
    ending = rows(db, ABOUT_TO_END)
    assert ending == [
        {"hold_id": in_force["hold_id"], "ends_at": in_force["start_at"] + 10 * DAY, "end_at": None},
        {"hold_id": bounded["hold_id"], "ends_at": bounded["end_at"], "end_at": bounded["end_at"]},
    ]


def test_holds_that_end_later_are_not_about_to_end(db):
    limited_lead(db, 1, hold_limit_days=10)
    insert_lead_of_age(db, 2, PROTECTED)
    insert_lead_of_age(db, 3, PROTECTED)
    create(db, 1, start_at=from_now(-2.9))
    create(db, 2, start_at=from_now(-1), end_at=from_now(7.1))
    create(db, 3)
    assert rows(db, ABOUT_TO_END) == []


def test_the_history_of_a_lead_tells_each_step(db):
    limited_lead(db, 1, hold_limit_days=10)
    hold = create(db, 1, reason="SUPPLY_ISSUE", actor_id=5, start_at=from_now(-8))
    run_nightly(db)
    override(db, hold["hold_id"], 1, from_now(9), actor_id=2)
    correct(db, hold["hold_id"], 2, from_now(-9), None, actor_id=2)
    release(db, actor_id=3)
    void(db, hold["hold_id"], 4, actor_id=2)
    history = rows(db, "SELECT * FROM lead_protection.v_hold_history WHERE lead_id = 1 ORDER BY occurred_at")
    assert [(row["event_type"], row["actor_id"], row["hold_id"]) for row in history] == [
        ("lead.hold.created", 5, hold["hold_id"]),
        ("lead.hold.limit_near", None, hold["hold_id"]),
        ("lead.hold.limit_overridden", 2, hold["hold_id"]),
        ("lead.hold.corrected", 2, hold["hold_id"]),
        ("lead.hold.released", 3, hold["hold_id"]),
        ("lead.hold.voided", 2, hold["hold_id"]),
    ]
    assert (history[3]["hold_start_at_before"], history[3]["hold_end_at_before"]) == (hold["start_at"], None)
    assert history[3]["hold_start_at"] < hold["start_at"]
    assert history[4]["hold_end_at"] == hold_row(db, hold["hold_id"])["end_at"]


def test_leads_on_hold_by_user_and_reason(db):
    limited_lead(db, 1, hold_limit_days=10)
    for lead_id, user_id in ((2, 7), (3, 7), (4, 8), (5, 8)):
        insert_lead_of_age(db, lead_id, PROTECTED, user_id)
    open_hold(db, 1, from_now(-15))
    oldest = create(db, 2, reason="SUPPLY_ISSUE", start_at=from_now(-3))
    create(db, 2, reason="SUPPLY_ISSUE", start_at=from_now(-1), end_at=from_now(1))
    create(db, 3, reason="SUPPLY_ISSUE")
    create(db, 4, user_id=8, reason="SUPPLY_ISSUE")
    query = "SELECT user_id, reason_code, leads, overrun FROM lead_protection.v_kpi_holds ORDER BY user_id, reason_code"
    assert [tuple(row.values()) for row in rows(db, query)] == [
        (7, "OTHER", 1, 1),
        (7, "SUPPLY_ISSUE", 2, 0),
        (8, "SUPPLY_ISSUE", 1, 0),
    ]
    (row,) = rows(db, "SELECT oldest_start_at AS at FROM lead_protection.v_kpi_holds WHERE leads = 2")
    assert row["at"] == oldest["start_at"]
