CREATE OR REPLACE VIEW lead_protection.nightly_proofs AS
SELECT
    p.step,
    r.proved_at,
    r.found
FROM (VALUES ('clocks_mended'), ('log_problems'), ('events_published')) AS p (step)
CROSS JOIN LATERAL (
    SELECT
        n.started_at AS proved_at,
        (n.result ->> p.step)::bigint AS found
    FROM lead_protection.job_runs AS n
    WHERE
        n.job_name = 'lead-protection-nightly' AND n.result ? p.step
        -- What a clock recorded that ran ahead would hide all later ones.
        AND n.started_at <= clock_timestamp()
    ORDER BY n.started_at DESC
    LIMIT 1
) AS r;

COMMENT ON VIEW lead_protection.nightly_proofs IS
'What the last nightly run that made each of its proofs found, a row for each step that is one. No row: none was made '
'yet. Internal: v_kpi_clock_drift, health and the metrics read it.';
COMMENT ON COLUMN lead_protection.nightly_proofs.step IS 'The step of the job.';
COMMENT ON COLUMN lead_protection.nightly_proofs.proved_at IS 'When that run started.';
COMMENT ON COLUMN lead_protection.nightly_proofs.found IS 'How many rows were wrong.';
