CREATE OR REPLACE FUNCTION lead_protection.lock_leads(lead_ids bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM l.id
    FROM lead_protection.leads AS l
    WHERE l.id = ANY(lock_leads.lead_ids)
    ORDER BY l.id
    FOR NO KEY UPDATE;
END;
$$;

COMMENT ON FUNCTION lead_protection.lock_leads(bigint[]) IS
'Locks the leads'' rows until the end of the transaction, in the order of their ids, waiting as long as it takes. The '
'lead''s row is the one lock of everything that belongs to the lead: take it before reading facts that you act on. '
'Unknown ids are passed over.';
