"""Every call that writes, with arguments, and a small world in which it finds something to do."""

import psycopg

from helpers.calls import row
from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, ago, insert_holds, insert_lead_of_age
from helpers.hold_calls import limited_policy

# Leads of user 7: 1 and 10 to 12 protected, 2 on hold, 3 and 14 due, 4 expired, 5 closed, 6 free, 7 with an activity,
# 8 reminded, 9 near the limit of its hold, 13 beyond it.
WORLD = """
SELECT lead_protection.create_lead_hold(2, 7, 'x', 1);
SELECT lead_protection.close_lead(5, 7, 'LOST', 'x', 1);
SELECT lead_protection.give_back_lead(6, 7, 'x', 1);
SELECT lead_protection.record_lead_activity(7, 7, 'QUALIFIED_CALL', now() - INTERVAL '1 day', 'call', 1);
SELECT lead_protection.create_lead_hold(9, 7, 'x', 1, now() - INTERVAL '23 hours');
SELECT lead_protection.register_event_consumer('crm', since => '-infinity', attempt_limit => 1);
CREATE TABLE crm (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz DEFAULT now());
INSERT INTO crm SELECT 5000 + n, 8, now() - n * INTERVAL '60 days' FROM generate_series(1, 5) AS n;
CREATE TABLE old_holds AS SELECT 1::bigint AS lead_id, now() - INTERVAL '9 days' AS start_at,
    now() - INTERVAL '8 days' AS end_at, 'x'::text AS reason;
CREATE TABLE old_reminders AS SELECT 1::bigint AS lead_id, now() - INTERVAL '5 days' AS sent_at;
"""
# What a caller was given before.
GIVEN = """
CREATE TABLE dead AS
SELECT lease_token, array_agg(id) AS ids FROM lead_protection.claim_events('crm', 2) GROUP BY 1;
SELECT lead_protection.fail_events('crm', lease_token, ids, 'x') FROM dead;
CREATE TABLE claimed AS
SELECT lease_token, array_agg(id) AS ids FROM lead_protection.claim_events('crm', 2) GROUP BY 1;
CREATE TABLE given AS
SELECT (SELECT ids FROM dead) AS dead,
    (SELECT window_date FROM lead_protection.lead_reminders WHERE lead_id = 8) AS window_date,
    (SELECT id FROM lead_protection.lead_holds WHERE lead_id = 2) AS hold_id,
    (SELECT id FROM lead_protection.lead_holds WHERE lead_id = 9) AS limited_hold_id,
    (SELECT id FROM lead_protection.protection_policies WHERE name = 'limited') AS policy_id;
"""

# One transaction each. By position after the name; {…} is a column of the table given.
CALLS = {
    "protect_lead": "(7, 1, 'key', lead_id => 100)",
    "extend_lead": "(1, 7, 5, 'x', 2, 1, 'key')",
    "transfer_lead": "(2, 7, 8, 'x', 1)",
    "transfer_leads": "('key', 8, 'x', 1, '{1,2,4,6}')",
    "give_back_lead": "(2, 7, 'x', 1)",
    "backdate_lead": "(1, 7, now() - INTERVAL '150 days', 'x', 'mail', 1)",
    "close_lead": "(2, 7, 'LOST', 'x', 1)",
    "close_leads": "('key', 'LOST', 'x', 1, '{1,2,4,6}')",
    "reopen_lead": "(5, 7, 'x', 1)",
    "void_lead_closing": "(5, 7, 'x', 1)",
    "delete_lead": "(2, 7, 'x', 1)",
    "create_lead_hold": "(1, 7, 'x', 1)",
    "release_lead_hold": "(2, 7, 1)",
    "correct_lead_hold": "({hold_id}, 1, now() - INTERVAL '2 hours', now() - INTERVAL '1 hour', 'x', 1)",
    "void_lead_hold": "({hold_id}, 1, 'x', 1)",
    "override_hold_limit": "({limited_hold_id}, 1, date_trunc('day', now()) + INTERVAL '9 days', 'x', 1)",
    "hold_leads": "('key', 'x', 1, '{1,2,4,10}')",
    "release_leads": "('key', 1, '{1,2,4,9}')",
    "record_lead_activity": "(1, 7, 'QUALIFIED_CALL', now() - INTERVAL '2 hours', 'key', 1)",
    "correct_lead_activity": "(7, 'call', 'QUALIFIED_CALL', date_trunc('day', now()) - INTERVAL '9 hours', 'x', 1)",
    "delete_lead_activity": "(7, 'call', 'x', 1)",
    "erase_texts": "('x', 1, lead_ids => '{2,5}')",
    "create_policy_version": "('new', 1)",
    "set_default_policy": "({policy_id}, 1)",
    "assign_user_policy": "(7, {policy_id}, 1)",
    "move_leads_to_policy": "('{1,2}', {policy_id}, 'x', 1)",
    "create_calendar_version": "('OWN', 'x', '[{\"date\": \"2027-01-04\", \"name\": \"x\"}]', '{6,7}', 1)",
    "start_reminder_delivery": "(8, 7, {window_date}, 'm-1')",
    "report_reminder_delivery": "(8, 7, {window_date}, 'm-1', 'failed', 'x')",
    "configure_reminders": "(10, 2)",
    "register_event_consumer": "('other', since => '-infinity')",
    "unregister_event_consumer": "('crm')",
    "claim_events": "('crm', 3)",
    "acknowledge_events": "('crm', (SELECT lease_token FROM claimed), (SELECT ids FROM claimed))",
    "fail_events": "('crm', (SELECT lease_token FROM claimed), (SELECT ids FROM claimed), 'x')",
    "replay_events": "('crm', '-infinity')",
    "discard_dead_events": "('crm', {dead}, 'x')",
    "import_holds": "('old_holds', 1)",
    "import_reminders": "('old_reminders')",
    "pause_protection": "('x', 1)",
    "resume_protection": "(1)",
    "recover_from_clock_ahead": "()",
    "refresh_metrics": "('0')",
    "mend_clock_drift": "()",
    "end_overrun_holds": "()",
    "announce_hold_limits": "()",
    "queue_adoption_drift": "()",
    "dismiss_adopted_row": "('crm', '5006', 'x', 1)",
}
# What must be there before, or there is nothing to write.
BEFORE = {
    "start_reminder_delivery": "SELECT lead_protection.close_lead(8, 7, 'LOST', 'x', 1)",
    "resume_protection": "SELECT lead_protection.pause_protection('x', 1)",
    "recover_from_clock_ahead": "UPDATE lead_protection.event_deliveries SET available_at = now() + INTERVAL '1 year'"
    " WHERE status = 'pending'",
    "mend_clock_drift": "UPDATE lead_protection.lead_clocks SET protection_expires_at = protection_expires_at"
    " + INTERVAL '1 day' WHERE lead_id IN (1, 10)",
    "queue_adoption_drift": "{adopted}; ALTER TABLE crm DISABLE TRIGGER USER;"
    " UPDATE crm SET user_id = 9 WHERE id = 5001; ALTER TABLE crm ENABLE TRIGGER USER",
    "dismiss_adopted_row": "{adopted}; INSERT INTO crm VALUES (5006, 8, '1800-01-01');"
    " CALL lead_protection.follow_adopted_tables()",
}
ADOPTED = "CALL lead_protection.adopt_leads('crm', 1, name => 'crm'); CALL lead_protection.switch_on_adoption()"

