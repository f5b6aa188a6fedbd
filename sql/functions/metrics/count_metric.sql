CREATE OR REPLACE FUNCTION lead_protection.count_metric(metric text, labels jsonb, value numeric)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
INSERT INTO lead_protection.metric_counts (metric, labels, value)
SELECT count_metric.metric, count_metric.labels, count_metric.value
WHERE count_metric.value > 0
$$;

COMMENT ON FUNCTION lead_protection.count_metric(text, jsonb, numeric) IS
'Raises a counter of v_metrics in the caller''s transaction: rolled back, nothing was counted. Waits for nobody. Null '
'or 0: nothing. Internal.';
