"""A server's clock that ran ahead and was put right: what it recorded does not stay, and nothing waits for its time."""

import psycopg
import pytest

from helpers.calls import row, rows
from helpers.consumer_calls import claim, emit, fail, register
from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, events, insert_lead_of_age, insert_policy
from helpers.jobs import last_run, run_pipeline
from helpers.pages import wrong_starts

EXPIRY, REMINDER = "lead.protection.expired", "lead.protection.reminder"
REACTIVATED = "lead.protection.reactivated"


def expire_ahead(db, lead_id: int) -> None:
    """The run leaves this whose clock is ahead of the lead's end."""
    db.execute(
        "INSERT INTO lead_protection.lead_expiries (lead_id, user_id, protection_expires_at, recorded_at)"
        " SELECT lead_id, user_id, protection_expires_at, protection_expires_at + INTERVAL '1 minute'"
        " FROM lead_protection.lead_clocks WHERE lead_id = %s",
        (lead_id,),
    )


def remind_ahead(db, lead_id: int, after: str = "1 minute", *, adopted: bool = False) -> None:
    """The run leaves this whose clock is so long after the instant at which the lead's reminder is due."""
    db.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, fell_due_at, sent_at, adopted)"
        " SELECT lead_id, user_id, window_date, protection_expires_at, reminder_due_at, reminder_due_at,"
        " reminder_due_at + %s::interval, %s FROM lead_protection.lead_clocks WHERE lead_id = %s",
        (after, adopted, lead_id),
    )
    if not adopted:
        db.execute(
            "INSERT INTO lead_protection.protection_log (lead_id, user_id, event_type, occurred_at, state_before,"
            " expires_before, state_after, expires_after, details)"
            " SELECT lead_id, user_id, %s, sent_at, 'REMINDER_DUE', protection_expires_at, 'GRACE',"
            " protection_expires_at, jsonb_build_object('window_date', to_char(window_date, 'YYYY-MM-DD'),"
            " 'reminder_due_at', lead_protection.instant_text(due_at), 'attempt', 1)"
            " FROM lead_protection.lead_reminders WHERE lead_id = %s",
            (REMINDER, lead_id),
        )


def state(db, lead_id: int) -> str:
    return row(db, "SELECT state FROM lead_protection.v_user_lead_protection WHERE lead_id = %s", lead_id)["state"]


def types(db, lead_id: int) -> list[str]:
    """What was published of a lead, in order."""
    found = rows(
        db,
        "SELECT type FROM lead_protection.outbox_events WHERE aggregateid = %s ORDER BY sequence_number",
        (str(lead_id),),
    )
    return [event["type"] for event in found]


