CREATE OR REPLACE FUNCTION lead_protection.known_leads(adoption lead_protection.adoptions, row_keys text[])
RETURNS TABLE (row_key text, lead_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    IF known_leads.adoption.keeps_numbers THEN
        RETURN QUERY
        SELECT a.lead_id::text, a.lead_id
        FROM lead_protection.adopted_leads AS a
        WHERE a.lead_id = ANY(known_leads.row_keys::bigint []) AND a.adoption_id = known_leads.adoption.id;
    ELSE
        RETURN QUERY
        SELECT a.row_key, a.lead_id
        FROM lead_protection.adopted_leads AS a
        WHERE a.row_key = ANY(known_leads.row_keys) AND a.adoption_id = known_leads.adoption.id;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.known_leads(lead_protection.adoptions, text[]) IS
'The leads of an adopted table by their keys, as far as they were taken over. Internal.';
