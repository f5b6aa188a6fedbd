CREATE OR REPLACE FUNCTION lead_protection.mend_adoption_drift()
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Below deadlock_timeout: it gives way to the company's writers, and what it could not do waits in the queue.
SET lock_timeout = '200ms'
AS $$
DECLARE
    drift record;
    tried bigint := 0::bigint;
    failed bigint := 0::bigint;
BEGIN
    -- A table that was renamed is still the one with our triggers.
    UPDATE lead_protection.adoptions AS a
    SET source = t.source
    FROM lead_protection.adopted_tables() AS t
    WHERE a.id = t.adoption_id AND a.source <> t.source;

    FOR drift IN
        SELECT
            a AS adoption,
            array_agg(f.row_key ORDER BY f.lead_id, f.row_key) AS row_keys,
            array_agg(f.lead_id ORDER BY f.lead_id, f.row_key) AS lead_ids
        FROM lead_protection.find_adoption_drift() AS f
        INNER JOIN lead_protection.adoptions AS a ON f.adoption_id = a.id
        WHERE f.lead_id IS NOT NULL
        GROUP BY a.*, a.kind, a.id
        ORDER BY a.kind DESC, a.id
    LOOP
        tried := tried + cardinality(drift.row_keys);
        failed := failed + lead_protection.try_sync_adopted_rows(drift.adoption, drift.row_keys, drift.lead_ids);
    END LOOP;
    RETURN tried - failed;
END;
$$;

COMMENT ON FUNCTION lead_protection.mend_adoption_drift() IS
'Brings all rows of adopted tables into step that are not (find_adoption_drift()): each is followed as if it had just been written; those that cannot be followed are in adoption_queue afterwards. Returns how many it brought into step; repeated: 0. The nightly job calls it.';
