"""Several sessions change one lead at once."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from helpers.calls import call_row
from helpers.facts import events
from helpers.lead_calls import (
    START,
    proved,
    shown,
)
from helpers.sessions import at_once, waits_for_a_lock

# --- Several sessions at once ----------------------------------------------------------------------------------------


def changed_at_once(connections, calls) -> list:
    """Make the calls at the same moment, each in its session; whether each changed anything, or its SQLSTATE."""

    def work(connection, invocation):
        try:
            return call_row(connection, invocation)["changed"]
        except psycopg.Error as error:
            return error.sqlstate

    return at_once(connections, work, calls)


def test_eight_sessions_transfer_a_lead_to_eight_users(db, connect, long):
    calls = [f"transfer_lead(1, 7, {user}, 'x', 5)" for user in range(11, 19)]
    answers = changed_at_once([connect() for _ in calls], calls)
    assert sorted(map(str, answers)) == ["LP003"] * 7 + ["True"]
    assert shown(db)["user_id"] == 11 + answers.index(True)
    assert events(db) == ["lead.protection.transferred"]
    proved(db)


def test_eight_sessions_transfer_a_lead_to_the_same_user(db, connect, long):
    answers = changed_at_once([connect() for _ in range(8)], ["transfer_lead(1, 7, 8, 'x', 5)"] * 8)
    assert sorted(answers) == [False] * 7 + [True]
    assert events(db) == ["lead.protection.transferred"]


def test_eight_sessions_take_a_lead_from_nobody(db, connect, long):
    """The one that comes first has it; the others find it protected."""
    call_row(db, "give_back_lead(1, 7, 'x', 5)")
    answers = changed_at_once([connect() for _ in range(8)], [f"transfer_lead(1, NULL, {n}, 'x', 5)" for n in range(8)])
    assert sorted(map(str, answers)) == ["LP003"] * 7 + ["True"]
    assert shown(db)["user_id"] == answers.index(True)
    proved(db)


def test_eight_sessions_give_a_lead_back(db, connect, long):
    answers = changed_at_once([connect() for _ in range(8)], ["give_back_lead(1, 7, 'x', 5)"] * 8)
    assert sorted(answers) == [False] * 7 + [True]
    assert events(db) == ["lead.protection.given_back"]


def test_transfers_in_a_row_leave_no_gap(db, connect, long):
    """Each session waits for the lead to be its user's, and hands it on; the history joins end to start."""

    def hand_on(connection, user):
        for _ in range(1000):
            try:
                return call_row(connection, f"transfer_lead(1, {user}, {user + 1}, 'x', 5)")["changed"]
            except psycopg.Error as error:
                assert error.sqlstate == "LP003"
        return None

    connections = [connect() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(hand_on, connections, range(7, 15))) == [True] * 8
    history = db.execute(
        "SELECT user_id, created_at, valid_until FROM lead_protection.lead_history ORDER BY 3"
    ).fetchall()
    assert [user_id for user_id, _, _ in history] == list(range(7, 15))
    starts = [created_at for _, created_at, _ in history] + [shown(db)["created_at"]]
    assert starts == [START] + [valid_until for _, _, valid_until in history]
    proved(db)


def test_eight_sessions_make_one_request(db, connect, long):
    answers = changed_at_once([connect() for _ in range(8)], ["extend_lead(1, 7, 20, 'x', 6, 5, 'k')"] * 8)
    assert sorted(answers) == [False] * 7 + [True]
    assert db.execute("SELECT count(*), sum(days) FROM lead_protection.lead_extensions").fetchone() == (1, 20)
    assert events(db) == ["lead.protection.extended"]
    proved(db)


def test_eight_sessions_cannot_exceed_the_limit(db, connect, long):
    calls = [f"extend_lead(1, 7, 20, 'x', 6, 5, 'k{number}')" for number in range(8)]
    answers = changed_at_once([connect() for _ in calls], calls)
    assert sorted(map(str, answers)) == ["LP024"] * 5 + ["True"] * 3


@pytest.mark.parametrize(
    ("first", "second", "committed"),
    [
        ("close_lead(1, 7, 'LOST', 'x', 5)", "transfer_lead(1, 7, 8, 'x', 5)", "LP009"),
        ("transfer_lead(1, 7, 8, 'x', 5)", "close_lead(1, 7, 'LOST', 'x', 5)", "LP003"),
        ("transfer_lead(1, 7, 8, 'x', 5)", "create_lead_hold(1, 7, 'x', 5)", "LP003"),
        ("give_back_lead(1, 7, 'x', 5)", "create_lead_hold(1, 7, 'x', 5)", "LP064"),
        ("give_back_lead(1, 7, 'x', 5)", "transfer_lead(1, 7, 8, 'x', 5)", "LP064"),
        ("transfer_lead(1, 7, 8, 'x', 5)", "give_back_lead(1, 7, 'x', 5)", "LP003"),
        ("close_lead(1, 7, 'LOST', 'x', 5)", "give_back_lead(1, 7, 'x', 5)", "LP009"),
        ("delete_lead(1, 7, 'x', 5)", "extend_lead(1, 7, 5, 'x', 6, 5, 'k')", "LP009"),
        ("close_lead(1, 7, 'LOST', 'x', 5)", "close_lead(1, 7, 'LOST', 'x', 5)", None),
    ],
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_who_waits_decides_on_what_is_then(db, connect, wait_until, long, first, second, committed, end):
    one, other = connect(autocommit=False), connect()
    call_row(one, first)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call_row, other, second)
        wait_until(lambda: waits_for_a_lock(db, other))
        getattr(one, end)()
        if end == "commit" and committed:
            with pytest.raises(psycopg.Error) as error:
                answer.result(timeout=10)
            assert error.value.sqlstate == committed
        else:
            done = answer.result(timeout=10)
            assert done.get("changed", done.get("created")) is (end == "rollback")
    proved(db)
