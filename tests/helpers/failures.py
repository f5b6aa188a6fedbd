"""What is wrong before a section of the runbook is followed, each made as it happens to a real system."""

import psycopg

from helpers.pages import RUNBOOK, named, sections
from helpers.server import Server


def nothing_wrong(server: Server, dbname: str) -> None:
    """The sample as it is: 20 reminders are due, no job has ever run."""


def nobody_runs_the_jobs(server: Server, dbname: str) -> None:
    """It was installed three days ago, the leads came at once, and nobody ever scheduled the jobs."""
    for table in ("migration_checksums", "leads"):
        server.psql(f"UPDATE lead_protection.{table} SET recorded_at = recorded_at - INTERVAL '3 days'", dbname=dbname)


def pipeline_breaks(server: Server, dbname: str) -> None:
    """A run fails because of somebody's constraint, which is gone again afterwards."""
    server.psql(
        "ALTER TABLE lead_protection.outbox_events ADD CONSTRAINT intruder CHECK (type <> 'lead.protection.reminder')"
        " NOT VALID",
        dbname=dbname,
    )
    failed = server.psql("CALL lead_protection.run_protection_pipeline()", dbname=dbname, check=False)
    assert failed.returncode != 0 and "intruder" in failed.stderr
    server.psql("ALTER TABLE lead_protection.outbox_events DROP CONSTRAINT intruder", dbname=dbname)


def run_is_killed(server: Server, dbname: str) -> None:
    """An hour ago a run was opened on a connection that then went away."""
    server.psql("SELECT lead_protection.start_job_run('lead-protection-reminders')", dbname=dbname)
    an_hour_passes_for_the_run(server, dbname)


def an_hour_passes_for_the_run(server: Server, dbname: str) -> None:
    server.psql(
        "UPDATE lead_protection.job_runs SET started_at = started_at - INTERVAL '1 hour' WHERE outcome = 'running'",
        dbname=dbname,
    )


# Sessions that were forgotten, by the database that they are in.
FORGOTTEN: dict[str, psycopg.Connection] = {}


def lead_is_held_by_a_forgotten_session(server: Server, dbname: str) -> None:
    """Somebody looked at a lead whose reminder is due, to change it, and went home an hour ago."""
    FORGOTTEN[dbname] = psycopg.connect(server.url(dbname), application_name="forgotten")
    FORGOTTEN[dbname].execute(
        "SELECT FROM lead_protection.leads WHERE id ="
        " (SELECT min(lead_id) FROM lead_protection.waiting_reminders()) FOR UPDATE"
    )
    for statement in (
        "CALL lead_protection.run_protection_pipeline()",
        "UPDATE lead_protection.passed_over_leads SET since = since - INTERVAL '1 hour'",
    ):
        server.psql(statement, dbname=dbname)


def snapshot_is_held(server: Server, dbname: str) -> None:
    """Somebody began a report and went home. When a transaction began cannot be set back: the hour is over at once."""
    FORGOTTEN[dbname] = psycopg.connect(server.url(dbname), application_name="forgotten")
    FORGOTTEN[dbname].execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    FORGOTTEN[dbname].execute("SELECT FROM lead_protection.leads")
    server.psql(warn_of_snapshots_after(0), dbname=dbname)


def warn_of_snapshots_after(seconds: int) -> str:
    """The statement by which health warns of a transaction that has been open for that long."""
    return (
        "DO $$BEGIN EXECUTE 'CREATE OR REPLACE VIEW lead_protection.health_checks AS '"
        " || regexp_replace(pg_get_viewdef('lead_protection.health_checks'),"
        f" '(''old_snapshots''[^,]*,[^,]*,) *3600', '\\1 {seconds}'); END$$"
    )


def seals_are_held_up(server: Server, dbname: str) -> None:
    """Somebody wrote something and went home; two hours ago a lead was held."""
    FORGOTTEN[dbname] = psycopg.connect(server.url(dbname), application_name="forgotten")
    FORGOTTEN[dbname].execute("SELECT pg_current_xact_id()")
    for statement in (
        "SELECT lead_protection.create_lead_hold(44, 109, 'price approval', 901)",
        "CALL lead_protection.run_protection_pipeline()",
        # As if it had been written then, after the last run had sealed.
        "SET session_replication_role = replica; UPDATE lead_protection.protection_log"
        " SET recorded_at = recorded_at - INTERVAL '2 hours' WHERE lead_id = 44",
    ):
        server.psql(statement, dbname=dbname)


