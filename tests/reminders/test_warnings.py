"""Early warnings: when one is sent and repeated, what is not warned of, at which pace, and what they leave alone."""

from datetime import timedelta

import psycopg
import pytest

from helpers.facts import (
    ago,
    events,
    insert_activities,
    insert_history,
    insert_holds,
    insert_lead,
    insert_leads_of_age,
    insert_policy,
)  # fmt: skip
from helpers.jobs import last_run, run_pipeline
from helpers.warnings import WARNING, create_version, insert_warned_policy, sent

# A lead that the user has left alone for 53 days is 17 days from its end: 60 and 10 under the parallel rule.
DUE, EARLY, REMINDER_DUE = 54, 50, 61


@pytest.fixture
def agents(db) -> int:
    """A policy such as the demo's agents have."""
    return insert_warned_policy(db, [(17, "user")], "agents", rule="parallel", notice_required=True)


def insert_lead_of(db, lead_id: int, days: float, policy_id: int, user_id: int = 7) -> None:
    insert_lead(db, lead_id, ago(days), policy_id=policy_id, user_id=user_id)


def warned(db) -> list[int]:
    """The leads, as often as they were warned of."""
    return [warning.lead_id for warning in sent(db)]


def test_each_is_sent_once_and_tells_when_the_protection_ends(db, agents):
    insert_lead_of(db, 1, DUE, agents)
    insert_lead_of(db, 2, EARLY, agents)
    result = run_pipeline(db)
    assert (result["warnings"], result["reminders"]) == (1, 0)
    payload, expires_at, window, due_at, at = db.execute(
        "SELECT e.payload, c.protection_expires_at, c.window_date, w.due_at, w.sent_at"
        " FROM lead_protection.outbox_events AS e, lead_protection.lead_clocks AS c"
        " JOIN lead_protection.lead_warnings AS w ON c.lead_id = w.lead_id"
    ).fetchone()
    days = {"lead_id": 1, "user_id": 7, "step": 1, "days_before": 17, "audience": "user", "state": "PROTECTED"}
    assert {key: payload[key] for key in days} == days
    assert payload["window_date"] == str(window)
    instants = db.execute(
        "SELECT lead_protection.instant_text(%s), lead_protection.instant_text(%s), lead_protection.instant_text(%s)",
        (expires_at, due_at, at),
    ).fetchone()
    assert instants == (payload["protection_expires_at"], payload["warning_due_at"], payload["occurred_at"])
    local = db.execute("SELECT %s AT TIME ZONE 'Europe/Berlin'", (due_at,)).fetchone()[0]
    assert (local.date(), local.hour, local.minute) == (window - timedelta(days=17), 8, 0)
    assert run_pipeline(db)["warnings"] == 0
    assert events(db) == [WARNING]


def test_a_warning_is_no_notice_and_no_reminder(db, agents):
    """Nothing that reads reminders knows of it, and the clock stands as it stood."""
    insert_lead_of(db, 1, DUE, agents)

    def looks() -> list:
        """All that tells of reminders, and the lead."""
        return [
            db.execute(query).fetchall()
            for query in (
                "SELECT * FROM lead_protection.lead_clocks",
                "SELECT state, on_hold, protection_expires_at, reminder_due_at"
                " FROM lead_protection.v_user_lead_protection",
                "SELECT * FROM lead_protection.waiting_reminders()",
                "SELECT * FROM lead_protection.v_lead_reminders",
                "SELECT * FROM lead_protection.v_reminder_sla",
                "SELECT * FROM lead_protection.v_kpi_reminders",
                "SELECT item, expires_at, explanation"
                " FROM lead_protection.explain_protection(1, now() + INTERVAL '1 day')"
                " WHERE item IN ('NOTICE', 'REMINDER')",
                "SELECT metric, labels, value FROM lead_protection.metric_samples('lead_reminder_due_total',"
                " 'lead_reminder_sent_total', 'lead_reminder_missed_total', 'lead_reminder_waiting')",
            )
        ]

    db.execute("SELECT lead_protection.refresh_metrics('0')")
    before = looks()
    assert run_pipeline(db)["warnings"] == 1
    db.execute("SELECT lead_protection.refresh_metrics('0')")
    after = looks()
    assert after == before
    assert [row[0] for row in before[6]] == ["NOTICE", "REMINDER"], "a notice is owed still"
    sent_total = "SELECT value FROM lead_protection.metric_samples('lead_warning_sent_total')"
    assert db.execute(sent_total).fetchone() == (1,)
    # The reminder comes when it is due, as if nobody had been warned, and the mailer's door is for reminders alone.
    with pytest.raises(psycopg.Error) as caught:
        db.execute(
            "SELECT lead_protection.start_reminder_delivery(lead_id, user_id, window_date, 'm')"
            " FROM lead_protection.lead_warnings"
        )
    assert caught.value.sqlstate == "LP044"


