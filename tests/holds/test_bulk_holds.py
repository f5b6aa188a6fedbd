"""hold_leads and release_leads: a row for each lead, one bad lead spoils nothing, a key is one request."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from helpers.calls import call, refused, rows
from helpers.facts import PROTECTED, REMINDER_DUE, events, insert_lead_of_age, insert_leads_of_age
from helpers.hold_calls import (
    DAY,
    active,
    consistent,
    correct,
    create,
    everything,
    from_now,
    limited_policy,
    override,
    release,
    view,
    void,
)
from helpers.sessions import execute_at_once, interleave


def hold_leads(db, key="k", reason="SUPPLY_ISSUE", actor_id=1, **more):
    """Call hold_leads and return its rows."""
    return call(db, "hold_leads", request_key=key, reason=reason, actor_id=actor_id, **more)


def release_leads(db, key="r", actor_id=1, **more):
    """Call release_leads and return its rows."""
    return call(db, "release_leads", request_key=key, actor_id=actor_id, **more)


def outcomes(answer):
    """What was done to each lead, in the order of the answer."""
    return [(row["lead_id"], row["outcome"], row["sqlstate"]) for row in answer]


def states_and_holds(db):
    """What the view shows of all leads, without the instants that move while on hold."""
    query = "SELECT lead_id, state, on_hold FROM lead_protection.v_user_lead_protection ORDER BY lead_id"
    return rows(db, query)


@pytest.fixture
def leads(db):
    """Leads 1 to 5 of user 7, protected."""
    insert_leads_of_age(db, *[PROTECTED] * 5)
    return db


@pytest.fixture
def mixed(leads):
    """Lead 2 is closed, 3 on hold, 4 expired, 5 under a limit of 10 days, 6 user 8's; 99 is unknown."""
    call(leads, "close_lead", lead_id=2, user_id=7, outcome="LOST", reason="x", actor_id=1)
    create(leads, 3)
    leads.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '300 days' WHERE id = 4")
    policy_id = limited_policy(leads, hold_limit_days=10)
    leads.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = 5", (policy_id,))
    insert_lead_of_age(leads, 6, REMINDER_DUE, user_id=8)
    return leads


ALL = [6, 5, 4, 3, 2, 1, 99]


def test_a_row_for_each_lead_and_one_bad_lead_does_not_spoil_the_rest(mixed):
    begun = from_now(-11)
    answer = hold_leads(mixed, lead_ids=ALL, start_at=begun)
    assert outcomes(answer) == [
        (1, "done", None),
        (2, "refused", "LP009"),
        (3, "already", None),
        (4, "refused", "LP008"),
        (5, "refused", "LP032"),
        (6, "done", None),
        (99, "refused", "LP002"),
    ]
    assert [row["user_id"] for row in answer] == [7, 7, 7, 7, 7, 8, None]
    assert [row["why"] is not None for row in answer] == [row["outcome"] == "refused" for row in answer]
    assert len({row["decided_at"] for row in answer}) == 1
    made = {row["lead_id"]: row["hold_id"] for row in answer if row["hold_id"]}
    standing = rows(mixed, "SELECT * FROM lead_protection.lead_holds ORDER BY lead_id")
    assert made == {row["lead_id"]: row["id"] for row in standing}
    assert [(row["start_at"] == begun, row["reason_code"]) for row in standing] == [
        (True, "SUPPLY_ISSUE"),
        (False, "OTHER"),
        (True, "SUPPLY_ISSUE"),
    ]
    consistent(mixed)


def test_a_refusal_is_what_the_call_for_that_lead_alone_raises(mixed):
    span = {"start_at": from_now(-11), "end_at": from_now(2)}
    answer = {row["lead_id"]: row["sqlstate"] for row in hold_leads(mixed, lead_ids=ALL, **span)}
    single: dict[int, str | None] = {}
    for lead_id in ALL:
        try:
            create(mixed, lead_id, user_id=8 if lead_id == 6 else 7, **span)
            single[lead_id] = None
        except psycopg.Error as error:
            single[lead_id] = error.sqlstate
    assert single == answer