def role_of_a_job_is_dropped(server: Server, dbname: str) -> None:
    """pg_cron's table, as if it were in this database, with a job whose role is gone."""
    server.psql(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint, schedule text, command text, database text,"
        " username text, active boolean, jobname text);"
        "INSERT INTO cron.job VALUES (7, '17 1 * * *', 'CALL lead_protection.run_nightly_maintenance()',"
        " current_database(), 'gone', true, 'lead-protection-nightly')",
        dbname=dbname,
    )


def job_is_deleted(server: Server, dbname: str) -> None:
    """The block ran where pg_cron is; now in this database, too, and the jobs run."""
    cure = named(sections(RUNBOOK)["A scheduled job has no role, or two"])["cure"]
    server.psql(cure.text, dbname=dbname)


def log_is_written_past_its_trigger(server: Server, dbname: str) -> None:
    """Somebody had the trigger off that publishes log rows, a day ago; the night found it."""
    for statement in (
        "ALTER TABLE lead_protection.protection_log DISABLE TRIGGER publish_log_rows;"
        " INSERT INTO lead_protection.protection_log"
        " (lead_id, user_id, event_type, occurred_at, recorded_at, reason, details)"
        " SELECT 42, user_id, 'lead.clock.mended', now(), now() - INTERVAL '1 day', 'by hand',"
        ' \'{"cached": null, "derived": {}}\''
        " FROM lead_protection.leads WHERE id = 42;"
        " ALTER TABLE lead_protection.protection_log ENABLE TRIGGER publish_log_rows",
        "CALL lead_protection.run_nightly_maintenance()",
        "SELECT lead_protection.seal_protection_log()",
    ):
        server.psql(statement, dbname=dbname)


def log_is_tampered_with(server: Server, dbname: str) -> None:
    """Somebody gives a lead ten days, in the log only; the night finds it."""
    for statement in (
        "SELECT count(*) FROM lead_protection.create_lead_hold("
        "42, (SELECT user_id FROM lead_protection.leads WHERE id = 42), 'said so', 900)",
        "CALL lead_protection.run_protection_pipeline()",
        "SET session_replication_role = replica; UPDATE lead_protection.protection_log"
        " SET expires_after = expires_after + INTERVAL '10 days' WHERE lead_id = 42 AND log_number = 1",
        "CALL lead_protection.run_nightly_maintenance()",
    ):
        server.psql(statement, dbname=dbname)


def cache_is_tampered_with(server: Server, dbname: str) -> None:
    """Somebody gives a lead ten days, in the cache only. The night mends it, and they do it again."""
    for statement in (
        give_ten_days := "UPDATE lead_protection.lead_clocks"
        " SET protection_expires_at = protection_expires_at + INTERVAL '10 days' WHERE lead_id = 42",
        "CALL lead_protection.run_nightly_maintenance()",
        give_ten_days,
    ):
        server.psql(statement, dbname=dbname)


def grace_time_was_missed(server: Server, dbname: str) -> None:
    """No run for the whole grace time of two leads."""
    nobody_runs_the_jobs(server, dbname)
    server.psql(
        "INSERT INTO lead_protection.leads (user_id, created_at, recorded_at)"
        " SELECT 101, now() - INTERVAL '9 months', now() - INTERVAL '9 months' FROM generate_series(1, 2)",
        dbname=dbname,
    )


def notices_are_owed(server: Server, dbname: str) -> None:
    """No run since the reminders of two leads fell due; one of them would have ended by its terms."""
    server.psql(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT 900 + days, 113, now() - days * INTERVAL '1 day' FROM (VALUES (62), (75)) AS v (days)",
        dbname=dbname,
    )


def holds_pass_their_limit(server: Server, dbname: str) -> None:
    """Two leads whose holds have stood for weeks get a policy that allows ten days."""
    server.psql(
        "SELECT lead_protection.move_leads_to_policy(ARRAY[264, 265], p.policy_id, 'limits', 902)"
        " FROM lead_protection.create_policy_version('standard', 902, hold_limit_days => 10) AS p",
        dbname=dbname,
    )


def mailer_gives_up(server: Server, dbname: str) -> None:
    """A mailer, registered for one attempt, cannot handle what it is given."""
    for statement in (
        "SELECT lead_protection.register_event_consumer('mailer', '{lead.protection.reminder}', attempt_limit => 1)",
        "CALL lead_protection.run_protection_pipeline()",
        "SELECT lead_protection.fail_events('mailer', lease_token, ARRAY[id], 'mail server unknown')"
        " FROM lead_protection.claim_events('mailer', 3)",
    ):
        server.psql(statement, dbname=dbname)


