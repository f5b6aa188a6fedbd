CREATE OR REPLACE VIEW lead_protection.metric_buckets AS
SELECT
    h.metric,
    b.seconds,
    CASE WHEN b.seconds = 'Infinity' THEN '+Inf' ELSE b.seconds::text END AS le
FROM (
    VALUES
    -- The pipeline comes every 5 minutes; the promise is 60.
    (
        'lead_reminder_latency_seconds',
        '{60, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800, Infinity}'::numeric[]
    ),
    (
        'lead_reminder_processing_seconds',
        '{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, Infinity}'::numeric[]
    )
) AS h (metric, bounds)
CROSS JOIN LATERAL unnest(h.bounds) AS b (seconds);

COMMENT ON VIEW lead_protection.metric_buckets IS
'The buckets of the histograms: an observation is counted in the one that holds it. What was counted in a bucket that '
'a later version takes out is then counted in the next.';
COMMENT ON COLUMN lead_protection.metric_buckets.metric IS 'The histogram.';
COMMENT ON COLUMN lead_protection.metric_buckets.seconds IS 'The upper bound, included.';
COMMENT ON COLUMN lead_protection.metric_buckets.le IS 'The upper bound as Prometheus'' label le.';
