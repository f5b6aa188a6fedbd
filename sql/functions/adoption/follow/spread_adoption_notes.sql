CREATE OR REPLACE FUNCTION lead_protection.spread_adoption_notes(
    noted_until timestamptz DEFAULT 'infinity', batch_size integer DEFAULT 1000
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen CONSTANT tid [] := ARRAY(
        SELECT o.ctid
        FROM lead_protection.adoption_notes AS o
        WHERE o.noted_at <= spread_adoption_notes.noted_until
        ORDER BY o.noted_at
        LIMIT spread_adoption_notes.batch_size
        -- Who holds one is spreading it at this moment.
        FOR UPDATE SKIP LOCKED
    );
BEGIN
    INSERT INTO lead_protection.adoption_queue AS q (adoption_id, lead_key, row_key, queued_at, backfill, news)
    SELECT
        w.adoption_id, w.lead_key, w.row_key, min(w.noted_at),
        -- What became an activity by a change is as new as one that was inserted; a lead has a past.
        NOT bool_or((w.news).inserted) AND (a.kind = 'leads' OR a.backfilled_at IS NULL),
        array_agg(w.news ORDER BY w.noted_at)
    FROM lead_protection.adoption_note_rows AS w
    INNER JOIN lead_protection.adoptions AS a ON w.adoption_id = a.id
    WHERE w.note = ANY(chosen) AND w.lead_key <> ''
    GROUP BY a.kind, a.backfilled_at, w.adoption_id, w.lead_key, w.row_key
    ORDER BY w.lead_key, w.adoption_id, w.row_key
    ON CONFLICT ON CONSTRAINT adoption_queue_pkey DO UPDATE
    SET
        news = q.news || excluded.news,
        -- The company has written it again: that is worth a try at once, also of one that was set aside.
        attempts = 0, tried_at = '-infinity',
        dismissed_at = NULL, dismissed_by = NULL, dismissed_because = NULL;
    DELETE FROM lead_protection.adoption_notes AS n WHERE n.ctid = ANY(chosen);
    RETURN cardinality(chosen)::bigint;
END;
$$;

COMMENT ON FUNCTION lead_protection.spread_adoption_notes(timestamptz, integer) IS
'Takes the oldest batch_size notes of until noted_until and puts the rows that they name into adoption_queue. Returns '
'how many notes it took; 0: none is left, or others are at it. Internal.';
