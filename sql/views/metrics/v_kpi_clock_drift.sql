CREATE OR REPLACE VIEW lead_protection.v_kpi_clock_drift AS
SELECT
    p.proved_at,
    p.found AS drifted
FROM lead_protection.nightly_proofs AS p
WHERE p.step = 'clocks_mended';

COMMENT ON VIEW lead_protection.v_kpi_clock_drift IS
'What the last nightly proof of the cache found. No row: there was none yet. As of now: find_clock_drift(), which '
'reads every lead.';
COMMENT ON COLUMN lead_protection.v_kpi_clock_drift.proved_at IS 'When that run started.';
COMMENT ON COLUMN lead_protection.v_kpi_clock_drift.drifted IS
'Cached clocks that differed from the rule; they were mended and are in protection_log as lead.clock.mended.';
