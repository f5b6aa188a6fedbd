"""The metrics: counters that count what they say and never fall, gauges that are true, and Prometheus' text format."""

import json
import re
from datetime import timedelta

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, insert_lead_of_age
from helpers.project import PROJECT, poll, run_program
from helpers.prometheus import program_path
from helpers.standby import cluster, standby_of

PIPELINE = "CALL lead_protection.run_protection_pipeline()"
REFRESH = "SELECT lead_protection.refresh_metrics('0')"
SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")


def by_name(samples: psycopg.Cursor) -> dict[str, float]:
    """Samples as (name, labels, value), by name and labels."""
    found = {}
    for name, labels, value in samples:
        text = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
        found[name + (f"{{{text}}}" if text else "")] = value
    return found


def metrics(db: psycopg.Connection) -> dict[str, float]:
    """Every sample as v_metrics has it, by name and labels as Prometheus writes them."""
    return by_name(db.execute("SELECT sample, labels, value FROM lead_protection.v_metrics"))


def counters(db: psycopg.Connection) -> dict[str, float]:
    """Every sample of a counter or histogram."""
    return by_name(
        db.execute("SELECT sample, labels, value FROM lead_protection.v_metrics WHERE type IN ('counter', 'histogram')")
    )


def rises(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Which counters rose, and by how much; none may fall or go."""
    assert before.keys() == after.keys()
    assert [name for name in before if after[name] < before[name]] == []
    return {name: after[name] - before[name] for name in before if after[name] > before[name]}


def insert_leads(db: psycopg.Connection, first: int, count: int, days: int) -> None:
    for lead_id in range(first, first + count):
        insert_lead_of_age(db, lead_id, days)


# --- counters ---


def test_a_new_database_has_every_counter_at_zero(db):
    assert set(counters(db).values()) == {0}
    assert {name.partition("{")[0] for name in counters(db) if not name.startswith("lead_reminder_")} == {
        "lead_warning_sent_total",
        "lead_protection_expired_total",
        "lead_protection_reactivated_total",
        "lead_job_failures_total",
    }


def test_the_pipeline_is_counted(db):
    insert_leads(db, 1, 3, REMINDER_DUE)
    insert_leads(db, 11, 2, EXPIRED)
    before = counters(db)
    db.execute(PIPELINE)
    risen = rises(before, counters(db))
    processing = risen.pop("lead_reminder_processing_seconds_sum")
    assert 0 < processing < 60
    assert {name: value for name, value in risen.items() if "_bucket" not in name and "_sum" not in name} == {
        "lead_reminder_sent_total": 3,
        "lead_reminder_due_total": 3,
        "lead_reminder_latency_seconds_count": 3,
        "lead_protection_expired_total": 2,
        "lead_reminder_processing_seconds_count": 1,
    }
    assert risen['lead_reminder_latency_seconds_bucket{le="60"}'] == 3, (
        "recorded just now, they could not be sent before"
    )
    db.execute(PIPELINE)
    assert set(rises(before | risen, before | risen)) == set()
    assert counters(db)["lead_reminder_sent_total"] == 3


def test_a_bound_of_a_histogram_is_part_of_its_bucket(db):
    latencies = [timedelta(minutes=minutes) for minutes in (0, 1, 60, 61, 60 * 24 * 30)]
    db.execute("SELECT lead_protection.observe_seconds('lead_reminder_latency_seconds', %s)", (latencies,))
    seen = metrics(db)
    buckets = {le: seen[f'lead_reminder_latency_seconds_bucket{{le="{le}"}}'] for le in ("60", "300", "3600", "7200")}
    assert buckets == {"60": 2, "300": 2, "3600": 3, "7200": 4}
    assert seen['lead_reminder_latency_seconds_bucket{le="+Inf"}'] == seen["lead_reminder_latency_seconds_count"] == 5
    assert seen["lead_reminder_latency_seconds_sum"] == (1 + 60 + 61 + 60 * 24 * 30) * 60


def test_what_is_rolled_back_was_not_counted(db, connect):
    insert_leads(db, 1, 2, REMINDER_DUE)
    before = counters(db)
    with connect(autocommit=False) as other:
        assert other.execute("SELECT lead_protection.send_due_reminders('{1, 2}', NULL)").fetchone() == (2,)
        assert counters(other)["lead_reminder_sent_total"] == 2
        other.rollback()
    assert counters(db) == before


def test_whoever_counts_waits_for_nobody(db, connect):
    """Two transactions count the same metrics, and a refresh adds up, while both are open."""
    insert_leads(db, 1, 2, REMINDER_DUE)
    first, second = connect(autocommit=False), connect(autocommit=False)
    for lead_id, other in ((1, first), (2, second)):
        other.execute("SET LOCAL lock_timeout = '100ms'")
        other.execute("SELECT lead_protection.send_due_reminders(ARRAY[%s], NULL)", (lead_id,))
    assert db.execute(REFRESH).fetchone() == (True,)
    first.commit()
    second.commit()
    assert counters(db)["lead_reminder_sent_total"] == 2
    for lead_id in (3, 4):
        db.execute(REFRESH)
        assert counters(db)["lead_reminder_sent_total"] == lead_id - 1
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
        db.execute("SELECT lead_protection.send_due_reminders(ARRAY[%s], NULL)", (lead_id,))
    db.execute(REFRESH)
    assert counters(db)["lead_reminder_sent_total"] == 4
    assert db.execute("SELECT count(*) FROM lead_protection.metric_counts").fetchone() == (0,)


def test_an_expiry_that_a_transfer_finds_is_counted_and_no_reactivation(db):
    insert_lead_of_age(db, 1, EXPIRED)
    db.execute("SELECT lead_protection.transfer_lead(1, 7, 8, 'x', 900)")
    seen = counters(db)
    assert seen["lead_protection_expired_total"] == 1
    assert seen["lead_protection_reactivated_total"] == 0


def test_a_reactivation_is_counted_once(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    db.execute(PIPELINE)
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1, now() - INTERVAL '30 days')")
    db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
    db.execute(PIPELINE)
    db.execute(PIPELINE)
    assert counters(db)["lead_protection_reactivated_total"] == 1


def test_reports_of_deliveries_are_counted_by_outcome(db):
    insert_leads(db, 1, 3, REMINDER_DUE)
    db.execute(PIPELINE)
    reminders = db.execute("SELECT lead_id, user_id, window_date FROM lead_protection.lead_reminders").fetchall()
    for lead_id, user_id, window in reminders[:2] * 2:
        db.execute(
            "SELECT lead_protection.report_reminder_delivery(%s, %s, %s, 'm', 'delivered')", (lead_id, user_id, window)
        )
    db.execute(
        "SELECT lead_protection.report_reminder_delivery(%s, %s, %s, 'm', 'failed', 'no such mailbox')", reminders[2]
    )
    seen = counters(db)
    assert {
        o: seen[f'lead_reminder_deliveries_total{{outcome="{o}"}}'] for o in ("delivered", "failed", "skipped")
    } == {
        "delivered": 2,
        "failed": 1,
        "skipped": 0,
    }


def test_failed_and_abandoned_runs_are_counted(db, connect, wait_until):
    db.execute("ALTER TABLE lead_protection.outbox_events ADD CONSTRAINT intruder CHECK (false) NOT VALID")
    insert_lead_of_age(db, 1, REMINDER_DUE)
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(PIPELINE)
    job = 'lead_job_failures_total{job="lead-protection-reminders"}'
    assert counters(db)[job] == 1
    assert counters(db)["lead_reminder_sent_total"] == 0
    assert counters(db)["lead_reminder_processing_seconds_count"] == 1
    db.execute("ALTER TABLE lead_protection.outbox_events DROP CONSTRAINT intruder")
    with connect() as killed:
        killed.execute("SELECT lead_protection.start_job_run('lead-protection-reminders')")
        pid = killed.info.backend_pid
    gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
    wait_until(lambda: db.execute(gone, (pid,)).fetchone()[0], what="its process is gone")
    db.execute(PIPELINE)
    assert counters(db)[job] == 2
    assert counters(db)["lead_reminder_processing_seconds_count"] == 2


def test_due_never_falls_and_is_never_below_sent(db):
    insert_leads(db, 1, 3, REMINDER_DUE)
    db.execute(REFRESH)
    assert metrics(db)["lead_reminder_due_total"] == metrics(db)["lead_reminder_waiting"] == 3
    for lead_id in (1, 2):
        db.execute("SELECT lead_protection.create_lead_hold(%s, 7, 'x', 1)", (lead_id,))
    db.execute("SELECT lead_protection.close_lead(3, 7, 'LOST', 'x', 1)")
    db.execute(REFRESH)
    seen = metrics(db)
    assert seen["lead_reminder_waiting"] == 0
    assert seen["lead_reminder_missed_total"] == 1
    assert seen["lead_reminder_due_total"] == 3
    insert_leads(db, 11, 4, REMINDER_DUE)
    db.execute("SELECT lead_protection.send_due_reminders('{11, 12, 13, 14}', NULL)")
    assert metrics(db)["lead_reminder_due_total"] == 4, "also between two refreshes"


def test_counters_start_from_the_ledgers_of_an_older_version_and_only_once(sample):
    sample.execute(PIPELINE)
    sample.execute(REFRESH)
    counted = counters(sample)
    assert counted["lead_protection_expired_total"] > 0 and counted["lead_protection_reactivated_total"] > 0
    sample.execute("TRUNCATE lead_protection.metric_counters, lead_protection.metric_counts")
    sample.execute("SELECT lead_protection.count_metric('lead_reminder_sent_total', '{}', 99)")
    for _ in range(2):
        sample.execute((PROJECT / "sql" / "first_counts.sql").read_text(encoding="utf-8"))
    sample.execute(REFRESH)
    assert counters(sample) == counted


@pytest.mark.thorough(
    "installs an older version",
    by_day="metrics/test_metrics.py::test_counters_start_from_the_ledgers_of_an_older_version_and_only_once"
    " install/test_upgrade.py::test_an_upgrade_gives_the_catalog_of_a_fresh_install_and_keeps_every_row",
)
def test_an_upgrade_counts_what_there_was_and_a_second_apply_changes_nothing(sample, database_url):
    sample.execute(PIPELINE)
    sample.execute(REFRESH)
    counted = counters(sample)
    run_ok("rollback", "--steps", "2", "--yes", "--database", database_url)
    run_ok("apply", "--database", database_url)
    sample.execute(REFRESH)
    assert counters(sample) == counted
    run_ok("apply", "--database", database_url)
    assert counters(sample) == counted


def test_purges_lower_no_counter(sample):
    insert_lead_of_age(sample, 1001, EXPIRED)
    sample.execute("SELECT lead_protection.start_job_run('lead-protection-nightly')")
    sample.execute("CALL lead_protection.run_nightly_maintenance()")
    sample.execute(PIPELINE)
    sample.execute("UPDATE lead_protection.job_runs SET started_at = started_at - INTERVAL '99 days'")
    sample.execute("ALTER TABLE lead_protection.outbox_events DISABLE TRIGGER refuse_change")
    sample.execute("""UPDATE lead_protection.outbox_events SET "timestamp" = "timestamp" - INTERVAL '99 days'""")
    sample.execute("ALTER TABLE lead_protection.outbox_events ENABLE TRIGGER refuse_change")
    before = counters(sample)
    assert before['lead_job_failures_total{job="lead-protection-nightly"}'] == 1
    sample.execute("CALL lead_protection.run_nightly_maintenance()")
    left = (
        "SELECT (SELECT count(*) FROM lead_protection.job_runs), (SELECT count(*) FROM lead_protection.outbox_events)"
    )
    assert sample.execute(left).fetchone() == (1, 0), "only the run itself is left"
    sample.execute(REFRESH)
    assert rises(before, counters(sample)) == {}


@pytest.mark.slow("a server of its own with a standby")
@pytest.mark.made_up_events("the cluster is one of the test's own")
def test_restart_and_failover_lower_no_counter_and_a_standby_answers(server):
    with cluster() as primary:
        run_ok("apply", "--database", primary.url())
        with psycopg.connect(primary.url(), autocommit=True) as db:
            insert_leads(db, 1, 3, REMINDER_DUE)
            insert_leads(db, 11, 2, EXPIRED)
            db.execute(PIPELINE)
            # Counted, and not added up yet.
            insert_leads(db, 21, 2, REMINDER_DUE)
            db.execute("SELECT lead_protection.send_due_reminders('{21, 22}', NULL)")
            before = counters(db)
            assert before["lead_reminder_sent_total"] == 5 and before["lead_protection_expired_total"] == 2
        primary.stop()
        primary.start()
        with psycopg.connect(primary.url(), autocommit=True) as db:
            assert rises(before, counters(db)) == {}

        with standby_of(primary) as standby:
            with psycopg.connect(primary.url(), autocommit=True) as db:
                db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
                insert_lead_of_age(db, 31, REMINDER_DUE)
                db.execute("SELECT lead_protection.send_due_reminders('{31}', NULL)")
                ((written,),) = db.execute("SELECT pg_current_wal_flush_lsn()")
            with psycopg.connect(standby.url(), autocommit=True) as db:
                replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
                poll(
                    lambda: db.execute(replayed, (written,)).fetchone() == (True,),
                    timeout=60,
                    what="the standby has caught up",
                )
                ((text,),) = db.execute("SELECT lead_protection.prometheus_metrics()")
                assert "lead_reminder_sent_total 6\n" in text
                assert "lead_scheduler_up" not in text, "nothing is scheduled on a standby"
                for view in KPI_VIEWS:
                    db.execute(f"SELECT * FROM lead_protection.{view}")
                primary.stop()
                db.execute("SELECT pg_promote()")
                assert rises(before, counters(db)).keys() >= {"lead_reminder_sent_total"}
                insert_lead_of_age(db, 41, REMINDER_DUE)
                db.execute(PIPELINE)
                assert rises(before, counters(db))["lead_reminder_sent_total"] == 2


KPI_VIEWS = [
    "v_kpi_adoption",
    "v_kpi_clock_drift",
    "v_kpi_holds",
    "v_kpi_jobs",
    "v_kpi_reminders",
    "v_kpi_states",
    "v_kpi_users",
    "v_event_consumers",
    "v_reminder_sla",
]


# --- the refresh ---


def test_a_young_measurement_is_not_repeated_unless_asked_for(db):
    call = "SELECT lead_protection.refresh_metrics()"
    assert db.execute(call).fetchone() == (True,)
    assert db.execute(call).fetchone() == (False,)
    assert db.execute(REFRESH).fetchone() == (True,)
    db.execute("UPDATE lead_protection.metric_values SET measured_at = now() - INTERVAL '56 seconds'")
    assert db.execute(call).fetchone() == (True,)
    # One that took 10 seconds is good for 500.
    slow = "UPDATE lead_protection.metric_values SET value = 10, measured_at = now() - %s * INTERVAL '1 second'"
    slow += " WHERE metric = 'lead_metrics_refresh_seconds'"
    db.execute(slow, (490,))
    assert db.execute(call).fetchone() == (False,)
    db.execute(slow, (510,))
    assert db.execute(call).fetchone() == (True,)
    # The clock was set back.
    db.execute("UPDATE lead_protection.metric_values SET measured_at = now() + INTERVAL '1 day'")
    assert db.execute(call).fetchone() == (True,)


def test_a_refresh_that_fails_never_fails_the_reminders(db, connect):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    db.execute("ALTER TABLE lead_protection.metric_values ADD CONSTRAINT intruder CHECK (false)")
    notices = []
    db.add_notice_handler(lambda notice: notices.append((notice.severity_nonlocalized, notice.message_primary)))
    db.execute(PIPELINE)
    assert [severity for severity, message in notices if "intruder" in message] == ["WARNING"]
    runs = "SELECT job_name, outcome, left(error, 5) FROM lead_protection.job_runs ORDER BY id"
    assert db.execute(runs).fetchall() == [
        ("lead-protection-reminders", "succeeded", None),
        ("lead-protection-metrics", "failed", "23514"),
    ]
    seen = metrics(db)
    assert seen["lead_reminder_sent_total"] == 1
    assert seen['lead_job_failures_total{job="lead-protection-metrics"}'] == 1
    assert seen['lead_job_failures_total{job="lead-protection-reminders"}'] == 0
    assert "lead_metrics_age_seconds" not in seen
    db.execute("ALTER TABLE lead_protection.metric_values DROP CONSTRAINT intruder")
    db.execute(PIPELINE)
    assert metrics(db)["lead_metrics_age_seconds"] >= 0


def test_a_run_that_fails_refreshes_all_the_same(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    db.execute("ALTER TABLE lead_protection.outbox_events ADD CONSTRAINT intruder CHECK (false) NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(PIPELINE)
    assert metrics(db)['lead_protection_state{state="REMINDER_DUE"}'] == 1


# --- gauges ---


def test_leads_are_counted_as_the_views_show_them(sample):
    def same() -> dict:
        with sample.transaction():
            sample.execute(REFRESH)
            shown = sample.execute(
                "SELECT state, sum(leads) FROM lead_protection.v_kpi_states GROUP BY state"
            ).fetchall()
            waiting, expiring = sample.execute(
                "SELECT (SELECT sum(waiting) FROM lead_protection.v_kpi_reminders),"
                " (SELECT sum(expiring) FROM lead_protection.v_kpi_users)"
            ).fetchone()
            seen = metrics(sample)
        assert {state: seen[f'lead_protection_state{{state="{state}"}}'] for state, _ in shown} == dict(shown)
        assert seen["lead_reminder_waiting"] == waiting and seen["lead_protection_expiring"] == expiring
        assert len(shown) == 6
        return dict(shown)

    sample.execute("INSERT INTO lead_protection.leads DEFAULT VALUES")
    assert min(same().values()) > 0
    sample.execute(PIPELINE)
    same()


def test_states_of_no_lead_are_zero(db):
    db.execute(REFRESH)
    seen = metrics(db)
    assert [value for name, value in seen.items() if name.startswith("lead_protection_state")] == [0] * 6
    assert seen["lead_protection_expiring"] == seen["lead_reminder_waiting"] == seen["lead_holds_active"] == 0


def test_gauges_tell_what_the_views_tell(sample):
    sample.execute("SELECT lead_protection.register_event_consumer('mailer', attempt_limit => 1)")
    sample.execute(PIPELINE)
    sample.execute(
        "SELECT lead_protection.fail_events('mailer', lease_token, ARRAY[id], 'x')"
        " FROM lead_protection.claim_events('mailer', 3)"
    )
    sample.execute("CALL lead_protection.run_nightly_maintenance()")
    sample.execute(REFRESH)
    seen = metrics(sample)

    def value(query: str):
        return sample.execute(query).fetchone()[0]

    assert seen["lead_holds_active"] == value("SELECT count(*) FROM lead_protection.v_active_holds") > 0
    assert seen["lead_holds_overrun"] == 0
    assert seen["lead_protection_expired_count"] == seen['lead_protection_state{state="EXPIRED"}'] > 0
    dead, pending = sample.execute(
        "SELECT dead, ready + leased + retrying FROM lead_protection.v_event_consumers"
    ).fetchone()
    assert (seen['lead_outbox_dead_letters{consumer="mailer"}'], seen['lead_outbox_pending{consumer="mailer"}']) == (
        dead,
        pending,
    )
    assert dead == 3 and pending > 0
    assert 0 < seen['lead_outbox_lag_seconds{consumer="mailer"}'] < 60
    assert seen["lead_clock_drift"] == 0
    assert seen["lead_default_policy"] == 1
    assert seen["lead_protection_paused"] == 0
    for job in ("lead-protection-reminders", "lead-protection-nightly"):
        finished = value(
            f"SELECT extract(EPOCH FROM max(finished_at)) FROM lead_protection.job_runs WHERE job_name = '{job}'"
        )
        assert seen[f'lead_job_last_success_timestamp_seconds{{job="{job}"}}'] == pytest.approx(float(finished))
        assert seen[f'lead_job_running_seconds{{job="{job}"}}'] == 0


def test_drift_overrun_running_job_and_a_missing_policy_show(sample, connect):
    sample.execute(
        "UPDATE lead_protection.lead_clocks SET protection_expires_at = protection_expires_at + INTERVAL '1 day'"
        " WHERE lead_id = 42"
    )
    assert "lead_clock_drift" not in metrics(sample), "before the first proof nothing is known"
    sample.execute("CALL lead_protection.run_nightly_maintenance()")
    assert metrics(sample)["lead_clock_drift"] == 1
    sample.execute(
        "SELECT lead_protection.move_leads_to_policy(ARRAY[264, 265], p.policy_id, 'limits', 902)"
        " FROM lead_protection.create_policy_version('standard', 902, hold_limit_days => 1) AS p"
    )
    sample.execute(REFRESH)
    assert metrics(sample)["lead_holds_overrun"] == 2
    sample.execute("CALL lead_protection.run_nightly_maintenance()")
    sample.execute(REFRESH)
    assert metrics(sample)["lead_holds_overrun"] == 0
    assert metrics(sample)["lead_clock_drift"] == 0
    connect().execute("SELECT lead_protection.start_job_run('lead-protection-nightly')")
    sample.execute(
        "UPDATE lead_protection.job_runs SET started_at = now() - INTERVAL '2 hours' WHERE outcome = 'running'"
    )
    assert metrics(sample)['lead_job_running_seconds{job="lead-protection-nightly"}'] > 7100
    sample.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    assert metrics(sample)["lead_default_policy"] == 0


def test_the_oldest_due_reminder_is_not_one_on_hold(db):
    oldest = "lead_reminder_oldest_due_seconds"
    assert metrics(db)[oldest] == 0
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert_lead_of_age(db, 2, REMINDER_DUE - 1)
    insert_lead_of_age(db, 3, PROTECTED)
    db.execute("UPDATE lead_protection.leads SET recorded_at = created_at")
    ages = dict(
        db.execute(
            "SELECT lead_id, extract(EPOCH FROM now() - reminder_due_at)::float8"
            " FROM lead_protection.v_user_lead_protection"
        ).fetchall()
    )
    assert metrics(db)[oldest] == pytest.approx(ages[1], abs=60) != pytest.approx(ages[2], abs=60)
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    assert metrics(db)[oldest] == pytest.approx(ages[2], abs=60)
    db.execute("SELECT lead_protection.create_lead_hold(2, 7, 'x', 1, NULL, now() + INTERVAL '1 hour')")
    assert metrics(db)[oldest] == 0, "a hold with an end, too"


def test_the_scheduler_is_seen_by_those_who_may_look(cron, connect):
    look = "SELECT value FROM lead_protection.v_metrics WHERE metric = 'lead_scheduler_up'"
    db = connect()
    launchers = db.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher'").fetchone()
    assert db.execute(look).fetchone() == launchers == (1,)
    db.execute("SET ROLE lead_protection_monitor")
    assert db.execute(look).fetchone() is None


# --- the text ---


def test_the_text_is_what_the_view_says(sample):
    sample.execute("SELECT lead_protection.register_event_consumer('mailer')")
    sample.execute(PIPELINE)
    with sample.transaction():
        text = sample.execute("SELECT lead_protection.prometheus_metrics()").fetchone()[0]
        shown = metrics(sample)
    assert text.endswith("\n") and "\n\n" not in text
    samples = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            sample_line = SAMPLE.match(line)
            assert sample_line, line
            name, labels, value = sample_line.groups()
            samples[f"{name}{{{labels}}}" if labels else name] = float(value)
    moving = {"lead_database_time_seconds"}
    assert samples.keys() == shown.keys()
    assert {n: v for n, v in samples.items() if n not in moving} == {n: v for n, v in shown.items() if n not in moving}
    definitions = sample.execute("SELECT metric, type FROM lead_protection.metric_definitions").fetchall()
    assert re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE) == sorted(
        (m, t) for m, t in definitions if m not in ("lead_clock_drift", "lead_log_events_missing", "lead_log_problems")
    )


@pytest.mark.thorough(
    "the linter of Prometheus",
    by_day="metrics/test_monitoring.py::test_prometheus_gets_every_series_in_each_of_three_ways_and_answers_every_question",
)
def test_promtool_finds_nothing_but_the_name_that_was_agreed(sample):
    sample.execute("SELECT lead_protection.register_event_consumer('mailer')")
    sample.execute(PIPELINE)
    sample.execute("CALL lead_protection.run_nightly_maintenance()")
    text = sample.execute("SELECT lead_protection.prometheus_metrics()").fetchone()[0]
    done = run_program([program_path("promtool"), "check", "metrics"], input=text)
    assert done.stderr.splitlines() == [
        'lead_protection_expired_count non-histogram and non-summary metrics should not have "_count" suffix'
    ], done.stdout


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({}, ""),
        ({"consumer": "mailer"}, '{consumer="mailer"}'),
        ({"b": "2", "a": "1"}, '{a="1",b="2"}'),
        ({"x": 'a"b\\c\nd'}, '{x="a\\"b\\\\c\\nd"}'),
    ],
)
def test_labels_are_escaped(db, labels, text):
    db.execute(
        "INSERT INTO lead_protection.metric_values VALUES ('lead_protection_state', %s, 7, now())",
        (json.dumps(labels),),
    )
    (shown,) = db.execute("SELECT lead_protection.prometheus_metrics()").fetchone()
    assert f"\nlead_protection_state{text} 7\n" in shown


def test_session_settings_change_nothing(sample):
    sample.execute(PIPELINE)
    query = "SELECT lead_protection.prometheus_metrics()"

    def steady() -> list[str]:
        moving = ("lead_database_time", "lead_metrics_age", "lead_reminder_oldest", "lead_outbox_lag")
        return [line for line in sample.execute(query).fetchone()[0].splitlines() if not line.startswith(moving)]

    before = steady()
    for setting in (
        "extra_float_digits = -15",
        "timezone = 'Asia/Kathmandu'",
        "datestyle = 'German'",
        "search_path = ''",
    ):
        sample.execute(f"SET {setting}")
        assert steady() == before


# --- rights and plans ---


def test_the_monitor_reads_all_of_it_and_writes_nothing(sample):
    sample.execute(PIPELINE)
    sample.execute("SET ROLE lead_protection_monitor")
    assert sample.execute("SELECT length(lead_protection.prometheus_metrics()) > 1000").fetchone() == (True,)
    assert sample.execute(
        "SELECT count(*) FROM lead_protection.metric_samples('lead_protection_state')"
    ).fetchone() == (6,)
    for view in [*KPI_VIEWS, "v_metrics", "v_metric_counters", "metric_definitions"]:
        sample.execute(f"SELECT * FROM lead_protection.{view}")
    for call in (
        REFRESH,
        "SELECT lead_protection.count_metric('x', '{}', 1)",
        "DELETE FROM lead_protection.metric_counters",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sample.execute(call)


def test_who_asks_for_one_metric_reads_nothing_for_the_others(db):
    scans = "SELECT relname FROM pg_stat_xact_user_tables WHERE coalesce(seq_scan, 0) + coalesce(idx_scan, 0) > 0"
    db.execute("SELECT pg_stat_force_next_flush()")
    with db.transaction():
        db.execute("SELECT * FROM lead_protection.metric_samples('lead_default_policy')")
        read = {name for (name,) in db.execute(scans)}
    # Those that were counted have their names in the table.
    assert read == {"protection_policies", "metric_values", "metric_counters", "metric_counts"}