def mailer_loses_what_it_took(server: Server, dbname: str) -> None:
    """A mailer takes all reminders; three it reports as delivered, of the others it forgets to say anything."""
    for statement in (
        "SELECT lead_protection.register_event_consumer('mailer', '{lead.protection.reminder}')",
        "CALL lead_protection.run_protection_pipeline()",
        "SELECT lead_protection.report_reminder_delivery("
        " (e.payload ->> 'lead_id')::bigint, (e.payload ->> 'user_id')::bigint, (e.payload ->> 'window_date')::date,"
        " 'mail ' || e.id, 'delivered') FROM lead_protection.outbox_events AS e"
        " WHERE e.type = 'lead.protection.reminder' ORDER BY e.sequence_number DESC LIMIT 3",
        "SELECT lead_protection.acknowledge_events('mailer', lease_token, ARRAY[id])"
        " FROM lead_protection.claim_events('mailer')",
    ):
        server.psql(statement, dbname=dbname)


def consumer_is_dead(server: Server, dbname: str) -> None:
    """The mailer gave up three events and then died, two hours ago."""
    mailer_gives_up(server, dbname)
    server.psql(
        "SET session_replication_role = replica;"
        "UPDATE lead_protection.outbox_events SET timestamp = timestamp - INTERVAL '2 hours'",
        dbname=dbname,
    )


def consumer_works_again(server: Server, dbname: str) -> None:
    """The mailer was started again and has handled what there was: no SQL of the runbook can do that."""
    handle = (
        "SELECT count(*) FROM lead_protection.claim_events('mailer', 1000) AS e,"
        " lead_protection.acknowledge_events('mailer', e.lease_token, ARRAY[e.id])"
    )
    while server.psql(handle, dbname=dbname).stdout.strip() != "0":
        pass


def import_moves_starts(server: Server, dbname: str) -> None:
    """The pipeline has run for weeks. Then an import writes 140 starts with the wrong year, and the pipeline runs."""
    for statement in (
        "CALL lead_protection.run_protection_pipeline()",
        "UPDATE lead_protection.job_runs SET started_at = started_at - INTERVAL '20 days'",
        "UPDATE lead_protection.leads SET created_at = created_at - INTERVAL '1 year' WHERE id <= 140",
        "CALL lead_protection.run_protection_pipeline()",
    ):
        server.psql(statement, dbname=dbname)


def default_is_taken_away(server: Server, dbname: str) -> None:
    """Somebody takes the default away, as a row."""
    server.psql("UPDATE lead_protection.protection_policies SET is_default = false", dbname=dbname)


def default_is_switched(server: Server, dbname: str) -> None:
    """Somebody makes the agents' contract everybody's, and a lead comes in."""
    server.psql(
        "SELECT lead_protection.set_default_policy(id, 902) FROM lead_protection.protection_policies"
        " WHERE name = 'agents';"
        "SELECT lead_protection.protect_lead(101, 900, 'crm-1')",
        dbname=dbname,
    )


def day_off_is_unknown(server: Server, dbname: str) -> None:
    """A contract by the day, and a lead under it; the company's calendar will have its last protected day off."""
    server.psql(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, policy_id)"
        " SELECT 5000, 113, now() - INTERVAL '100 days', policy_id FROM lead_protection.create_policy_version("
        "'agents by the day', 902, period_end => 'end_of_day', expiry_on => 'working_day', remind_on => 'working_day',"
        " calendar_id => (SELECT max(id) FROM lead_protection.calendars WHERE code = 'DE-NW'))",
        dbname=dbname,
    )


def clock_ran_ahead(server: Server, dbname: str) -> None:
    """The server that was the primary until now had a clock a year ahead: a run sent and recorded all there is."""
    for statement in (
        "SELECT lead_protection.register_event_consumer('crm')",
        "CALL lead_protection.run_protection_pipeline()",
        # What is usual is known.
        "UPDATE lead_protection.job_runs SET started_at = started_at - INTERVAL '10 days'",
        "CALL lead_protection.run_protection_pipeline()",
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at)"
        " SELECT lead_id, user_id, window_date, protection_expires_at, reminder_due_at,"
        " reminder_due_at + INTERVAL '1 minute' FROM lead_protection.v_user_lead_protection AS v"
        " JOIN lead_protection.lead_clocks AS c USING (lead_id, user_id, protection_expires_at, reminder_due_at)"
        " WHERE v.state = 'PROTECTED' AND NOT v.on_hold",
        "INSERT INTO lead_protection.lead_expiries (lead_id, user_id, protection_expires_at, recorded_at)"
        " SELECT lead_id, user_id, protection_expires_at, protection_expires_at + INTERVAL '1 minute'"
        " FROM lead_protection.v_user_lead_protection WHERE state = 'PROTECTED' AND NOT on_hold",
        "SELECT lead_protection.create_lead_hold(lead_id, user_id, 'x', 900)"
        " FROM lead_protection.v_user_lead_protection WHERE state = 'PROTECTED' LIMIT 5",
        "SELECT lead_protection.claim_events('crm', 3)",
        "SET session_replication_role = replica;"
        'UPDATE lead_protection.outbox_events SET "timestamp" = "timestamp" + INTERVAL \'1 year\';'
        "UPDATE lead_protection.event_deliveries SET available_at = available_at + INTERVAL '1 year'",
        "UPDATE lead_protection.job_runs SET started_at = started_at + INTERVAL '1 year',"
        " finished_at = finished_at + INTERVAL '1 year', stepped_at = stepped_at + INTERVAL '1 year'"
        " WHERE started_at > now() - INTERVAL '1 day'",
        # One was at work when the old primary went.
        "INSERT INTO lead_protection.job_runs (job_name, backend_pid, started_at)"
        " VALUES ('lead-protection-nightly', 999999, now() + INTERVAL '1 year')",
    ):
        server.psql(statement, dbname=dbname)