# Several transactions each: what was committed before stays, and the repeated call does the rest.
PROCEDURES = {
    "run_protection_pipeline": ("", "CALL lead_protection.run_protection_pipeline(batch_size => 2)"),
    "run_nightly_maintenance": ("", "CALL lead_protection.run_nightly_maintenance()"),
    "follow_adopted_tables": (
        "{adopted}; UPDATE crm SET user_id = 9; DELETE FROM crm WHERE id = 5001;"
        " INSERT INTO crm VALUES (5006, 8, now() - INTERVAL '1 day')",
        "CALL lead_protection.follow_adopted_tables(batch_size => 2)",
    ),
    "adopt_leads": ("", "CALL lead_protection.adopt_leads('crm', 1, batch_size => 2)"),
    "switch_on_adoption": (
        "CALL lead_protection.adopt_leads('crm', 1)",
        "CALL lead_protection.switch_on_adoption(batch_size => 2)",
    ),
    "disown_source": ("CALL lead_protection.adopt_leads('crm', 1)", "CALL lead_protection.disown_source('crm')"),
}


def make_world(db: psycopg.Connection) -> None:
    """Leads in all states, a consumer, and the tables that the calls below are about."""
    ages = {3: REMINDER_DUE, 4: EXPIRED, 8: REMINDER_DUE, 14: REMINDER_DUE}
    for lead_id in range(1, 15):
        insert_lead_of_age(db, lead_id, ages.get(lead_id, PROTECTED))
    limited = limited_policy(db, "limited", hold_limit_days=1)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id IN (9, 13)", (limited,))
    db.execute("UPDATE lead_protection.leads SET closed_at = now(), closed_as = 'LOST' WHERE id IN (3, 4, 14)")
    insert_holds(db, 13, [(ago(2), None)])
    db.execute(WORLD)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("UPDATE lead_protection.leads SET closed_at = NULL WHERE id IN (3, 4, 14)")
    # Or whether the pipeline counts them would be a matter of seconds.
    db.execute("UPDATE lead_protection.metric_values SET measured_at = measured_at - INTERVAL '1 day'")
    db.execute(GIVEN)


def run_each(db: psycopg.Connection, script: str) -> None:
    """Statements one by one: what commits cannot be in a transaction with others."""
    for statement in filter(None, (part.strip() for part in script.format(adopted=ADOPTED).split(";"))):
        db.execute(statement)


def statement(name: str, db: psycopg.Connection) -> str:
    """The call, with what the caller was given, and now as an instant, so that each time it is the same one."""
    given = row(db, "SELECT given.*, now() AS now FROM given")
    arguments = CALLS[name].replace("now()", "{now}")
    for column, value in given.items():
        arguments = arguments.replace(f"{{{column}}}", psycopg.sql.Literal(value).as_string(db))
    return f"SELECT * FROM lead_protection.{name}{arguments}"