def test_bulk_holds_are_what_single_ones_are(leads):
    """The same rows, log and events, apart from the key in the details."""
    start_at = from_now(-3)
    hold_leads(leads, reason="a strike", actor_id=5, lead_ids=[1], start_at=start_at)
    create(leads, 2, reason="a strike", actor_id=5, start_at=start_at)
    release_leads(leads, actor_id=6, lead_ids=[1])
    release(leads, 2, actor_id=6)
    first, second = rows(
        leads,
        "SELECT user_id, reason, reason_code, start_at, created_by, released_by, version, end_at > start_at AS ended"
        " FROM lead_protection.lead_holds ORDER BY lead_id",
    )
    assert first == second
    log = (
        "SELECT event_type, user_id, actor_id, reason, state_before, state_after, expires_after >= expires_before AS up"
        ", details - 'hold_id' - 'hold_end_at' - 'request_key' AS details"
        " FROM lead_protection.protection_log WHERE lead_id = %s ORDER BY occurred_at"
    )
    assert rows(leads, log, (1,)) == rows(leads, log, (2,))
    keys = rows(leads, "SELECT details ->> 'request_key' AS key FROM lead_protection.protection_log WHERE lead_id = 1")
    assert [row["key"] for row in keys] == ["k", "r"]
    assert events(leads, 1) == events(leads, 2) == ["lead.hold.created", "lead.hold.released"]
    consistent(leads)


@pytest.mark.slow("thousands of leads")
def test_two_thousand_leads(db):
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n, n %% 20, now() - CASE WHEN n %% 10 = 0 THEN 300 ELSE 100 END * INTERVAL '1 day', now()"
        " FROM generate_series(1, 2000) AS n",
        (),
    )
    expiries = "SELECT lead_id, protection_expires_at AS at FROM lead_protection.v_user_lead_protection ORDER BY 1"
    before = rows(db, expiries)
    start_at = from_now(-4)
    answer = hold_leads(db, lead_ids=list(range(2000, 0, -1)), start_at=start_at)
    assert outcomes(answer) == [(n, "refused", "LP008") if n % 10 == 0 else (n, "done", None) for n in range(1, 2001)]
    assert events(db) == ["lead.hold.created"] * 1800
    consistent(db)
    left = everything(db)
    assert hold_leads(db, lead_ids=list(range(1, 2001)), start_at=start_at) == answer
    assert everything(db) == left

    released = release_leads(db, lead_ids=list(range(1, 2001)))
    assert outcomes(released) == [(n, "already" if n % 10 == 0 else "done", None) for n in range(1, 2001)]
    assert [row["hold_id"] for row in released] == [row["hold_id"] for row in answer]
    assert events(db) == ["lead.hold.created"] * 1800 + ["lead.hold.released"] * 1800
    consistent(db)
    after = rows(db, expiries)
    moved = {(b["at"] - a["at"]) for a, b in zip(before, after, strict=True)}
    assert moved == {0 * DAY, released[0]["decided_at"] - start_at}


def function_scans(node):
    """The plan's function scans, as (alias, how often it was read)."""
    if node["Node Type"] == "Function Scan":
        yield node["Alias"], node["Actual Loops"]
    for child in node.get("Plans", []):
        yield from function_scans(child)