def clock_was_behind(server: Server, dbname: str) -> None:
    """By 300 days, while a lead came in and another changed hands; then it is right, and the pipeline runs."""
    shift = "SET {0} = {0} - INTERVAL '7200 hours'"
    taken = "SELECT lead_id FROM lead_protection.leads_behind"
    for statement in (
        "CALL lead_protection.run_protection_pipeline()",
        "SELECT lead_protection.protect_lead(101, 900, 'crm-behind')",
        "SELECT lead_protection.transfer_lead(lead_id, user_id, 104, 'a successor', 900)"
        " FROM lead_protection.v_user_lead_protection WHERE state = 'PROTECTED' AND user_id = 101 AND NOT on_hold"
        " AND created_at < now() - INTERVAL '1 day' ORDER BY lead_id LIMIT 1",
        "CREATE TABLE lead_protection.leads_behind AS SELECT id AS lead_id FROM lead_protection.leads"
        " WHERE request_key = 'crm-behind' OR (user_id = 104 AND created_at = changed_at"
        " AND created_at > now() - INTERVAL '1 minute')",
        "SET session_replication_role = replica;"
        f"UPDATE lead_protection.outbox_events {shift.format(chr(34) + 'timestamp' + chr(34))}"
        f" WHERE aggregateid::bigint IN ({taken}) AND \"timestamp\" > now() - INTERVAL '1 minute';"
        f"UPDATE lead_protection.lead_history {shift.format('valid_until')} WHERE lead_id IN ({taken});"
        f"UPDATE lead_protection.leads {shift.format('created_at')}, changed_at = changed_at - INTERVAL '7200 hours'"
        f" WHERE id IN ({taken})",
        f"SELECT lead_protection.refresh_lead_clocks(ARRAY({taken}))",
        "DROP TABLE lead_protection.leads_behind",
        "CALL lead_protection.run_protection_pipeline()",
    ):
        server.psql(statement, dbname=dbname)


def pause_is_forgotten(server: Server, dbname: str) -> None:
    """Somebody paused, and the jobs have done nothing since."""
    server.psql("SELECT lead_protection.pause_protection('a migration of the CRM', 902)", dbname=dbname)
    server.psql("CALL lead_protection.run_protection_pipeline()", dbname=dbname)


def adopted_rows_get_out_of_step(server: Server, dbname: str) -> None:
    """Two hours ago two leads with impossible starts came, and a write that nobody followed; then somebody switched a
    trigger off, and deleted another lead."""
    for statement in (
        "CREATE TABLE public.crm_leads (id bigint PRIMARY KEY, owner_id bigint, created_at timestamptz DEFAULT now())",
        "INSERT INTO public.crm_leads VALUES (9000, 101), (9002, 102)",
        "CALL lead_protection.adopt_leads('crm_leads', 900, user_column => 'owner_id')",
        "CALL lead_protection.switch_on_adoption()",
        "CALL lead_protection.run_protection_pipeline()",
        "INSERT INTO public.crm_leads VALUES (9001, 103, now() + INTERVAL '1 month'), (9003, 103, '1800-01-01')",
        "CALL lead_protection.follow_adopted_tables()",
        "UPDATE lead_protection.adoption_queue SET queued_at = now() - INTERVAL '2 hours'",
        "INSERT INTO public.crm_leads VALUES (9004, 101)",
        "UPDATE lead_protection.adoption_notes SET noted_at = now() - INTERVAL '10 minutes'",
        "ALTER TABLE public.crm_leads DISABLE TRIGGER lead_protection_delete",
        "DELETE FROM public.crm_leads WHERE id = 9002",
    ):
        server.psql(statement, dbname=dbname)