def test_the_log_and_the_statement_tell_of_it_and_the_list_of_reminders_does_not(db, agents):
    insert_lead_of(db, 1, DUE, agents)
    run_pipeline(db)
    ((kind, meaning, details),) = db.execute(
        "SELECT event_type, meaning, details FROM lead_protection.lead_log(1)"
    ).fetchall()
    assert (kind, details["audience"], details["step"]) == (WARNING, "user", 1)
    assert meaning == "The protection ends in days_before days: tell the audience."
    for language, words in (("en", "Early warning sent"), ("de", "Vorwarnung versandt")):
        (page,) = db.execute("SELECT lead_protection.protection_statement(1, language => %s)", (language,)).fetchone()
        assert page.count(words) == 1
    (facts,) = db.execute("SELECT lead_protection.statement_facts(1, now())").fetchone()
    assert facts["reminders"] is None and [row["event"] for row in facts["log"]] == [WARNING]


def test_one_on_hold_closed_free_or_expired_is_not_warned_of(db, agents):
    insert_lead_of(db, 1, DUE, agents)
    insert_holds(db, 1, [(ago(0.1), None)])
    insert_lead(db, 2, ago(DUE), policy_id=agents, closed_at=ago(0.1))
    insert_lead_of(db, 3, DUE, agents)
    db.execute("SELECT lead_protection.give_back_lead(3, 7, 'x', 1)")
    short = insert_warned_policy(db, [(17, "user")], "short", rule="parallel")
    insert_lead_of(db, 4, 80, short)
    assert run_pipeline(db)["warnings"] == 0
    db.execute("SELECT lead_protection.reopen_lead(2, 7, 'x', 1)")
    assert run_pipeline(db)["warnings"] == 1
    assert warned(db) == [2], "reopened, it is as if it had never been closed: as a reminder"
    db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
    run_pipeline(db)
    assert warned(db) == [1, 2], "once the clock runs on"


def test_once_the_reminder_is_due_it_is_too_late_for_one_from_before(db):
    policy_id = insert_warned_policy(db, [(30, "user"), (17, "user"), (17, "manager"), (3, "manager")], rule="parallel")
    insert_lead_of(db, 1, REMINDER_DUE, policy_id)
    insert_lead_of(db, 2, 68, policy_id)
    result = run_pipeline(db)
    assert (result["reminders"], result["warnings"]) == (2, 1)
    assert [(w.lead_id, w.days_before, w.audience) for w in sent(db)] == [(2, 3, "manager")]


def test_of_several_that_are_due_the_last_one_alone_is_sent_to_each_audience(db):
    """A lead that is entered late, or an outage: nobody gets old warnings in a heap."""
    policy_id = insert_warned_policy(
        db, [(40, "user"), (30, "user"), (20, "user"), (25, "manager"), (60, "team_lead")], rule="parallel"
    )
    insert_lead_of(db, 1, DUE, policy_id)
    run_pipeline(db)
    told = [(w.days_before, w.audience) for w in sent(db)]
    assert told == [(20, "user"), (25, "manager"), (60, "team_lead")]
    steps = db.execute("SELECT days_before, step FROM lead_protection.lead_warnings ORDER BY 1").fetchall()
    assert steps == [(20, 5), (25, 4), (60, 1)]


