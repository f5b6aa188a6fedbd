CREATE OR REPLACE VIEW lead_protection.v_metric_counters AS
SELECT
    t.metric,
    t.labels,
    sum(t.value) AS value
FROM (
    SELECT
        c.metric,
        c.labels,
        c.value
    FROM lead_protection.metric_counters AS c
    UNION ALL
    SELECT
        n.metric,
        n.labels,
        n.value
    FROM lead_protection.metric_counts AS n
) AS t
GROUP BY t.metric, t.labels;

COMMENT ON VIEW lead_protection.v_metric_counters IS
'The counters as they stand: what was added up, and what was counted since, in one snapshot.';
COMMENT ON COLUMN lead_protection.v_metric_counters.metric IS 'As in metric_counters.';
COMMENT ON COLUMN lead_protection.v_metric_counters.labels IS 'As in metric_counters.';
COMMENT ON COLUMN lead_protection.v_metric_counters.value IS 'How many, or how many seconds, in all.';
