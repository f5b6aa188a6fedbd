CREATE OR REPLACE FUNCTION lead_protection.lead_id_of(source text, key text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    adoption CONSTANT lead_protection.adoptions := lead_protection.adoption_named(lead_id_of.source, 'leads');
    lead_id bigint;
BEGIN
    SELECT k.lead_id INTO lead_id FROM lead_protection.known_leads(adoption, ARRAY[lead_id_of.key]) AS k;
    -- Written and not followed yet: it gets its number now. Not on a standby, where nothing can be written.
    IF
        lead_id IS NULL AND current_setting('transaction_read_only') = 'off'
        AND EXISTS (SELECT FROM lead_protection.waiting_rows(adoption.id, lead_id_of.key))
    THEN
        PERFORM lead_protection.follow_adopted_rows(adoption, ARRAY[lead_id_of.key], ARRAY[lead_id_of.key]);
        SELECT k.lead_id INTO lead_id FROM lead_protection.known_leads(adoption, ARRAY[lead_id_of.key]) AS k;
    END IF;
    RETURN lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.lead_id_of(text, text) IS
'The number of a lead by its key in an adopted table. source: the adoption''s name, or its table; key: as text. A row '
'that was written and not followed yet is followed first, so that a transaction may call this for what it has just '
'inserted. Null: there is no such row, or it is none of a lead. It never changes. Errors: LP051 no table of leads is '
'adopted by that name, and why the row cannot be followed.';