def test_while_a_reminder_waits_it_goes_first(db):
    policy_id = insert_warned_policy(db, [(9, "user")], rule="parallel")
    for lead_id in (1, 2):
        insert_lead_of(db, lead_id, 62, policy_id)
    db.execute("SELECT lead_protection.configure_reminders(reminders_per_user => 1)")
    result = run_pipeline(db)
    assert (result["reminders"], result["warnings"]) == (1, 1)
    ((reminded,),) = db.execute("SELECT lead_id FROM lead_protection.lead_reminders").fetchall()
    assert warned(db) == [reminded]


def test_a_window_that_moves_is_warned_of_again(db, agents):
    """A hold, an activity: as soon as the warning is due for the new date, and not before."""
    insert_lead_of(db, 1, 58, agents)
    run_pipeline(db, ago(4))
    insert_holds(db, 1, [(ago(3), ago(1))])
    assert run_pipeline(db)["warnings"] == 1, "two days later it was due for the new date, too, and not sent since"
    insert_lead_of(db, 2, 58, agents)
    run_pipeline(db, ago(4))
    insert_activities(db, 2, [ago(3)])
    assert run_pipeline(db)["warnings"] == 0, "67 days from its end"
    (first, second) = [w.window for w in sent(db) if w.lead_id == 1]
    assert second - first == timedelta(days=2)
    assert warned(db) == [1, 1, 2]


def test_a_window_that_moves_back_is_not_warned_of_again(db, agents):
    """Who was warned after the warning for the earlier date was due, knows."""
    insert_lead_of(db, 1, 58, agents)
    insert_holds(db, 1, [(ago(20), ago(17))])
    run_pipeline(db)
    assert len(sent(db)) == 1
    db.execute("SELECT lead_protection.void_lead_hold(id, version, 'x', 1) FROM lead_protection.lead_holds")
    assert run_pipeline(db)["warnings"] == 0


def test_a_transfer_begins_anew_and_names_the_new_user(db, agents):
    db.execute("SELECT lead_protection.assign_user_policy(8, %s, 1)", (agents,))
    insert_lead_of(db, 1, DUE, agents)
    run_pipeline(db)
    db.execute("SELECT lead_protection.transfer_lead(1, 7, 8, 'x', 1)")
    assert run_pipeline(db)["warnings"] == 0
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (ago(DUE),))
    run_pipeline(db)
    assert [w.user_id for w in sent(db)] == [7, 8]


def test_a_new_version_brings_no_warnings_of_before(db, agents):
    """Moved to other terms, those that fell due by then are not sent; those that fall due later are."""
    plain = insert_policy(db, "plain", rule="parallel", notice_required=True)
    for lead_id, days in enumerate((DUE, 57, EARLY), start=1):
        insert_lead_of(db, lead_id, days, plain)
    assert run_pipeline(db).get("warnings") == 0
    db.execute("SELECT lead_protection.move_leads_to_policy('{1,2,3}', %s, 'x', 1)", (agents,))
    assert run_pipeline(db)["warnings"] == 0
    # The same move, a while ago: the third one's has fallen due since.
    insert_lead_of(db, 4, DUE, agents)
    insert_history(db, 4, [(ago(3), 7, plain, ago(DUE), None)])
    assert run_pipeline(db)["warnings"] == 1
    assert warned(db) == [4]


def test_a_lead_that_is_entered_late_is_warned_of_late_as_it_is_reminded_late(db, agents):
    db.execute("SELECT lead_protection.assign_user_policy(7, %s, 1)", (agents,))
    db.execute("SELECT lead_protection.protect_lead(7, 900, 'key', %s)", (ago(55),))
    assert run_pipeline(db)["warnings"] == 1


def test_a_table_that_is_switched_on_brings_no_warnings_of_before(db, agents):
    db.execute("SELECT lead_protection.set_default_policy(%s, 1)", (agents,))
    db.execute(
        "CREATE TABLE public.crm (id int PRIMARY KEY, user_id int, created_at timestamptz);"
        "INSERT INTO public.crm SELECT n, 7, now() - n * INTERVAL '1 day' FROM generate_series(1, 69) AS n"
    )
    db.execute("CALL lead_protection.adopt_leads('public.crm', 1)")
    db.execute("CALL lead_protection.switch_on_adoption(send_overdue => true)")
    result = run_pipeline(db)
    assert result["warnings"] == 0 and result["reminders"] > 5
    db.execute("INSERT INTO public.crm VALUES (100, 7, now() - INTERVAL '54 days')")
    db.execute("CALL lead_protection.follow_adopted_tables()")
    db.execute("UPDATE lead_protection.adoptions SET switched_on_at = now() - INTERVAL '2 days'")
    run_pipeline(db)
    assert 100 in warned(db) and len(warned(db)) < 5


