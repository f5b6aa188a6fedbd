CREATE OR REPLACE VIEW lead_protection.v_kpi_clock_drift AS
SELECT
    r.started_at AS proved_at,
    (r.result ->> 'clocks_mended')::bigint AS drifted
FROM lead_protection.job_runs AS r
WHERE
    r.job_name = 'lead-protection-nightly' AND r.result ? 'clocks_mended'
    -- What a clock recorded that ran ahead would hide all later ones.
    AND r.started_at <= clock_timestamp()
ORDER BY r.started_at DESC
LIMIT 1;

COMMENT ON VIEW lead_protection.v_kpi_clock_drift IS
'What the last nightly proof of the cache found. No row: there was none yet. As of now: find_clock_drift(), which '
'reads every lead.';
COMMENT ON COLUMN lead_protection.v_kpi_clock_drift.proved_at IS 'When that run started.';
COMMENT ON COLUMN lead_protection.v_kpi_clock_drift.drifted IS
'Cached clocks that differed from the rule; they were mended and are in protection_log as lead.clock.mended.';
