CREATE OR REPLACE VIEW lead_protection.v_metric_histograms AS
SELECT
    b.metric,
    b.le,
    coalesce(sum(c.value) FILTER (WHERE (c.labels ->> 'le')::numeric <= b.seconds), 0) AS observed,
    coalesce(sum(c.value) FILTER (WHERE c.metric = b.metric || '_sum'), 0) AS seconds_sum
FROM lead_protection.metric_buckets AS b
LEFT JOIN lead_protection.v_metric_counters AS c ON c.metric IN (b.metric, b.metric || '_sum')
GROUP BY b.metric, b.seconds, b.le;

COMMENT ON VIEW lead_protection.v_metric_histograms IS
'The histograms as Prometheus counts them: each bucket with those below it.';
COMMENT ON COLUMN lead_protection.v_metric_histograms.metric IS 'The histogram.';
COMMENT ON COLUMN lead_protection.v_metric_histograms.le IS 'The upper bound of the bucket, in seconds.';
COMMENT ON COLUMN lead_protection.v_metric_histograms.observed IS 'Observations up to that bound.';
COMMENT ON COLUMN lead_protection.v_metric_histograms.seconds_sum IS 'The sum of all observations of the histogram.';
