-- Planned once a session, and with the generic plan each branch of the view asks first whether it is wanted: whoever
-- asks for a handful of metrics at a time pays for those. With JIT off: its parts look dear to the planner, and to
-- compile them takes longer than to read them.
CREATE OR REPLACE FUNCTION lead_protection.metric_samples(VARIADIC metrics text[] DEFAULT NULL)
RETURNS SETOF lead_protection.metric_rows
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT m.*
    FROM lead_protection.metric_rows AS m
    WHERE metric_samples.metrics IS NULL OR m.metric = ANY(metric_samples.metrics);
END;
$$;

COMMENT ON FUNCTION lead_protection.metric_samples(text[]) IS
'The rows of v_metrics for the metrics named, or all: for exporters, which ask again and again. Unknown names: no row. '
'Changes nothing, works on a standby.';
