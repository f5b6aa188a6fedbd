CREATE OR REPLACE FUNCTION lead_protection.lead_ids_of(
    adoption lead_protection.adoptions, lead_keys text[], rows_now lead_protection.adopted_row[]
)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    leads_of lead_protection.adoptions;
    unknown text;
    lead_ids bigint [];
BEGIN
    SELECT a.* INTO STRICT leads_of FROM lead_protection.adoptions AS a WHERE a.id = lead_ids_of.adoption.leads_id;
    SELECT array_agg(k.lead_id ORDER BY u.nth), min(r.lead_key) FILTER (WHERE k.lead_id IS NULL)
    INTO lead_ids, unknown
    FROM unnest(lead_ids_of.lead_keys) WITH ORDINALITY AS u (lead_key, nth)
    LEFT JOIN lead_protection.known_leads(leads_of, lead_ids_of.lead_keys) AS k ON u.lead_key = k.row_key
    -- What is gone needs no lead.
    LEFT JOIN LATERAL (
        SELECT o.lead_key FROM unnest(lead_ids_of.rows_now) AS o WHERE o.lead_key = u.lead_key LIMIT 1
    ) AS r ON k.lead_id IS NULL;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'lead % is unknown', unknown
            USING ERRCODE = 'LP002',
            DETAIL = format(
                '%s names it, and no row of %s that is followed has this key.', lead_ids_of.adoption.source,
                leads_of.source
            ),
            HINT = 'If its row comes, or can be followed, this one is followed, too.';
    END IF;
    RETURN lead_ids;
END;
$$;

COMMENT ON FUNCTION lead_protection.lead_ids_of(
    lead_protection.adoptions, text[], lead_protection.adopted_row[]
) IS
'The numbers of the leads that rows of an adopted table name, in the order of their keys; rows_now: those rows that '
'are still there. Error: LP002 unknown lead. Internal.';
