-- Bounds are upper ones and included, width_bucket() takes lower ones: hence all is negated.
CREATE OR REPLACE FUNCTION lead_protection.observe_seconds(metric text, observed interval[])
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
WITH bucket AS MATERIALIZED (
    SELECT
        array_agg(-b.seconds ORDER BY b.seconds DESC) AS bounds,
        array_agg(b.le ORDER BY b.seconds DESC) AS les
    FROM lead_protection.metric_buckets AS b
    WHERE b.metric = observe_seconds.metric
),

observation AS MATERIALIZED (
    SELECT extract(EPOCH FROM o)::numeric AS seconds
    FROM unnest(observe_seconds.observed) AS o
)

INSERT INTO lead_protection.metric_counts (metric, labels, value)
SELECT observe_seconds.metric, jsonb_build_object('le', b.les[n.nth]), n.observations
FROM bucket AS b
CROSS JOIN LATERAL (
    SELECT width_bucket(-o.seconds, b.bounds) AS nth, count(*) AS observations
    FROM observation AS o
    GROUP BY nth
) AS n
UNION ALL
SELECT observe_seconds.metric || '_sum', '{}', sum(o.seconds)
FROM observation AS o
HAVING sum(o.seconds) > 0
$$;

COMMENT ON FUNCTION lead_protection.observe_seconds(text, interval[]) IS
'Observes durations for a histogram of metric_buckets, in the caller''s transaction. Null or empty: nothing. Internal.';
