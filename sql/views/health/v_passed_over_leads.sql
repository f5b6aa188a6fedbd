-- The linter cannot indent LEFT JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE VIEW lead_protection.v_passed_over_leads AS
WITH locks AS MATERIALIZED (
    SELECT
        k.pid,
        k.transactionid,
        k.relation
    FROM pg_locks AS k
    WHERE
        k.granted AND k.pid IS DISTINCT FROM pg_backend_pid()
        AND (
            k.locktype = 'transactionid'
            -- Who has a row of leads locked has this lock of the table, too.
            OR (
                k.relation = 'lead_protection.leads'::regclass AND k.mode IN ('RowShareLock', 'RowExclusiveLock')
                AND k.database = (
                    SELECT d.oid FROM pg_database AS d
                    WHERE d.datname = current_database()
                )
            )
        )
)

SELECT
    o.lead_id,
    o.job_name,
    o.step,
    o.since,
    o.last_at,
    h.pid,
    a.usename AS session_role,
    a.application_name,
    a.xact_start AS in_transaction_since
FROM lead_protection.passed_over_leads AS o
LEFT JOIN lead_protection.leads AS l ON o.lead_id = l.id
LEFT JOIN LATERAL (
    -- The row bears the transaction that has it locked. Where it does not (several, or a part of one), whoever has any.
    SELECT k.pid
    FROM locks AS k
    WHERE k.transactionid = l.xmax
    UNION ALL
    SELECT k.pid
    FROM locks AS k
    WHERE
        k.relation IS NOT NULL AND l.xmax::text <> '0'
        AND NOT EXISTS (
            SELECT FROM locks AS x
            WHERE x.transactionid = l.xmax
        )
) AS h ON true
LEFT JOIN pg_stat_activity AS a ON h.pid = a.pid;

COMMENT ON VIEW lead_protection.v_passed_over_leads IS
'Leads for which the last run of a job had something to do and which it found locked, and the sessions that hold them '
'now. Several rows of a lead: it is one of these sessions.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.job_name IS 'The job that passed it over.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.step IS 'What it had to do, as in job_definitions.steps.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.since IS 'Since when each run has passed it over.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.last_at IS 'When the last one did.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.pid IS
'The server process that holds it; null: none any more (the next run takes it), or a prepared transaction.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.session_role IS 'The database role of that session.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.application_name IS 'What that session calls itself.';
COMMENT ON COLUMN lead_protection.v_passed_over_leads.in_transaction_since IS
'Since when its transaction has been open; shown to itself, superusers and members of pg_read_all_stats.';
