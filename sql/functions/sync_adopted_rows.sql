CREATE OR REPLACE FUNCTION lead_protection.sync_adopted_rows(
    adoption lead_protection.adoptions, row_keys text[], lead_ids bigint[], backfill boolean DEFAULT false
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF adoption.kind = 'leads' THEN
        PERFORM lead_protection.sync_adopted_leads(adoption, sync_adopted_rows.lead_ids);
    ELSE
        PERFORM lead_protection.sync_adopted_activities(
            adoption, sync_adopted_rows.row_keys, sync_adopted_rows.lead_ids, sync_adopted_rows.backfill
        );
    END IF;
    DELETE FROM lead_protection.adoption_queue AS q
    USING unnest(sync_adopted_rows.row_keys, sync_adopted_rows.lead_ids) AS u (row_key, lead_id)
    WHERE q.adoption_id = adoption.id AND q.row_key = u.row_key AND q.lead_id = u.lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.sync_adopted_rows(lead_protection.adoptions, text[], bigint[], boolean) IS
'Brings these rows of an adopted table into step, by their keys and leads, and takes them out of adoption_queue. All or none. Internal.';
