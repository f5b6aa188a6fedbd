"""Switching on: what lies in the past is history and not sent."""

import threading

import pytest

from helpers.adoption_calls import ages, list_states, news, previewed, sqlstate
from helpers.sources import CRM

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- switching on ---


def test_what_lies_in_the_past_is_recorded_and_not_sent(db):
    ages(db, 10, 249, 300, 400)
    db.execute("UPDATE crm.leads SET status = 'won' WHERE id = 4")
    assert previewed(db) == {"protected": 1, "reminder overdue": 1, "expired": 1, "closed": 1}
    before_closing = news(db)

    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("CALL lead_protection.run_protection_pipeline()")

    assert news(db) == before_closing == ["lead.closed"], "and not the expiry of before"
    assert list_states(db) == ["PROTECTED", "GRACE", "EXPIRED", "CLOSED"]
    assert previewed(db) == {"protected": 1, "reminded": 1, "expired, recorded": 1, "closed": 1}
    assert db.execute("SELECT lead_id, adopted FROM lead_protection.lead_reminders").fetchall() == [(2, True)]
    assert db.execute("SELECT lead_id, adopted FROM lead_protection.lead_expiries ORDER BY 1").fetchall() == [
        (3, True),
        (4, True),
    ]


def test_a_lead_on_hold_at_the_switch_on_is_reminded_when_its_clock_runs_on(db):
    ages(db, 249)
    db.execute("SELECT lead_protection.create_lead_hold(1, 101, 'x', 1)")
    assert previewed(db) == {"on hold": 1}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("SELECT lead_protection.record_passed_deadlines('{1}')")
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (0,)
    db.execute("SELECT lead_protection.release_lead_hold(1, 101, 1)")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert "lead.protection.reminder" in news(db)


def test_leads_that_are_closed_already_were_closed_when_their_column_says(db):
    db.execute(CRM.ddl)
    db.execute("ALTER TABLE crm.leads ADD COLUMN closed_on date")
    db.execute(
        "INSERT INTO crm.leads (id, owner_id, created_at, status, closed_on) VALUES"
        " (1, 101, '2026-03-01Z', 'won', '2026-04-02'), (2, 101, '2026-03-01Z', 'won', NULL),"
        " (3, 101, '2026-03-01Z', 'won', '2026-02-01'), (4, 101, '2026-03-01Z', 'new', '2026-04-02')"
    )
    db.execute(CRM.adopt_sql(closed_at_column="closed_on", time_zone="Europe/Berlin"))
    closed = db.execute(
        "SELECT closed_at AT TIME ZONE 'Europe/Berlin', now() - closed_at < '1 minute'"
        " FROM lead_protection.leads ORDER BY id"
    ).fetchall()
    assert closed[0][0].isoformat() == "2026-04-02T00:00:00"
    assert closed[1][1], "as it is taken over"
    assert closed[2][0].isoformat() == "2026-03-01T01:00:00", "not before it began"
    assert closed[3][0] is None


def test_until_it_is_switched_on_the_pipeline_waits(db):
    ages(db, 249)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == []
    runs = "SELECT outcome, result ->> 'waiting' FROM lead_protection.job_runs WHERE job_name = %s"
    assert db.execute(runs, ("lead-protection-reminders",)).fetchall() == [
        ("skipped", "the adoption of crm.leads is not switched on")
    ]
    assert db.execute(runs, ("lead-protection-follow",)).fetchall() == [("succeeded", None)]


def test_what_falls_due_after_it_was_switched_on_is_sent(db):
    ages(db, 10)
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute(CRM.insert_sql(2, 249, 101))
    db.execute(CRM.insert_sql(3, 300, 101))
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == ["lead.protection.expired", "lead.protection.reminder"]


def test_switched_on_twice_or_after_an_interruption(db, connect):
    ages(db, 249, 300, 249, 300)
    db.execute("SELECT lead_protection.record_passed_deadlines('{1}')")
    db.execute("CALL lead_protection.switch_on_adoption(1)")
    first = db.execute("SELECT * FROM lead_protection.lead_reminders ORDER BY 1").fetchall()
    db.execute("CALL lead_protection.switch_on_adoption()")
    assert db.execute("SELECT * FROM lead_protection.lead_reminders ORDER BY 1").fetchall() == first
    assert list_states(db) == ["GRACE", "EXPIRED", "GRACE", "EXPIRED"]


def test_a_policy_with_notice_still_gives_it(db):
    db.execute("SELECT lead_protection.create_policy_version('n', 1, notice_required => true)")
    db.execute("SELECT lead_protection.set_default_policy(2, 1)")
    ages(db, 249, 300)
    assert previewed(db) == {"owed a notice": 2}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == ["lead.protection.reminder"] * 2
    assert list_states(db) == ["GRACE", "GRACE"]


def test_adopted_reminders_are_no_part_of_the_sla(db):
    ages(db, 249)
    db.execute("CALL lead_protection.switch_on_adoption()")
    assert db.execute("SELECT * FROM lead_protection.v_reminder_sla").fetchall() == []


# --- the overdue reminders, after all ---


