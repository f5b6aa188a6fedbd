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
    -- Where the last seal was made on another server, the numbers of transactions say nothing.
    horizon CONSTANT xid8 := coalesce(
        (
            SELECT s.horizon
            FROM lead_protection.log_seals AS s
            WHERE
                s.number = (SELECT max(n.number) FROM lead_protection.log_seals AS n)
                AND s.system_identifier = (SELECT c.system_identifier FROM pg_control_system() AS c)
        ),
        '0'
    );
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
            g.chained_at,
            g.transaction_id,
            f.row_hash,
            lead_protection.log_row_digest(g) AS digest,
            coalesce(lag(g.log_number) OVER in_lead, 0) AS number_before,
            lag(f.row_hash) OVER in_lead AS hash_before,
            g.texts_hash,
            num_nonnulls(g.texts_salt, g.texts_hash) <> 1
            OR (g.texts_hash IS NOT NULL AND (g.reason IS NOT NULL OR g.details ? 'evidence')) AS texts_amiss
        FROM lead_protection.protection_log AS g
        LEFT JOIN lead_protection.log_leaves AS f ON g.lead_id = f.lead_id AND g.log_number = f.log_number
        WHERE (g.lead_id = asked OR asked IS NULL) AND g.log_number IS NOT NULL
        WINDOW in_lead AS (PARTITION BY g.lead_id ORDER BY g.log_number)
    ) AS c
    CROSS JOIN LATERAL (
        SELECT
            'ROW_MISSING' AS problem,
            format('rows %s to %s are missing', c.number_before + 1, c.log_number - 1) AS found
        WHERE
            c.log_number > c.number_before + 1
            AND NOT EXISTS (
                SELECT FROM lead_protection.log_leaves AS f
                WHERE f.lead_id = c.lead_id AND f.log_number > c.number_before AND f.log_number < c.log_number
            )
        UNION ALL
        SELECT 'ROW_CHANGED', 'it was sealed, and said something else then'
        WHERE
            c.row_hash <> lead_protection.log_row_hash(
                CASE
                    WHEN c.log_number = c.number_before + 1 THEN c.hash_before
                    ELSE (
                        SELECT f.row_hash FROM lead_protection.log_leaves AS f
                        WHERE f.lead_id = c.lead_id AND f.log_number = c.log_number - 1
                    )
                END,
                c.digest
            )
        UNION ALL
        SELECT 'NOT_SEALED', 'rows that are younger were sealed, and it was not there'
        WHERE
            c.row_hash IS NULL
            AND (
                coalesce(c.transaction_id, '0') < horizon
                OR EXISTS (
                    SELECT FROM lead_protection.log_leaves AS f
                    WHERE f.lead_id = c.lead_id AND f.log_number > c.log_number
                )
            )
        UNION ALL
        SELECT 'TEXTS_AMISS', 'no salt for its texts, or texts that were erased'
        WHERE c.texts_amiss
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
        WHERE
            c.chained_at > chained_since
            -- Or where the lead came from.
            AND c.chained_at > coalesce(
                (SELECT m.log_chained_at FROM lead_protection.lead_moves AS m WHERE m.lead_id = c.lead_id), chained_since
            )
    ) AS p
    UNION ALL
    SELECT f.lead_id, f.log_number, NULL, 'ROW_MISSING', 'it was sealed, and is not there'
    FROM lead_protection.log_leaves AS f
    WHERE
        (f.lead_id = asked OR asked IS NULL)
        AND NOT EXISTS (
            SELECT FROM lead_protection.protection_log AS g
            WHERE g.lead_id = f.lead_id AND g.log_number = f.log_number
        )
        -- They are where the lead is, and there they have the same hashes.
        AND NOT EXISTS (
            SELECT FROM lead_protection.lead_moves AS m
            WHERE m.lead_id = f.lead_id AND NOT m.is_here AND m.log_rows >= f.log_number
        )
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
    -- The end of a chain that was cut off before it was sealed: its events are there for 90 days.
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
'Proves the log against what was sealed: a row for each problem, none if all is well. lead_id null (the default): of '
'all leads, which reads the whole log once. log_number, event_id: where; found: what, in words. problem:
ROW_CHANGED (the row does not say any more what it said when it was sealed), ROW_MISSING (it was sealed, or there are '
'later ones), NOT_SEALED (put in where rows were sealed already), NOT_CHAINED (written past our functions), '
'CHAINED_LATE (marked as older than the chain when none could be any more), TEXTS_AMISS (texts without a salt, or that '
'were erased), ERASED_UNLOGGED (texts were erased past erase_texts()), EVENT_WITHOUT_ROW (published within the last 90 '
'days, and not in the log: the end of a chain was cut off).
What the last run of the pipeline has not sealed yet may be changed unseen, and so may all by whoever makes the seals '
'anew, too: compare with a seal that was kept outside. The rows of a lead that has moved to another node are '
'verified there, see lead_moves. Locks nothing; answers on a standby, too. Errors: LP002 unknown lead, LP135 it has '
'moved to another node.';
