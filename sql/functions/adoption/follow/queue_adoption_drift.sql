-- Put in the queue and not followed here: that takes locks on leads, and is done there in small transactions.
CREATE OR REPLACE FUNCTION lead_protection.queue_adoption_drift(gone_limit integer DEFAULT 100)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queued bigint;
BEGIN
    -- A table that was renamed is still the one with our triggers.
    UPDATE lead_protection.adoptions AS a
    SET source = t.source
    FROM lead_protection.adopted_tables() AS t
    WHERE a.id = t.adoption_id AND a.disowned_at IS NULL AND a.source <> t.source;

    WITH drift AS MATERIALIZED (
        SELECT f.* FROM lead_protection.find_adoption_drift() AS f WHERE f.lead_id IS NOT NULL
    )

    INSERT INTO lead_protection.adoption_queue (adoption_id, row_key, lead_id, attempts, tried_at, error, backfill)
    SELECT d.adoption_id, d.row_key, d.lead_id, 0, '-infinity', d.finding, false
    FROM drift AS d
    WHERE
        d.finding <> 'the row is gone'
        -- Very many at once are more likely a partition that was detached, or a wrong table, than deletions.
        OR (SELECT count(*) FROM drift AS g WHERE g.finding = 'the row is gone') <= queue_adoption_drift.gone_limit
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END;
$$;

COMMENT ON FUNCTION lead_protection.queue_adoption_drift(integer) IS
'Puts rows of adopted tables that are out of step (find_adoption_drift()) into adoption_queue; the next run of the '
'pipeline follows them. If more than gone_limit (100) rows are gone, those are left alone, for somebody to look at: '
'call it with a higher limit if they are really deleted. Returns how many it put there; repeated: 0. The nightly job '
'calls it.';
