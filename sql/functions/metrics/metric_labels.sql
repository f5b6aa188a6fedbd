CREATE OR REPLACE FUNCTION lead_protection.metric_labels(labels jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
SELECT coalesce(
    '{' || string_agg(
        l.name || '="' || replace(replace(replace(l.value, '\', '\\'), '"', '\"'), E'\n', '\n') || '"', ',' ORDER BY l.name
    ) || '}',
    ''
)
FROM jsonb_each_text(metric_labels.labels) AS l (name, value)
$$;

COMMENT ON FUNCTION lead_protection.metric_labels(jsonb) IS
'Labels in Prometheus'' text format, escaped; empty if there are none. Internal.';