def test_an_expiry_recorded_ahead_is_taken_back_and_the_reminder_goes_out(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    expire_ahead(db, 1)
    found = run_pipeline(db)
    assert (found["reactivations"], found["expiries"], found["reminders"]) == (1, 0, 1)
    assert types(db, 1) == [REACTIVATED, REMINDER] and state(db, 1) == "GRACE"
    told = row(db, "SELECT * FROM lead_protection.protection_log WHERE event_type = %s", REACTIVATED)
    assert (told["state_before"], told["state_after"]) == ("EXPIRED", "REMINDER_DUE")
    expiry = row(db, "SELECT * FROM lead_protection.lead_expiries")
    assert expiry["reactivated_at"] == expiry["recorded_at"]
    assert run_pipeline(db)["reactivations"] == 0
    assert rows(db, "SELECT * FROM lead_protection.find_clock_drift()") == []


def test_a_reminder_sent_ahead_is_taken_back_and_goes_out_when_it_is_due(db):
    """Not mailed from what still waits, and with what was reported of it, or nobody would be reminded in time."""
    db.execute("SELECT lead_protection.register_event_consumer('mailer')")
    insert_lead_of_age(db, 1, PROTECTED)
    remind_ahead(db, 1)
    sent = row(db, "SELECT * FROM lead_protection.lead_reminders")
    db.execute("SELECT lead_protection.report_reminder_delivery(1, 7, %s, 'm-1', 'delivered')", (sent["window_date"],))
    found = run_pipeline(db)
    assert (found["reactivations"], found["expiries"], found["reminders"]) == (1, 0, 0)
    assert rows(db, "SELECT * FROM lead_protection.lead_reminders") == []
    assert state(db, 1) == "PROTECTED"
    assert types(db, 1) == [REMINDER, "lead.reminder.delivered", REACTIVATED]
    told = row(db, "SELECT * FROM lead_protection.protection_log WHERE event_type = %s", REACTIVATED)
    assert (told["state_before"], told["state_after"]) == ("GRACE", "PROTECTED")
    (delivery,) = rows(
        db,
        "SELECT d.status, d.error FROM lead_protection.event_deliveries AS d"
        " JOIN lead_protection.outbox_events AS e ON d.event_id = e.id WHERE e.type = %s",
        (REMINDER,),
    )
    assert (delivery["status"], delivery["error"]) == ("discarded", "taken back: sent while the clock ran ahead")
    waits = row(db, "SELECT * FROM lead_protection.waiting_reminders(%s)", sent["due_at"])
    assert (waits["lead_id"], waits["window_date"]) == (1, sent["window_date"])
    assert run_pipeline(db)["reactivations"] == 0


def test_an_expiry_and_its_reminder_are_taken_back_together(db):
    """A year ahead both were recorded; a log row tells both."""
    insert_lead_of_age(db, 1, PROTECTED)
    remind_ahead(db, 1)
    expire_ahead(db, 1)
    assert run_pipeline(db)["reactivations"] == 1
    assert types(db, 1) == [REMINDER, REACTIVATED] and state(db, 1) == "PROTECTED"
    told = row(db, "SELECT * FROM lead_protection.protection_log WHERE event_type = %s", REACTIVATED)
    assert (told["state_before"], told["state_after"]) == ("EXPIRED", "PROTECTED")


def test_what_time_has_caught_up_with_stays_and_bears_the_present_instant(db):
    """They were right in the end: nobody is told twice. A notice would count from the day ahead."""
    policy = insert_policy(db, notice_required=True)
    insert_lead_of_age(db, 1, EXPIRED)
    insert_lead_of_age(db, 2, REMINDER_DUE)
    insert_lead_of_age(db, 3, REMINDER_DUE)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = 3", (policy,))
    db.execute(
        "INSERT INTO lead_protection.lead_expiries (lead_id, user_id, protection_expires_at, recorded_at)"
        " SELECT lead_id, user_id, protection_expires_at, now() + INTERVAL '1 year'"
        " FROM lead_protection.lead_clocks WHERE lead_id = 1"
    )
    db.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, fell_due_at, sent_at)"
        " SELECT lead_id, user_id, window_date, now() + INTERVAL '2 years', reminder_due_at, reminder_due_at,"
        " now() + INTERVAL '1 year' FROM lead_protection.lead_clocks WHERE lead_id IN (2, 3)"
    )
    found = run_pipeline(db)
    assert (found["reactivations"], found["expiries"], found["reminders"]) == (3, 0, 0)
    assert events(db) == ["lead.changed"]
    assert [state(db, lead_id) for lead_id in (1, 2, 3)] == ["EXPIRED", "GRACE", "GRACE"]
    assert rows(db, "SELECT * FROM lead_protection.lead_expiries WHERE recorded_at > clock_timestamp()") == []
    assert rows(db, "SELECT * FROM lead_protection.lead_reminders WHERE sent_at > clock_timestamp()") == []
    # The grace days of the notice count from now, give or take a change of the clocks.
    grace = "SELECT protection_expires_at - now() AS left FROM lead_protection.lead_clocks WHERE lead_id = 3"
    assert 9 <= row(db, grace)["left"].days <= 10
    assert run_pipeline(db)["reactivations"] == 0


