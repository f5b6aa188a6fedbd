CREATE OR REPLACE FUNCTION lead_protection.leads_of_import(leads text, lead_keys text[])
RETURNS TABLE (lead_key text, lead_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    adoption lead_protection.adoptions;
BEGIN
    IF
        leads_of_import.leads IS NOT NULL
        OR EXISTS (SELECT FROM lead_protection.adoptions AS a WHERE a.kind = 'leads' AND a.disowned_at IS NULL)
    THEN
        adoption := lead_protection.adoption_named(leads_of_import.leads, 'leads');
    END IF;
    IF adoption.id IS NULL OR adoption.keeps_numbers THEN
        RETURN QUERY
        SELECT l.id::text, l.id
        FROM lead_protection.leads AS l
        WHERE l.id = ANY(
            ARRAY(
                SELECT k::bigint FROM unnest(leads_of_import.lead_keys) AS k WHERE k ~ '^-?[0-9]{1,18}$'
            )
        ) AND l.lead_key IS NULL;
    ELSE
        RETURN QUERY SELECT k.* FROM lead_protection.known_leads(adoption, leads_of_import.lead_keys) AS k;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.leads_of_import(text, text[]) IS
'The leads that an imported table names, by their keys in the adoption that leads names (null: the only one; without '
'any, by their numbers). Error: LP051. Internal.';
