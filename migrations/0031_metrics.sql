-- What Prometheus is told: counters that never fall, and the values that are too dear to count at each scrape.
-- depends: 0010_job_runs 0027_reminder_deliveries

CREATE TABLE lead_protection.metric_counters (
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value numeric NOT NULL CONSTRAINT metric_counters_value_counted CHECK (value >= 0),
    CONSTRAINT metric_counters_pkey PRIMARY KEY (metric, labels)
) WITH (fillfactor = 50);

COMMENT ON TABLE lead_protection.metric_counters IS
'Counters as of the last refresh_metrics(); what was counted since is in metric_counts. They never fall: neither purges nor restarts nor a failover touch them. Numbers are exact decimals: a sum that fell by its last digit would be a restart to Prometheus.';
COMMENT ON COLUMN lead_protection.metric_counters.metric IS 'The metric; <histogram>_sum for the sum of a histogram.';
COMMENT ON COLUMN lead_protection.metric_counters.labels IS 'Its labels. For a histogram le: the bucket into which the observations fell, each counted once.';
COMMENT ON COLUMN lead_protection.metric_counters.value IS 'How many, or how many seconds.';

-- Insert-only until they are added up: nobody who counts waits for, or deadlocks with, somebody else who does.
CREATE TABLE lead_protection.metric_counts (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT metric_counts_pkey PRIMARY KEY,
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value numeric NOT NULL CONSTRAINT metric_counts_value_counted CHECK (value >= 0)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

COMMENT ON TABLE lead_protection.metric_counts IS
'What was counted since the last refresh_metrics(), written in the transaction of what it counts. refresh_metrics() adds it to metric_counters.';
COMMENT ON COLUMN lead_protection.metric_counts.id IS 'Tells the rows apart.';
COMMENT ON COLUMN lead_protection.metric_counts.metric IS 'As in metric_counters.';
COMMENT ON COLUMN lead_protection.metric_counts.labels IS 'As in metric_counters.';
COMMENT ON COLUMN lead_protection.metric_counts.value IS 'By how much the counter rises.';

CREATE TABLE lead_protection.metric_values (
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value numeric NOT NULL,
    measured_at timestamptz NOT NULL,
    CONSTRAINT metric_values_pkey PRIMARY KEY (metric, labels)
) WITH (fillfactor = 50);

COMMENT ON TABLE lead_protection.metric_values IS
'The gauges that are counted by refresh_metrics() and not at each scrape. lead_metrics_age_seconds tells how old they are.';
COMMENT ON COLUMN lead_protection.metric_values.metric IS 'The metric.';
COMMENT ON COLUMN lead_protection.metric_values.labels IS 'Its labels.';
COMMENT ON COLUMN lead_protection.metric_values.value IS 'Its value.';
COMMENT ON COLUMN lead_protection.metric_values.measured_at IS 'When it was counted.';
