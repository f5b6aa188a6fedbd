-- The report of `make demo`: run with psql in the demo's database; the last tables are pg_cron's own, in `postgres`.
\set QUIET on
\pset footer off
\pset linestyle unicode
\pset border 1
\pset null '-'
SET timezone = 'Europe/Berlin';

\echo
\if :{?colour}
\else
\set colour off
\endif
\echo 'How things stand: lead_protection.health'
\pset format unaligned
\pset tuples_only on
SELECT
    format(
        CASE WHEN :'colour' = 'on' THEN E' \x1b[%sm%s\x1b[0m  %s%s%s' ELSE ' %2$s  %3$s%4$s%5$s' END,
        CASE status WHEN 'ok' THEN 32 WHEN 'warn' THEN 33 ELSE 31 END,
        rpad(status, 8), rpad(check_name, 17), '  ' || found,
        CASE WHEN status <> 'ok' THEN ' -> runbook: ' || runbook END
    )
FROM lead_protection.health;
\pset format aligned
\pset tuples_only off
\echo

\echo 'Leads by state'
SELECT
    state,
    count(*) FILTER (WHERE NOT on_hold) AS running,
    count(*) FILTER (WHERE on_hold) AS on_hold,
    min(protection_expires_at)::date AS first_expiry,
    max(protection_expires_at)::date AS last_expiry
FROM lead_protection.v_user_lead_protection
GROUP BY state
ORDER BY array_position(ARRAY['PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'FREE'], state);

\echo 'Some of them: lead_protection.v_user_lead_protection (times are local, Europe/Berlin)'
SELECT
    lead_id,
    user_id,
    state,
    on_hold,
    to_char(created_at, 'YYYY-MM-DD HH24:MI') AS created_at,
    to_char(protection_expires_at, 'YYYY-MM-DD HH24:MI') AS protection_expires_at,
    to_char(reminder_due_at, 'YYYY-MM-DD HH24:MI') AS reminder_due_at
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY state, on_hold ORDER BY abs(extract(epoch FROM protection_expires_at - now())), lead_id) AS nth
    FROM lead_protection.v_user_lead_protection
) AS v
WHERE nth <= CASE WHEN state = 'PROTECTED' AND NOT on_hold THEN 3 ELSE 2 END
ORDER BY array_position(ARRAY['PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'FREE'], state), on_hold, protection_expires_at
LIMIT 15;

\echo 'The agents under the parallel rule: whichever clock ends first'
SELECT
    c.lead_id,
    c.user_id,
    v.state,
    to_char(c.started_at, 'YYYY-MM-DD') AS started,
    to_char(c.idle_from, 'YYYY-MM-DD') AS idle_since,
    to_char(c.base_expires_at, 'YYYY-MM-DD') AS base_clock,
    to_char(c.idle_base_expires_at, 'YYYY-MM-DD') AS idle_clock,
    to_char(v.protection_expires_at, 'YYYY-MM-DD HH24:MI') AS protection_expires_at
FROM lead_protection.lead_clocks AS c
INNER JOIN lead_protection.v_user_lead_protection AS v ON c.lead_id = v.lead_id
WHERE c.idle_from IS NOT NULL
ORDER BY c.lead_id;

\echo 'Why lead 311 is protected until then: lead_protection.explain_protection'
SELECT
    clock,
    item,
    to_char(expires_at, 'YYYY-MM-DD HH24:MI') AS expires_at,
    explanation
FROM lead_protection.explain_protection(311)
ORDER BY step;

\echo 'Reminders that pg_cron sent (the first 8 of them)'
SELECT
    r.lead_id,
    r.user_id,
    to_char(r.due_at, 'YYYY-MM-DD HH24:MI') AS was_due_at,
    to_char(r.sent_at, 'YYYY-MM-DD HH24:MI:SS') AS sent_at,
    to_char(r.protection_expires_at, 'YYYY-MM-DD HH24:MI') AS protection_expires_at,
    count(*) OVER () AS of_all
FROM lead_protection.lead_reminders AS r
WHERE EXISTS (
    SELECT FROM lead_protection.job_runs AS j
    WHERE j.job_name = 'lead-protection-reminders' AND r.sent_at BETWEEN j.started_at AND j.finished_at
)
ORDER BY r.sent_at, r.lead_id
LIMIT 8;

\echo 'Events in the outbox'
SELECT
    type,
    count(*) AS events,
    to_char(max("timestamp"), 'YYYY-MM-DD HH24:MI:SS') AS the_latest
FROM lead_protection.outbox_events
GROUP BY type
ORDER BY type;

\echo 'One of them, as a consumer gets it'
SELECT type, jsonb_pretty(payload) AS payload
FROM lead_protection.outbox_events
WHERE type = 'lead.protection.reminder'
ORDER BY "timestamp" DESC, aggregateid
LIMIT 1;

\echo 'Runs of the pipeline: lead_protection.job_runs (the first, and the last 3)'
SELECT
    id,
    job_name,
    to_char(started_at, 'YYYY-MM-DD HH24:MI:SS') AS started_at,
    round(extract(epoch FROM finished_at - started_at) * 1000) AS ms,
    outcome,
    result
FROM (
    SELECT
        *,
        row_number() OVER (ORDER BY id) AS nth,
        row_number() OVER (ORDER BY id DESC) AS nth_last
    FROM lead_protection.job_runs
) AS j
WHERE nth = 1 OR nth_last <= 3
ORDER BY id;

\connect postgres
SET timezone = 'Europe/Berlin';

\echo 'pg_cron''s jobs: cron.job in database postgres'
SELECT
    jobid,
    jobname,
    schedule,
    database,
    left(command, 60) AS command
FROM cron.job
ORDER BY jobid;

\echo 'pg_cron''s own record: cron.job_run_details (the last 3)'
SELECT
    runid,
    jobid,
    command,
    status,
    return_message,
    to_char(start_time, 'YYYY-MM-DD HH24:MI:SS') AS start_time
FROM cron.job_run_details
ORDER BY runid DESC
LIMIT 3;
