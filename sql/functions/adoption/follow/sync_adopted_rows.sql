CREATE OR REPLACE FUNCTION lead_protection.sync_adopted_rows(
    adoption lead_protection.adoptions, row_keys text[], lead_ids bigint[], backfill boolean DEFAULT false
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    late_keys text [];
    late_leads bigint [];
BEGIN
    PERFORM lead_protection.require_readable_source(sync_adopted_rows.adoption);
    WITH left_queue AS (
        DELETE FROM lead_protection.adoption_queue AS q
        USING unnest(sync_adopted_rows.row_keys, sync_adopted_rows.lead_ids) AS u (row_key, lead_id)
        WHERE q.adoption_id = sync_adopted_rows.adoption.id AND q.row_key = u.row_key AND q.lead_id = u.lead_id
        RETURNING q.row_key, q.lead_id, q.backfill
    )

    -- Rows that were there before the table was adopted, and waited.
    SELECT array_agg(w.row_key ORDER BY w.lead_id, w.row_key), array_agg(w.lead_id ORDER BY w.lead_id, w.row_key)
    INTO late_keys, late_leads
    FROM left_queue AS w
    WHERE w.backfill AND NOT sync_adopted_rows.backfill;

    IF sync_adopted_rows.adoption.kind = 'leads' THEN
        IF late_leads IS NOT NULL THEN
            PERFORM lead_protection.sync_adopted_leads(sync_adopted_rows.adoption, late_leads, true);
        END IF;
        PERFORM lead_protection.sync_adopted_leads(
            sync_adopted_rows.adoption, sync_adopted_rows.lead_ids, sync_adopted_rows.backfill
        );
    ELSE
        IF late_keys IS NOT NULL THEN
            PERFORM lead_protection.sync_adopted_activities(sync_adopted_rows.adoption, late_keys, late_leads, true);
        END IF;
        PERFORM lead_protection.sync_adopted_activities(
            sync_adopted_rows.adoption, sync_adopted_rows.row_keys, sync_adopted_rows.lead_ids,
            sync_adopted_rows.backfill
        );
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.sync_adopted_rows(lead_protection.adoptions, text[], bigint[], boolean) IS
'Brings these rows of an adopted table into step, by their keys and leads, and takes them out of adoption_queue. '
'backfill true: they were there before the table was adopted; for rows from the queue it is known. All or none. '
'Internal.';