def test_the_pace_is_that_of_the_reminders(db, agents):
    db.execute("SELECT lead_protection.configure_reminders(reminders_per_run => 4, reminders_per_user => 3)")
    for lead_id in range(1, 8):
        insert_lead_of(db, lead_id, 58 - lead_id / 2, agents, user_id=7 if lead_id < 6 else 8)
    (first,) = db.execute("SELECT count(*) FROM lead_protection.waiting_warnings()").fetchone()
    assert first == 7
    assert db.execute("SELECT lead_protection.reminders_to_send(now())").fetchone() == ([],)
    counts = [run_pipeline(db)["warnings"] for _ in range(3)]
    assert counts == [4, 3, 0]
    order = db.execute(
        "SELECT lead_id FROM lead_protection.lead_warnings WHERE sent_at ="
        " (SELECT min(sent_at) FROM lead_protection.lead_warnings) ORDER BY due_at, lead_id"
    ).fetchall()
    assert [row[0] for row in order] == [1, 2, 3, 6], "the longest due first, three of a user"


def test_a_lead_with_two_that_wait_has_the_place_of_the_longer_due(db):
    """Lead 1 waits with the manager's alone, lead 2 since before it and with another of after it."""
    first = insert_warned_policy(db, [(20, "manager")], "first", rule="parallel")
    second = insert_warned_policy(db, [(25, "user"), (18, "manager")], "second", rule="parallel")
    insert_lead_of(db, 1, DUE, first)
    insert_lead_of(db, 2, DUE, second)
    assert db.execute("SELECT lead_protection.reminders_to_send(now(), 'warnings')").fetchone() == ([2, 1],)


def test_batches(db, agents):
    for lead_id in range(1, 8):
        insert_lead_of(db, lead_id, DUE, agents)
    db.execute("CALL lead_protection.run_protection_pipeline(batch_size => 2)")
    outcome, result = last_run(db)
    assert (outcome, result["warnings"]) == ("succeeded", 7)
    assert db.execute("SELECT count(DISTINCT sent_at) FROM lead_protection.lead_warnings").fetchone() == (4,)


def test_two_runs_at_once_and_a_step_repeated_send_none_twice(db, agents, server):
    """The key of the ledger sees to it, whoever calls what."""
    insert_lead_of(db, 1, DUE, agents)
    call = "SELECT lead_protection.send_due_warnings('{1}', NULL)"
    with psycopg.connect(server.url(db.info.dbname)) as other:
        assert other.execute(call).fetchone() == (1,)
        assert db.execute(call).fetchone() == (0,), "the lead is locked"
        other.rollback()
        assert db.execute(call).fetchone() == (1,)
        assert other.execute(call).fetchone() == (0,)
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        db.execute("INSERT INTO lead_protection.lead_warnings SELECT * FROM lead_protection.lead_warnings")
    assert caught.value.diag.constraint_name == "lead_warnings_one_per_window"


def test_a_run_that_fails_has_sent_nothing_and_the_next_one_sends(db, agents):
    insert_lead_of(db, 1, DUE, agents)
    db.execute(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;"
        "CREATE TRIGGER fail BEFORE INSERT ON lead_protection.protection_log EXECUTE FUNCTION public.fail()"
    )
    with pytest.raises(psycopg.Error):
        db.execute("CALL lead_protection.run_protection_pipeline()")
    assert sent(db) == []
    db.execute("DROP FUNCTION public.fail() CASCADE")
    assert run_pipeline(db)["warnings"] == 1


