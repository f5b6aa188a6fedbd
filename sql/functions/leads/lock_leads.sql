CREATE OR REPLACE FUNCTION lead_protection.lock_leads(lead_ids bigint[], follow_first boolean DEFAULT true)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM l.id
    FROM lead_protection.leads AS l
    WHERE l.id = ANY(lock_leads.lead_ids)
    ORDER BY l.id
    FOR NO KEY UPDATE;
    -- What was written about them in an adopted table and was not followed yet comes before what is done here.
    IF
        lock_leads.follow_first AND (
            EXISTS (SELECT FROM lead_protection.adoption_notes) OR EXISTS (SELECT FROM lead_protection.adoption_queue)
        )
    THEN
        PERFORM lead_protection.follow_leads_first(lock_leads.lead_ids);
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.lock_leads(bigint[], boolean) IS
'Locks the leads'' rows until the end of the transaction, in the order of their ids, waiting as long as it takes. The '
'lead''s row is the one lock of everything that belongs to the lead: take it before reading facts that you act on. '
'Unknown ids are passed over. follow_first: true (the default) has followed first what was written about them in '
'adopted tables and waits; false: jobs and triggers, which act on facts as they are. Error: LP066 that cannot be '
'followed.';