def test_a_moment_ahead_is_no_reason_to_remind_twice(db):
    """Due in three minutes, and sent: then the clock was put right by four."""
    insert_lead_of_age(db, 1, PROTECTED)
    remind_ahead(db, 1)
    db.execute(
        "UPDATE lead_protection.lead_reminders SET due_at = now() + INTERVAL '3 minutes',"
        " fell_due_at = NULL, sent_at = now() + INTERVAL '4 minutes'"
    )
    assert run_pipeline(db)["reactivations"] == 0
    assert len(rows(db, "SELECT * FROM lead_protection.lead_reminders")) == 1


def test_what_was_recorded_ahead_of_closed_and_foreign_leads_is_taken_back_silently(db):
    """Reopened, or come back to the same user, the lead must not stand as reminded until next year."""
    for lead_id in (1, 2, 3):
        insert_lead_of_age(db, lead_id, PROTECTED)
        remind_ahead(db, lead_id, adopted=lead_id == 3)
    db.execute("SELECT lead_protection.close_lead(1, 7, 'LOST', 'x', 1)")
    db.execute("SELECT lead_protection.transfer_lead(2, 7, 8, 'x', 1)")
    assert run_pipeline(db)["reactivations"] == 3
    assert rows(db, "SELECT * FROM lead_protection.lead_reminders") == []
    assert REACTIVATED not in types(db, 1) + types(db, 2) + types(db, 3)


