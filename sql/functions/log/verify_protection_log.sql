-- One pass in the order of the index by lead and number, so that no sort of the whole log is needed.
CREATE OR REPLACE FUNCTION lead_protection.verify_protection_log(
    INOUT lead_id bigint DEFAULT NULL,
    OUT log_number integer,
    OUT event_id uuid,
    OUT problem text,
    OUT found text
)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET plan_cache_mode = force_custom_plan SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
    asked CONSTANT bigint := verify_protection_log.lead_id;
    chained_since CONSTANT timestamptz := (SELECT s.log_chained_at FROM lead_protection.settings AS s);
BEGIN
    IF asked IS NOT NULL THEN
        PERFORM lead_protection.require_lead(asked, now());
    END IF;
    RETURN QUERY
    SELECT c.lead_id, c.log_number, c.event_id, p.problem, p.found
    FROM (
        SELECT
            g.lead_id,
            g.log_number,
            g.event_id,
            g.previous_hash,
            g.row_hash,
            g.chained_at,
            lead_protection.log_row_hash(g) AS computed,
            coalesce(lag(g.log_number) OVER in_lead, 0) AS number_before,
            lag(g.row_hash) OVER in_lead AS hash_before,
            num_nonnulls(g.texts_salt, g.texts_hash)
            - (g.texts_hash IS NOT NULL OR g.reason IS NOT NULL OR g.details ? 'evidence')::integer AS texts_amiss,
            g.texts_hash IS NOT NULL AND (g.reason IS NOT NULL OR g.details ? 'evidence') AS texts_came_back,
            g.texts_hash
        FROM lead_protection.protection_log AS g
        WHERE (g.lead_id = asked OR asked IS NULL) AND g.log_number IS NOT NULL
        WINDOW in_lead AS (PARTITION BY g.lead_id ORDER BY g.log_number)
    ) AS c
    CROSS JOIN LATERAL (
        SELECT
            'ROW_MISSING' AS problem,
            format('rows %s to %s are missing', c.number_before + 1, c.log_number - 1) AS found
        WHERE c.log_number <> c.number_before + 1
        UNION ALL
        SELECT 'CHAIN_BROKEN', 'previous_hash is not the hash of the row before it'
        WHERE c.log_number = c.number_before + 1 AND c.previous_hash IS DISTINCT FROM c.hash_before
        UNION ALL
        SELECT 'ROW_CHANGED', 'row_hash is not the hash of what the row says'
        WHERE c.row_hash IS DISTINCT FROM c.computed
        UNION ALL
        SELECT 'TEXTS_AMISS', 'texts without a salt, or a salt without texts, or texts that were erased'
        WHERE c.texts_amiss <> 0 OR c.texts_came_back
        UNION ALL
        SELECT 'ERASED_UNLOGGED', 'its texts were erased, and no lead.texts.erased after it says so'
        WHERE
            c.texts_hash IS NOT NULL AND NOT EXISTS (
                SELECT FROM lead_protection.protection_log AS e
                WHERE e.lead_id = c.lead_id AND e.log_number > c.log_number AND e.event_type = 'lead.texts.erased'
            )
        UNION ALL
        SELECT
            'CHAINED_LATE',
            format('chained at %s, when all rows from before the chain had been since %s', c.chained_at, chained_since)
        WHERE c.chained_at > chained_since
    ) AS p
    UNION ALL
    SELECT
        g.lead_id, g.log_number, g.event_id, 'NOT_CHAINED',
        format('a row of %s recorded at %s, which none of our functions wrote', g.event_type, g.recorded_at)
    FROM lead_protection.protection_log AS g
    WHERE
        (g.lead_id = asked OR asked IS NULL) AND g.log_number IS NULL
        AND (
            chained_since IS NOT NULL
            OR EXISTS (
                SELECT FROM lead_protection.protection_log AS f WHERE f.lead_id = g.lead_id AND f.log_number = 1
            )
        )
    UNION ALL
    -- The end of a chain that was cut off: its events are there for 90 days.
    SELECT
        e.aggregateid::bigint, NULL, e.id, 'EVENT_WITHOUT_ROW',
        format('%s was published, and is not in the log', e.type)
    FROM lead_protection.outbox_events AS e
    WHERE
        e.aggregatetype = 'lead' AND (e.aggregateid = asked::text OR asked IS NULL)
        AND NOT EXISTS (
            SELECT FROM lead_protection.protection_log AS g
            WHERE g.lead_id = e.aggregateid::bigint AND g.event_id = e.id
        );
END;
$$;

COMMENT ON FUNCTION lead_protection.verify_protection_log(bigint) IS
'Proves the log from itself: a row for each problem, none if all is well. lead_id null (the default): of all leads, '
'which reads the whole log once. log_number, event_id: where; found: what, in words. problem:
ROW_CHANGED (the row does not say any more what it said), ROW_MISSING (numbers before it are missing), CHAIN_BROKEN '
'(it was written after another row than the one that stands before it), NOT_CHAINED (written past our functions), '
'CHAINED_LATE (marked as older than the chain when none could be any more), TEXTS_AMISS (texts and salt do not go '
'together), ERASED_UNLOGGED (texts were erased past erase_texts()), EVENT_WITHOUT_ROW (published within the last 90 '
'days, and not in the log: the end of a chain was cut off).
Who rewrites a whole chain with fresh hashes, or cuts off its end with the events, is not found from within: compare '
'with a seal that was kept outside. Locks nothing; answers on a standby, too. Error: LP002 unknown lead.';
