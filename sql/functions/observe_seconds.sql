CREATE OR REPLACE FUNCTION lead_protection.observe_seconds(metric text, observed interval[])
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
WITH observation AS (
    SELECT extract(EPOCH FROM o)::numeric AS seconds
    FROM unnest(observe_seconds.observed) AS o
)

INSERT INTO lead_protection.metric_counts (metric, labels, value)
SELECT b.metric, jsonb_build_object('le', b.le), count(*)
FROM observation AS o
INNER JOIN lead_protection.metric_buckets AS b ON o.seconds > b.above AND o.seconds <= b.seconds
WHERE b.metric = observe_seconds.metric
GROUP BY b.metric, b.le
UNION ALL
SELECT observe_seconds.metric || '_sum', '{}', sum(o.seconds)
FROM observation AS o
HAVING sum(o.seconds) > 0
$$;

COMMENT ON FUNCTION lead_protection.observe_seconds(text, interval[]) IS
'Observes durations for a histogram of metric_buckets, in the caller''s transaction. Null or empty: nothing. Internal.';