def test_what_a_clock_that_ran_ahead_has_sent_is_taken_back(db, agents):
    """Of one that is not due the row goes, with the events that wait; of one that is, it bears the present instant."""
    db.execute("SELECT lead_protection.register_event_consumer('mailer')")
    insert_lead_of(db, 1, EARLY, agents)
    insert_lead_of(db, 2, DUE, agents)
    for lead_id in (1, 2):
        db.execute(
            "INSERT INTO lead_protection.lead_warnings"
            " SELECT lead_id, user_id, window_date, 17, 'user', 1, protection_expires_at,"
            " window_date - 17 + TIME '08:00', now() + INTERVAL '7 days'"
            " FROM lead_protection.lead_clocks WHERE lead_id = %s",
            (lead_id,),
        )
    db.execute(
        "INSERT INTO lead_protection.protection_log (lead_id, user_id, event_type, occurred_at, state_after,"
        " expires_after, details) SELECT lead_id, user_id, %s, sent_at, 'PROTECTED', protection_expires_at,"
        " jsonb_build_object('window_date', window_date::text, 'warning_due_at', lead_protection.instant_text(due_at),"
        " 'step', 1, 'days_before', 17, 'audience', 'user') FROM lead_protection.lead_warnings",
        (WARNING,),
    )
    (found,) = db.execute("SELECT found FROM lead_protection.health WHERE check_name = 'clock_skew'").fetchone()
    assert "an early warning was sent" in found
    assert run_pipeline(db)["reactivations"] == 2
    assert db.execute("SELECT lead_id, sent_at <= now() FROM lead_protection.lead_warnings").fetchall() == [(2, True)]
    told = "SELECT lead_id, status FROM lead_protection.event_deliveries WHERE lead_id > 0 ORDER BY 1"
    statuses = db.execute(told).fetchall()
    assert statuses == [(1, "discarded"), (2, "pending")]
    assert run_pipeline(db)["warnings"] == 0
    assert events(db) == [WARNING] * 2, "nobody is told that it was taken back: it announced no end"


def test_the_forecast_has_those_that_wait_and_those_that_come(db):
    policy_id = insert_warned_policy(db, [(17, "user"), (17, "manager"), (3, "manager")], rule="parallel")
    insert_lead_of(db, 1, DUE, policy_id)
    insert_lead_of(db, 2, 1, policy_id)

    def forecast() -> int:
        (found,) = db.execute("SELECT sum(warnings) FROM lead_protection.forecast_protection(12)").fetchone()
        return found

    assert forecast() == 6
    run_pipeline(db)
    assert forecast() == 4
    insert_holds(db, 2, [(ago(0.1), None)])
    assert forecast() == 1
    plain = insert_policy(db, "plain", rule="parallel")
    db.execute("SELECT lead_protection.move_leads_to_policy('{1,2}', %s, 'x', 1)", (plain,))
    assert forecast() == 0


@pytest.mark.parametrize(
    ("role", "may_list", "may_read"),
    [("app", False, True), ("operator", True, True), ("monitor", True, True), ("consumer", False, False),
     ("jobs", False, False)],
)  # fmt: skip
def test_who_may_see_them(db, agents, role, may_list, may_read):
    insert_lead_of(db, 1, DUE, agents)
    for query, may in (
        ("SELECT * FROM lead_protection.waiting_warnings()", may_list),
        ("SELECT * FROM lead_protection.lead_warnings", may_read),
        ("SELECT * FROM lead_protection.policy_warnings", may_read),
        ("SELECT lead_protection.send_due_warnings('{1}', now())", False),
        ("INSERT INTO lead_protection.lead_warnings SELECT * FROM lead_protection.lead_warnings", False),
    ):
        db.execute(f"SET ROLE lead_protection_{role}")
        try:
            db.execute(query)
            done = True
        except psycopg.errors.InsufficientPrivilege:
            done = False
        finally:
            db.execute("RESET ROLE")
        assert done == may, query


def test_the_ledger_is_not_emptied(db):
    with pytest.raises(psycopg.Error) as caught:
        db.execute("TRUNCATE lead_protection.lead_warnings")
    assert caught.value.sqlstate == "LP012"


def test_a_policy_without_warnings_warns_nobody_beside_one_that_has_some(db, agents):
    insert_leads_of_age(db, 233, 234, 235)
    insert_lead_of(db, 9, DUE, agents)
    run_pipeline(db)
    assert warned(db) == [9]
    create_version(db, [{"days_before": 17, "audience": "user"}], name="standard")
    run_pipeline(db)
    assert warned(db) == [9], "a version that is nobody's moves nothing"
