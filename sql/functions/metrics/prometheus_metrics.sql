CREATE OR REPLACE FUNCTION lead_protection.prometheus_metrics()
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
-- All digits, whatever the session wants to see.
SET extra_float_digits = 1
AS $$
SELECT string_agg(family.text, '' ORDER BY family.metric)
FROM (
    SELECT
        m.metric,
        format(
            E'# HELP %s %s\n# TYPE %s %s\n%s',
            m.metric, replace(replace(m.help, '\', '\\'), E'\n', '\n'), m.metric, m.type,
            string_agg(
                format(
                    E'%s%s %s\n',
                    m.sample, '{' || l.labels || '}', replace(m.value::text, 'Infinity', 'Inf')
                ),
                '' ORDER BY m.sample, (m.labels ->> 'le')::numeric, m.labels
            )
        ) AS text
    FROM lead_protection.metric_samples() AS m
    CROSS JOIN LATERAL (
        -- Null without labels.
        SELECT
            string_agg(
                v.name || '="' || replace(replace(replace(v.value, '\', '\\'), '"', '\"'), E'\n', '\n') || '"',
                ',' ORDER BY v.name
            ) AS labels
        FROM jsonb_each_text(m.labels) AS v (name, value)
    ) AS l
    GROUP BY m.metric, m.type, m.help
) AS family
$$;

COMMENT ON FUNCTION lead_protection.prometheus_metrics() IS
'All metrics of v_metrics in Prometheus'' text format 0.0.4: HELP, TYPE, samples, with a line end after the last. For '
'node_exporter''s textfile collector: psql -XAtq -c ''SELECT lead_protection.prometheus_metrics()''. Changes nothing, '
'works on a standby. Whoever may not read pg_stat_activity gets no lead_scheduler_up.';
