"""The activities of an adopted table are followed."""

import pytest

from helpers.adoption_calls import ADOPT_CALLS, let_pauses_pass, news, queue
from helpers.sources import CRM, follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- activities ---


def idle_days(db, lead_id):
    """Since how many days the lead's idle clock runs, once what was written was followed."""
    follow(db)
    return db.execute(
        "SELECT extract(day FROM now() - idle_from)::int FROM lead_protection.lead_clocks WHERE lead_id = %s",
        (lead_id,),
    ).fetchone()[0]


def test_activities_that_were_there_count_and_tell_nobody(calls):
    assert idle_days(calls, 1) == 20
    assert idle_days(calls, 2) == 40
    assert news(calls) == []
    assert calls.execute("SELECT count(*) FROM lead_protection.lead_activities").fetchone() == (1,)


def test_activities_are_followed(calls):
    insert = (
        "INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (2, 101, now() - INTERVAL '5 days', %s) RETURNING id"
    )
    call = calls.execute(insert, ("call",)).fetchone()[0]
    assert idle_days(calls, 2) == 5
    calls.execute("UPDATE crm.calls SET at = now() - INTERVAL '7 days' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 7
    calls.execute("UPDATE crm.calls SET what = 'mail' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    calls.execute("UPDATE crm.calls SET what = 'call', caller = 105 WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    calls.execute("UPDATE crm.calls SET caller = 101 WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 7
    calls.execute("UPDATE crm.calls SET lead_no = 1 WHERE id = %s", (call,))
    assert (idle_days(calls, 1), idle_days(calls, 2)) == (7, 40)
    calls.execute("UPDATE crm.calls SET lead_no = 2 WHERE id = %s", (call,))
    assert (idle_days(calls, 1), idle_days(calls, 2)) == (20, 7)
    # No activity any more, and one again.
    calls.execute("UPDATE crm.calls SET what = 'chat' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    calls.execute("UPDATE crm.calls SET what = 'call' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 7
    calls.execute("DELETE FROM crm.calls WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    assert calls.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert set(news(calls)) == {"lead.activity.recorded", "lead.activity.corrected", "lead.activity.deleted"}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("(99, 101, now(), 'call')", "LP002"),
        ("(1, 101, now(), 'odd')", "LP021"),
        ("(1, NULL, now(), 'call')", "LP049"),
        ("(1, 101, NULL, 'call')", "LP049"),
        ("(1, 101, now() + INTERVAL '1 day', 'call')", "LP010"),
    ],
)
def test_activities_that_cannot_be_followed_wait(calls, values, code):
    calls.execute(f"INSERT INTO crm.calls (lead_no, caller, at, what) VALUES {values}")
    assert [row[1] for row in queue(calls)] == [code]
    calls.execute("DELETE FROM crm.calls WHERE at IS NULL OR at > now() - INTERVAL '1 day'")
    assert queue(calls) == []


def test_an_activity_may_come_before_its_lead(calls):
    calls.execute(
        "INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (50, 101, now() - INTERVAL '1 day', 'call')"
    )
    assert [row[1] for row in queue(calls)] == ["LP002"]
    calls.execute(CRM.insert_sql(50, 5, 101))
    let_pauses_pass(calls)
    calls.execute("CALL lead_protection.run_protection_pipeline()")
    assert queue(calls) == []
    assert idle_days(calls, 50) == 1


def test_activities_that_waited_at_their_adoption_tell_nobody_when_they_come(calls):
    calls.execute("CALL lead_protection.disown_source('crm.calls')")
    calls.execute(
        "INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (60, 101, now() - INTERVAL '2 days', 'call')"
    )
    calls.execute(ADOPT_CALLS)
    assert [row[1] for row in queue(calls)] == ["LP002"]
    calls.execute(CRM.insert_sql(60, 5, 101))
    let_pauses_pass(calls)
    calls.execute("CALL lead_protection.run_protection_pipeline()")
    assert (queue(calls), idle_days(calls, 60), news(calls)) == ([], 2, [])
