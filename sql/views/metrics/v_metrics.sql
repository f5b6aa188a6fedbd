-- Through a function with JIT off at its door, as health is: to compile it takes longer than to read it.
CREATE OR REPLACE VIEW lead_protection.v_metrics AS
SELECT
    m.metric,
    m.type,
    m.help,
    m.sample,
    m.labels,
    m.value
FROM lead_protection.metric_samples() AS m;

COMMENT ON VIEW lead_protection.v_metrics IS
'What Prometheus is told: a row for each sample. prometheus_metrics() writes it as text, the exporters'' '
'configurations in monitoring/ query it. Cheap at 10 million leads: what is dear was counted by the last '
'refresh_metrics(). Before the first there is no row for that.';
COMMENT ON COLUMN lead_protection.v_metrics.metric IS 'The metric, in metric_definitions.';
COMMENT ON COLUMN lead_protection.v_metrics.type IS 'counter, gauge or histogram.';
COMMENT ON COLUMN lead_protection.v_metrics.help IS 'What it says.';
COMMENT ON COLUMN lead_protection.v_metrics.sample IS
'The name of the sample: the metric''s, for a histogram with _bucket, _count or _sum behind it.';
COMMENT ON COLUMN lead_protection.v_metrics.labels IS 'Its labels.';
COMMENT ON COLUMN lead_protection.v_metrics.value IS 'Its value. Ages and durations in seconds, instants in Unix time.';