@pytest.mark.slow("thousands of leads")
def test_no_list_is_read_once_for_each_lead(db):
    """Also once the statistics know other keys only, and after so many calls that a plan might be kept."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT n, 7, now() - INTERVAL '100 days' FROM generate_series(1, 300) AS n"
    )
    leads = list(range(1, 301))
    for turn in range(7):
        hold_leads(db, f"hold {turn}", lead_ids=leads)
        release_leads(db, f"release {turn}", lead_ids=leads)
        db.execute("ANALYZE")
    plans = []
    db.add_notice_handler(lambda notice: plans.append(notice.message_primary))
    db.execute(
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
        "SET auto_explain.log_analyze = on; SET auto_explain.log_timing = off; SET auto_explain.log_format = json;"
        "SET auto_explain.log_level = notice"
    )
    hold_leads(db, "k", lead_ids=leads)
    release_leads(db, "r", lead_ids=leads)
    db.execute("SET auto_explain.log_min_duration = -1")
    read = [
        scan
        for plan in plans
        if "plan:" in plan
        for scan in function_scans(json.loads(plan.split("plan:", 1)[1])["Plan"])
        # The functions' lists; what the rule unnests is a lead's own.
        if scan[0] in ("a", "b", "g", "h", "m", "u")
    ]
    assert {alias for alias, _ in read} >= {"a", "b", "g", "m", "u"}
    assert [scan for scan in read if scan[1] > 1] == []


def test_by_user_takes_the_open_leads_of_that_user(mixed):
    assert outcomes(hold_leads(mixed, user_id=7, start_at=from_now(-1))) == [
        (1, "done", None),
        (3, "already", None),
        (4, "refused", "LP008"),
        (5, "done", None),
    ]
    assert view(mixed, 6)["on_hold"] is False
    assert outcomes(release_leads(mixed, user_id=7)) == [
        (1, "done", None),
        (3, "done", None),
        (4, "already", None),
        (5, "done", None),
    ]
    consistent(mixed)


def test_a_repeated_request_answers_the_same_and_does_nothing(mixed):
    answer = hold_leads(mixed, lead_ids=ALL)
    released = release_leads(mixed, lead_ids=ALL)
    left = everything(mixed)
    assert hold_leads(mixed, lead_ids=[*ALL, 1, 1]) == answer
    assert release_leads(mixed, lead_ids=ALL, actor_id=2) == released
    assert everything(mixed) == left


def test_a_repeated_request_by_user_does_not_take_leads_that_came_later(leads):
    answer = hold_leads(leads, user_id=7)
    insert_lead_of_age(leads, 6, PROTECTED)
    call(leads, "transfer_lead", lead_id=1, user_id=7, new_user_id=8, reason="x", actor_id=1)
    assert hold_leads(leads, user_id=7) == answer
    assert view(leads, 6)["on_hold"] is False


def test_a_request_that_found_no_lead_is_remembered_too(db):
    assert hold_leads(db, user_id=7) == []
    assert release_leads(db, lead_ids=[]) == []
    insert_lead_of_age(db, 1, PROTECTED)
    assert hold_leads(db, user_id=7) == []
    assert view(db)["on_hold"] is False


def test_the_same_lead_twice_in_a_list_is_one(leads):
    assert outcomes(hold_leads(leads, lead_ids=[1, 1, 2, 1])) == [(1, "done", None), (2, "done", None)]


def test_planned_holds_for_many(leads):
    plan = {"start_at": from_now(3), "end_at": from_now(5)}
    create(leads, 2, **plan)
    before = [view(leads, n)["protection_expires_at"] for n in (1, 2)]
    assert outcomes(hold_leads(leads, lead_ids=[1, 2], **plan)) == [(1, "done", None), (2, "already", None)]
    after = [view(leads, n)["protection_expires_at"] for n in (1, 2)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [plan["end_at"] - plan["start_at"], 0 * DAY]
    # They have not begun: nothing to release.
    assert outcomes(release_leads(leads, lead_ids=[1, 2])) == [(1, "already", None), (2, "already", None)]


def test_release_ends_all_that_is_in_force(leads):
    create(leads, 1, start_at=from_now(-1), end_at=from_now(5))
    create(leads, 1)
    void(leads, create(leads, 2)["hold_id"], 1)
    create(leads, 3, start_at=from_now(-3), end_at=from_now(-1))
    assert outcomes(release_leads(leads, lead_ids=[1, 2, 3])) == [
        (1, "done", None),
        (2, "already", None),
        (3, "already", None),
    ]
    assert active(leads) == []
    assert events(leads, 1).count("lead.hold.released") == 2
    consistent(leads)


def test_a_total_limit_counts_for_each_lead_by_itself(leads):
    policy_id = limited_policy(leads, hold_total_limit_days=10)
    leads.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id <= 3", (policy_id,))
    t = from_now(-40)
    create(leads, 1, start_at=t, end_at=t + 4 * DAY)
    create(leads, 2, start_at=t, end_at=t + 7 * DAY)
    create(leads, 3, start_at=t, end_at=t + 7 * DAY)
    override_until = t + 30 * DAY
    answer = hold_leads(leads, lead_ids=[1, 2, 3, 4], start_at=t + 10 * DAY, end_at=t + 15 * DAY)
    assert outcomes(answer) == [
        (1, "done", None),
        (2, "refused", "LP032"),
        (3, "refused", "LP032"),
        (4, "done", None),
    ]
    # What an operator allowed one hold is that hold's alone.
    override(leads, 3, 1, override_until)
    assert correct(leads, 3, 2, t, t + 15 * DAY)["changed"] is True
    again = hold_leads(leads, "k2", lead_ids=[3], start_at=t + 20 * DAY, end_at=t + 21 * DAY)
    assert outcomes(again) == [(3, "refused", "LP032")]


REFUSED = [
    ("LP001", "hold_leads('a', 'x', NULL, '{1}')"),
    ("LP001", "release_leads('a', NULL, '{1}')"),
    ("LP004", "hold_leads('', 'x', 1, '{1}')"),
    ("LP004", "hold_leads(NULL, 'x', 1, '{1}')"),
    ("LP004", "hold_leads('a', ' ', 1, '{1}')"),
    ("LP004", "hold_leads(repeat('a', 256), 'x', 1, '{1}')"),
    ("LP004", "release_leads(' ', 1, '{1}')"),
    ("LP005", "hold_leads('a', 'x', 1, '{1}', NULL, '-infinity')"),
    ("LP006", "hold_leads('a', 'x', 1, '{1}', NULL, now(), now())"),
    ("LP007", "hold_leads('a', 'x', 1, '{1}', NULL, now() + INTERVAL '1 day')"),
    ("LP020", "hold_leads('used', 'x', 1, '{1}')"),
    ("LP020", "hold_leads('used', 'SUPPLY_ISSUE', 1, '{1}')"),
    ("LP020", "hold_leads('used', 'SUPPLY_ISSUE', 1, NULL, 7)"),
    ("LP020", "hold_leads('used', 'SUPPLY_ISSUE', 1, '{1,2}', NULL, now() - INTERVAL '1 day')"),
    ("LP020", "hold_leads('used', 'SUPPLY_ISSUE', 1, '{1,2}', NULL, NULL, now() + INTERVAL '1 day')"),
    ("LP020", "release_leads('used', 1, '{1,2}')"),
    ("LP030", "hold_leads('a', 'FFZ_SUPLY', 1, '{1}')"),
    ("LP031", "hold_leads('a', 'USER_NEEDS_TIME', 1, '{1}')"),
    ("LP037", "hold_leads('a', 'x', 1)"),
    ("LP037", "hold_leads('a', 'x', 1, '{1}', 7)"),
    ("LP037", "hold_leads('a', 'x', 1, '{1,NULL}')"),
    ("LP037", "release_leads('a', 1)"),
    ("LP037", "release_leads('a', 1, '{1}', 7)"),
    ("LP037", "release_leads('a', 1, '{NULL}')"),
]


def test_refused_as_a_whole_with_detail_and_hint_and_nothing_done(leads):
    hold_leads(leads, "used", lead_ids=[1, 2])
    left = everything(leads)
    for sqlstate, statement in REFUSED:
        try:
            refused(sqlstate, leads.execute, f"SELECT * FROM lead_protection.{statement}")
        except BaseException as error:
            error.add_note(statement)
            raise
        assert everything(leads) == left, statement


# --- several sessions ---


def test_bulk_after_single_finds_the_hold(leads, two, wait_until):
    answer = interleave(leads, wait_until, two, partial(create, lead_id=3), partial(hold_leads, user_id=7))
    assert outcomes(answer) == [(n, "already" if n == 3 else "done", None) for n in range(1, 6)]
    consistent(leads)


def test_single_after_bulk_finds_the_hold(leads, two, wait_until):
    made = interleave(leads, wait_until, two, partial(hold_leads, user_id=7), partial(create, lead_id=3))
    assert made["created"] is False
    assert len(active(leads)) == 5
    consistent(leads)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_bulk_release_against_single_release(leads, two, wait_until, end):
    hold_leads(leads, user_id=7)
    works = partial(release, lead_id=3), partial(release_leads, user_id=7)
    answer = interleave(leads, wait_until, two, *works, end)
    expected = {"commit": "already", "rollback": "done"}[end]
    assert outcomes(answer) == [(n, expected if n == 3 else "done", None) for n in range(1, 6)]
    assert events(leads, 3).count("lead.hold.released") == 1
    consistent(leads)


def test_bulk_release_after_void_and_correct(leads, two, wait_until):
    hold_leads(leads, user_id=7, start_at=from_now(-5))
    holds = {row["lead_id"]: row["hold_id"] for row in active(leads)}

    def mend(session):
        void(session, holds[2], 1)
        correct(session, holds[4], 1, from_now(-5), from_now(-1))

    answer = interleave(leads, wait_until, two, mend, partial(release_leads, user_id=7))
    assert outcomes(answer) == [(n, "already" if n in (2, 4) else "done", None) for n in range(1, 6)]
    consistent(leads)


def test_a_lead_that_goes_to_somebody_else_meanwhile_is_left_alone(leads, two, wait_until):
    def transfer(session):
        call(session, "transfer_lead", lead_id=3, user_id=7, new_user_id=8, reason="x", actor_id=1)

    answer = interleave(leads, wait_until, two, transfer, partial(hold_leads, user_id=7))
    assert outcomes(answer) == [(n, "done", None) for n in (1, 2, 4, 5)]
    assert view(leads, 3)["on_hold"] is False
    create(leads, 3, user_id=8)
    leads.execute("UPDATE lead_protection.leads SET changed_at = NULL")

    def back(session):
        call(session, "transfer_lead", lead_id=4, user_id=7, new_user_id=8, reason="x", actor_id=1)
        create(session, 4, user_id=8)

    answer = interleave(leads, wait_until, two, back, partial(release_leads, user_id=7))
    assert outcomes(answer) == [(n, "done", None) for n in (1, 2, 5)]
    assert view(leads, 4)["on_hold"] is True
    consistent(leads)


def test_a_lead_that_is_closed_meanwhile_is_refused(leads, two, wait_until):
    def close(session):
        call(session, "close_lead", lead_id=3, user_id=7, outcome="LOST", reason="x", actor_id=1)

    answer = interleave(leads, wait_until, two, close, partial(hold_leads, user_id=7))
    assert outcomes(answer)[2] == (3, "refused", "LP009")


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("leads_of", [{"lead_ids": [1, 2, 3]}, {"user_id": 7}, {"lead_ids": []}], ids=str)
def test_the_same_key_twice_at_once_is_one_request(leads, two, wait_until, leads_of, end):
    works = partial(hold_leads, **leads_of), partial(hold_leads, **leads_of)
    answer = interleave(leads, wait_until, two, *works, end)
    assert answer == hold_leads(leads, **leads_of)
    made = len(answer)
    assert [row["outcome"] for row in answer] == ["done"] * made
    assert events(leads) == ["lead.hold.created"] * made
    consistent(leads)


def test_the_same_key_for_two_lists_at_once_is_one_request_and_a_refusal(leads, two, wait_until):
    works = partial(hold_leads, lead_ids=[1, 2]), partial(hold_leads, lead_ids=[4, 5])
    error = interleave(leads, wait_until, two, *works)
    assert error.sqlstate == "LP020" and error.diag.message_detail and error.diag.message_hint
    assert [row["lead_id"] for row in active(leads)] == [1, 2]


def test_eight_sessions_ask_the_same_at_once(leads, connect):
    statement = "SELECT count(*), sum(hold_id) FROM lead_protection.hold_leads('k', 'x', 1, NULL, 7)"
    answers = execute_at_once([connect() for _ in range(8)], statement)
    assert len(set(answers)) == 1
    assert events(leads) == ["lead.hold.created"] * 5
    consistent(leads)


def test_a_list_is_locked_in_the_order_of_its_ids(leads, two, connect, wait_until):
    """The second waits for the first lead with none of the others locked, whatever the order of its list."""
    first, second = two
    create(first, 1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(hold_leads, second, lead_ids=[5, 4, 3, 2, 1])
        blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0 AS blocked"
        wait_until(lambda: rows(leads, blocked, (second.info.backend_pid,))[0]["blocked"])
        for lead_id in range(2, 6):
            assert create(connect(), lead_id, reason="not locked")["created"] is True
        first.commit()
        assert outcomes(answer.result(timeout=20)) == [(n, "already", None) for n in range(1, 6)]
    consistent(leads)


def test_states_after_a_bulk_hold_and_release_are_as_before(mixed):
    before = states_and_holds(mixed)
    hold_leads(mixed, lead_ids=[1, 6])
    assert [row["on_hold"] for row in states_and_holds(mixed)] == [True, False, True, False, False, True]
    release_leads(mixed, lead_ids=[1, 6])
    assert states_and_holds(mixed) == before
    assert events(mixed, 6) == ["lead.hold.created", "lead.hold.released"]