def test_a_drill_takes_nothing_back(db):
    """It decides for an instant in the past: what came after it is not ahead."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    expire_ahead(db, 1)
    db.execute("UPDATE lead_protection.settings SET for_drills = true")
    db.execute("CALL lead_protection.run_protection_drill(now() - INTERVAL '1 hour')")
    assert last_run(db)[1]["reactivations"] == 0


def test_a_locked_lead_is_left_to_the_next_run(db, two):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert_lead_of_age(db, 2, REMINDER_DUE)
    expire_ahead(db, 1)
    expire_ahead(db, 2)
    holder, _ = two
    holder.execute("SELECT FROM lead_protection.leads WHERE id = 1 FOR UPDATE")
    found = run_pipeline(db)
    assert (found["reactivations"], found["skipped_locked"]) == (1, 1)
    assert types(db, 1) == [] and types(db, 2) == [REACTIVATED, REMINDER]
    holder.rollback()
    assert run_pipeline(db)["reactivations"] == 1
    assert types(db, 1) == [REACTIVATED, REMINDER]


def test_a_run_that_was_left_ahead_is_abandoned_now_and_hides_no_other(db):
    """The clock was stepped back during the run, or the server crashed while it was ahead."""
    db.execute(
        "INSERT INTO lead_protection.job_runs (job_name, backend_pid, started_at)"
        " VALUES ('lead-protection-reminders', 999999, now() + INTERVAL '1 hour')"
    )
    run_pipeline(db)
    left, ran = rows(
        db,
        "SELECT outcome, started_at <= now() AND finished_at <= now() AS lies_behind"
        " FROM lead_protection.job_runs ORDER BY id",
    )
    assert (left["outcome"], left["lies_behind"]) == ("abandoned", True)
    assert (ran["outcome"], ran["lies_behind"]) == ("succeeded", True)


def test_a_run_during_which_the_clock_was_stepped_back_ends_now(db):
    run_id = row(db, "SELECT lead_protection.start_job_run('lead-protection-reminders') AS id")["id"]
    db.execute("UPDATE lead_protection.job_runs SET started_at = now() + INTERVAL '1 day'")
    while row(db, "SELECT lead_protection.run_job_step(%s) AS goes_on", run_id)["goes_on"]:
        pass
    ended = row(db, "SELECT outcome, started_at, finished_at, now() AS now FROM lead_protection.job_runs")
    assert ended["outcome"] == "succeeded" and ended["started_at"] <= ended["finished_at"] <= ended["now"]


def ahead(db, table: str, *columns: str, by: str = "1 year", where: str = "true") -> None:
    """Have rows bear later instants, append-only ones, too."""
    db.execute("SET session_replication_role = replica")
    sets = ", ".join(f"{column} = {column} + %(by)s::interval" for column in columns)
    db.execute(f"UPDATE lead_protection.{table} SET {sets} WHERE {where}", {"by": by})
    db.execute("RESET session_replication_role")


# What emit() makes, without the seals of the log.
HOLDS = ["lead.hold.created", "lead.hold.released"]


def skew(db) -> tuple[str, str]:
    found = row(db, "SELECT status, found FROM lead_protection.health WHERE check_name = 'clock_skew'")
    return found["status"], found["found"]


def claim_of_leads(db) -> list:
    """Claim; the pipeline has its own events, too."""
    return [event for event in claim(db) if event.type.startswith("lead.")]


def test_a_lease_given_ahead_is_over(db):
    """Or the events, and all that come after them for their leads, would wait for a year."""
    register(db, types=HOLDS)
    insert_lead_of_age(db, 1, PROTECTED)
    emit(db)
    (first,) = claim(db)
    ahead(db, "event_deliveries", "available_at", where="attempts = 1")
    status, found = skew(db)
    assert status == "critical" and found.startswith("a delivery to crm was put off in 36")
    assert claim(db) == []
    run_pipeline(db)
    (again,) = claim_of_leads(db)
    assert (again.id, again.attempt) == (first.id, 2)
    assert skew(db) == ("ok", "nothing lies ahead")
    assert claim(db) == []


def test_an_event_written_ahead_is_given_at_once_and_counts_no_attempt(db):
    register(db, types=HOLDS)
    insert_lead_of_age(db, 1, PROTECTED)
    emit(db)
    ahead(db, "event_deliveries", "available_at", by="1 hour")
    run_pipeline(db)
    assert [event.attempt for event in claim_of_leads(db)] == [1]


def test_the_pipeline_waits_for_no_consumer_that_has_a_delivery_in_hand(db, two):
    register(db, types=HOLDS)
    insert_lead_of_age(db, 1, PROTECTED)
    insert_lead_of_age(db, 2, PROTECTED)
    emit(db, 1)
    emit(db, 2)
    ahead(db, "event_deliveries", "available_at", by="3 days")
    holder, _ = two
    holder.execute("SELECT FROM lead_protection.event_deliveries ORDER BY sequence_number LIMIT 1 FOR UPDATE")
    run_pipeline(db)
    assert [event.aggregateid for event in claim_of_leads(db)] == ["2"]
    holder.rollback()
    run_pipeline(db)
    assert [event.aggregateid for event in claim_of_leads(db)] == ["1"]


def test_a_repetition_planned_ahead_waits_a_day_at_most(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    run_pipeline(db)
    (sent,) = rows(db, "SELECT window_date FROM lead_protection.lead_reminders")
    db.execute(
        "SELECT lead_protection.report_reminder_delivery(1, 7, %s, 'm-1', 'failed', 'box full')", (sent["window_date"],)
    )
    planned = "SELECT retry_at FROM lead_protection.reminder_deliveries"
    before = row(db, planned)["retry_at"]
    assert run_pipeline(db)["reminders"] == 0 and row(db, planned)["retry_at"] == before
    ahead(db, "reminder_deliveries", "retry_at", by="2 days")
    assert run_pipeline(db)["reminders"] == 1


def test_the_longest_lease_and_the_longest_pause_are_waited_for(db):
    register(db, types=HOLDS, retry_delay="1 day")
    insert_lead_of_age(db, 1, PROTECTED)
    insert_lead_of_age(db, 2, PROTECTED)
    emit(db, 1)
    (leased,) = claim(db, lease="1 day")
    emit(db, 2)
    (failed,) = claim(db)
    fail(db, failed)
    run_pipeline(db)
    assert leased.id != failed.id and claim_of_leads(db) == [] and skew(db) == ("ok", "nothing lies ahead")


RECOVER = "SELECT what, amount FROM lead_protection.recover_from_clock_ahead()"


@pytest.mark.made_up_events("timestamps that lie ahead")
def test_one_call_ends_all_that_lies_ahead_and_health_is_well(db):
    register(db)
    for lead_id in (1, 2, 3):
        insert_lead_of_age(db, lead_id, PROTECTED)
    emit(db, 3)
    (leased,) = claim(db)
    run_pipeline(db)
    remind_ahead(db, 1)
    expire_ahead(db, 2)
    ahead(db, "outbox_events", '"timestamp"')
    ahead(db, "event_deliveries", "available_at")
    ahead(db, "job_runs", "started_at", "finished_at", "stepped_at")
    db.execute(
        "INSERT INTO lead_protection.job_runs (job_name, backend_pid, started_at)"
        " VALUES ('lead-protection-nightly', 999999, now() + INTERVAL '1 hour')"
    )
    db.execute(
        "INSERT INTO lead_protection.passed_over_leads SELECT 3, job_name, 'expiries', started_at, started_at"
        " FROM lead_protection.job_runs WHERE outcome = 'succeeded'"
    )
    assert skew(db)[0] == "critical"
    assert [tuple(found.values()) for found in rows(db, RECOVER)] == [
        ("leads whose expiries and reminders lay ahead", 2),
        # The reminder's own was discarded; that of the log's seal was not.
        ("deliveries that waited for a day ahead", 3),
        ("repetitions of reminders that were planned for a day ahead", 0),
        ("adopted rows that waited for a day ahead", 0),
        ("runs that lay ahead", 2),
        ("events that bear a time ahead", 4),
    ]
    assert skew(db) == ("ok", "nothing lies ahead")
    assert [found["amount"] for found in rows(db, RECOVER)] == [0, 0, 0, 0, 0, 4]
    assert [state(db, lead_id) for lead_id in (1, 2, 3)] == ["PROTECTED"] * 3
    # The lead's next one comes after the one that was leased.
    again = claim(db)
    assert leased.id in [event.id for event in again]
    run_pipeline(db)
    wrong = rows(db, "SELECT check_name, found FROM lead_protection.health WHERE status <> 'ok'")
    assert wrong == []

    # What lies farther ahead is told again; and so is a run, however far.
    db.execute("BEGIN")
    emit(db, 1)
    ahead(db, "outbox_events", '"timestamp"', by="2 years", where='"timestamp" <= now()')
    assert skew(db)[1].startswith("an event was written in ")
    db.execute("ROLLBACK; BEGIN")
    ahead(db, "job_runs", "started_at", "finished_at", by="1 hour")
    assert skew(db)[0] == "critical"
    db.execute("ROLLBACK")


def test_recovering_is_for_operators(connect):
    operator, monitor = connect(), connect()
    operator.execute("SET ROLE lead_protection_operator")
    assert {count for _, count in operator.execute(RECOVER)} == {0}
    monitor.execute("SET ROLE lead_protection_monitor")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        monitor.execute(RECOVER)


def test_what_waits_for_a_day_ahead_to_be_tried_again_waits_no_more(db):
    """A repetition of a reminder, and a row of an adopted table."""
    db.execute("CREATE TABLE public.crm (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz DEFAULT now())")
    db.execute("CALL lead_protection.adopt_leads('crm', 900)")
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("INSERT INTO public.crm VALUES (1, 7, '1800-01-01')")
    db.execute("CALL lead_protection.follow_adopted_tables()")
    db.execute("INSERT INTO public.crm VALUES (2, 7, now())")
    ahead(db, "adoption_queue", "queued_at", "tried_at")
    ahead(db, "adoption_notes", "noted_at")
    found = {each["what"]: each["amount"] for each in rows(db, RECOVER)}
    assert found["adopted rows that waited for a day ahead"] == 2
    run_pipeline(db)
    assert rows(db, "SELECT lead_id FROM lead_protection.adopted_leads") == [{"lead_id": 2}]
    assert row(db, "SELECT attempts FROM lead_protection.adoption_queue")["attempts"] >= 1


def test_what_was_reported_of_a_reminder_by_a_clock_ahead_counts_from_now(db):
    """It was sent and arrived rightly, and the notice would be owed for a year more."""
    policy = insert_policy(db, notice_required=True, notice_counts_from="delivered")
    for lead_id in (1, 2):
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
        db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = %s", (policy, lead_id))
    run_pipeline(db)
    for lead_id in (1, 2):
        report = (
            "SELECT lead_protection.report_reminder_delivery(lead_id, user_id, window_date, 'm', 'delivered')"
            " FROM lead_protection.lead_reminders WHERE lead_id = %s"
        )
        db.execute(report, (lead_id,))
    ahead(db, "reminder_deliveries", "occurred_at", where="lead_id = 1")
    ahead(db, "reminder_deliveries", "occurred_at", by="1 minute", where="lead_id = 2")
    db.execute("SELECT lead_protection.refresh_lead_clocks('{1,2}')")
    noticed = (
        "SELECT noticed_at <= now() AS now, protection_expires_at - now() < INTERVAL '11 days' AS soon"
        " FROM lead_protection.lead_clocks ORDER BY lead_id"
    )
    assert rows(db, noticed) == [{"now": False, "soon": False}, {"now": False, "soon": True}]
    assert run_pipeline(db)["reactivations"] == 1
    # Within the skew time catches up by itself.
    assert rows(db, noticed) == [{"now": True, "soon": True}, {"now": False, "soon": True}]
    assert rows(db, "SELECT * FROM lead_protection.find_clock_drift()") == []
    assert run_pipeline(db)["reactivations"] == 0


@pytest.mark.made_up_events("timestamps of other days")
def test_a_clock_that_was_behind_is_told_from_one_that_ran_ahead_before(db):
    """Behind events that were written ahead the next ones look as if the clock were behind; these leads stay."""
    for lead_id, days in ((1, 10), (2, 30), (3, 1), (4, 3)):
        db.execute(
            "INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (%s, 7, now() - %s * INTERVAL '1 day')",
            (lead_id, days),
        )
    db.execute("SET session_replication_role = replica")
    db.execute(
        'UPDATE lead_protection.outbox_events AS e SET "timestamp" = l.created_at'
        " FROM lead_protection.leads AS l WHERE e.aggregateid = l.id::text"
    )
    db.execute("RESET session_replication_role")
    # Lead 1 was written ahead, and 4 behind, by two days.
    behind = [each for each in rows(db, wrong_starts("behind")) if each["behind"]]
    assert [each["lead_id"] for each in behind] == ["2", "4"]
    values = {"behind": "2 days", "first": behind[1]["sequence_number"]}
    assert [each["id"] for each in rows(db, wrong_starts("moved"), values)] == [4]
    assert rows(db, wrong_starts("moved"), values) == []


def test_what_lies_ahead_is_looked_for_by_indexes(db):
    """At each run of the pipeline: the ledgers grow for ever."""
    read = (
        "SELECT relname FROM pg_stat_xact_user_tables WHERE seq_scan > 0"
        " AND relname IN ('lead_expiries', 'lead_reminders', 'lead_warnings', 'reminder_deliveries')"
    )
    with db.transaction():
        db.execute("SELECT lead_protection.take_back_ahead(1000)")
        assert rows(db, read) == []