def test_overdue_reminders_are_sent_after_all_if_told_so(db):
    ages(db, 10, 248, 249, 300)
    db.execute("UPDATE crm.leads SET created_at = created_at - INTERVAL '1 hour' WHERE id = 2")
    assert previewed(db) == {"protected": 1, "reminder overdue": 2, "expired": 1}
    db.execute("CALL lead_protection.switch_on_adoption(send_overdue => true)")
    assert list_states(db) == ["PROTECTED", "REMINDER_DUE", "REMINDER_DUE", "EXPIRED"]
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == ["lead.protection.backdated", "lead.protection.reminder", "lead.protection.reminder"]
    assert list_states(db) == ["PROTECTED", "GRACE", "GRACE", "EXPIRED"]
    late = "SELECT sum(sent_within), sum(sent_beyond) FROM lead_protection.v_reminder_sla"
    assert db.execute(late).fetchone() == (2, 0), "nobody could send them before"


def test_they_are_sent_at_the_pace_of_reminders(db):
    ages(db, 249, 249, 249)
    db.execute("SELECT lead_protection.configure_reminders(reminders_per_run => 2)")
    db.execute("CALL lead_protection.switch_on_adoption(send_overdue => true)")
    for sent in (2, 3):
        db.execute("CALL lead_protection.run_protection_pipeline()")
        assert news(db) == ["lead.protection.reminder"] * sent


def test_sent_or_not_somebody_has_to_say(db):
    ages(db, 249)
    assert sqlstate(db, "CALL lead_protection.switch_on_adoption(send_overdue => NULL)").sqlstate == "LP001"
    assert db.execute("SELECT switched_on_at FROM lead_protection.adoptions").fetchone() == (None,)


def test_the_preview_names_the_leads_by_their_keys(db):
    db.execute("CREATE TABLE public.leads (id text PRIMARY KEY, user_id int, created_at timestamptz)")
    db.execute(
        "INSERT INTO public.leads SELECT chr(64 + n), 7, now() - (240 + n) * INTERVAL '1 day'"
        " FROM generate_series(1, 16) AS n"
    )
    db.execute("INSERT INTO public.leads (id, user_id) VALUES ('no start', 7)")
    db.execute("CALL lead_protection.adopt_leads('public.leads', 900)")
    preview = {
        row[0]: row[1:] for row in db.execute("SELECT found, leads, samples FROM lead_protection.preview_switch_on()")
    }
    first, overdue = preview["protected"][0], preview["reminder overdue"]
    assert overdue[0] > 0 and overdue[1] == [chr(65 + first + n) for n in range(min(overdue[0], 10))]
    assert preview["expired"][1][0] == chr(65 + first + overdue[0]), "those that ended last come first"
    assert preview["in adoption_queue"] == (1, ["no start"])
    assert preview["closed"] == (0, None)


# --- nothing of the past is sent, whatever is done before or instead of the switch-on ---


def test_disowned_instead_of_switched_on_sends_nothing(db):
    ages(db, 249, 300)
    db.execute("CALL lead_protection.disown_source('crm.leads')")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == []
    assert list_states(db) == ["GRACE", "EXPIRED"]


def test_rows_that_waited_at_the_switch_on_are_history_when_they_come(db):
    db.execute(CRM.ddl)
    for number, age in enumerate((249, 300, 10), 1):
        db.execute(CRM.insert_sql(number, age, 101))
    db.execute("ALTER TABLE crm.leads ADD COLUMN begun timestamptz")
    db.execute("UPDATE crm.leads SET begun = created_at, created_at = NULL")
    db.execute(CRM.adopt_sql())
    assert previewed(db) == {"in adoption_queue": 3}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("UPDATE crm.leads SET created_at = begun")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == []
    assert list_states(db) == ["GRACE", "EXPIRED", "PROTECTED"]


def test_changes_before_the_switch_on_do_not_publish_old_expiries(db):
    ages(db, 300, 300, 300)
    db.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 1")
    db.execute("UPDATE crm.leads SET owner_id = 102 WHERE id = 2")
    db.execute("DELETE FROM crm.leads WHERE id = 3")
    assert news(db) == ["lead.closed", "lead.deleted", "lead.protection.transferred"]


def test_adopted_again_while_live_keeps_sending_and_takes_new_rows_as_history(crm):
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute(CRM.insert_sql(4, 249, 101))
    crm.execute(CRM.insert_sql(5, 300, 101))
    crm.execute(CRM.adopt_sql())
    crm.execute("INSERT INTO lead_protection.leads (user_id, created_at) VALUES (7, now() - INTERVAL '249 days')")
    crm.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(crm, 4 * 10**15) == news(crm) == ["lead.created", "lead.protection.reminder"], (
        "of the one that is not of the table"
    )
    assert list_states(crm)[3:5] == ["GRACE", "EXPIRED"]


def test_leads_that_come_while_it_is_switched_on_are_recorded_too(db, connect, wait_until):
    ages(db, 300)
    blocker, switch = connect(autocommit=False), connect()
    blocker.execute("SELECT lead_protection.lock_leads('{1}')")
    thread = threading.Thread(target=switch.execute, args=("CALL lead_protection.switch_on_adoption()",))
    thread.start()
    waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    wait_until(lambda: db.execute(waits, (switch.info.backend_pid,)).fetchone() == ("Lock",))
    db.execute(CRM.insert_sql(2, 300, 101))
    blocker.rollback()
    thread.join(timeout=30)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == []
