-- Put in the queue and not followed here: that takes locks on leads, and is done there in small transactions.
CREATE OR REPLACE FUNCTION lead_protection.queue_adoption_drift(
    gone_limit integer DEFAULT 100, of_adoption bigint DEFAULT NULL
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Its caller may forbid them, and it reads whole tables.
SET enable_seqscan = on
AS $$
DECLARE
    unreadable text;
    queued bigint;
BEGIN
    -- A table that was renamed is still the one with our triggers.
    UPDATE lead_protection.adoptions AS a
    SET source = t.source
    FROM lead_protection.adopted_tables() AS t
    WHERE a.id = t.adoption_id AND a.disowned_at IS NULL AND a.source <> t.source;

    WITH drift AS MATERIALIZED (
        SELECT f.* FROM lead_protection.find_adoption_drift(queue_adoption_drift.of_adoption) AS f
    ),

    in_queue AS (
        INSERT INTO lead_protection.adoption_queue AS q (adoption_id, row_key, lead_key, queued_at, backfill, news)
        SELECT
            d.adoption_id, d.row_key, d.lead_key, coalesce(w.queued_at, clock_timestamp()), false, w.news
        FROM drift AS d
        -- When it was written at the latest, if that was noted of the table as a whole.
        LEFT JOIN lead_protection.adoption_queue AS w
            ON d.adoption_id = w.adoption_id AND w.lead_key = '*' AND w.row_key = '*'
        WHERE
            d.row_key IS NOT NULL
            AND (
                d.finding <> 'the row is gone'
                -- Very many at once are more likely a partition that was detached, or a wrong table, than deletions.
                OR (SELECT count(*) FROM drift AS g WHERE g.finding = 'the row is gone')
                <= queue_adoption_drift.gone_limit
                OR queue_adoption_drift.gone_limit IS NULL
            )
        ON CONFLICT DO NOTHING
        RETURNING q.row_key
    )

    SELECT
        (SELECT min(d.finding) FROM drift AS d WHERE starts_with(d.finding, 'the table cannot be read')),
        (SELECT count(*) FROM in_queue)
    INTO unreadable, queued;
    IF unreadable IS NOT NULL AND queue_adoption_drift.of_adoption IS NOT NULL THEN
        RAISE EXCEPTION '%', unreadable
            USING ERRCODE = 'LP054',
            DETAIL = 'Rows of it were written, and nobody can tell which.',
            HINT = 'Mend the table, or disown it and adopt it as it is now.';
    END IF;
    RETURN queued;
END;
$$;

COMMENT ON FUNCTION lead_protection.queue_adoption_drift(integer, bigint) IS
'Puts rows of adopted tables (of_adoption: of one) that are out of step (find_adoption_drift()) into adoption_queue, '
'for the job lead-protection-follow. If more than gone_limit (100; null: no limit) rows are gone, those are left '
'alone, for somebody to look at: call it with a higher limit if they are really deleted. Returns how many it put '
'there; repeated: 0. The nightly job calls it. Error: LP054 the one table cannot be read.';
