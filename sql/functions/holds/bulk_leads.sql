CREATE OR REPLACE FUNCTION lead_protection.bulk_leads(lead_ids bigint[], user_id bigint)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF num_nonnulls(bulk_leads.lead_ids, bulk_leads.user_id) <> 1 OR array_position(bulk_leads.lead_ids, NULL) > 0 THEN
        RAISE EXCEPTION 'give either lead_ids or user_id'
            USING ERRCODE = 'LP037',
            DETAIL = format(
                'Given: %s leads, user_id %s.', coalesce(cardinality(bulk_leads.lead_ids)::text, 'no'),
                coalesce(bulk_leads.user_id::text, 'null')
            ),
            HINT = 'A list of leads, without a null in it, or all leads of one user.';
    END IF;
    IF bulk_leads.user_id IS NULL THEN
        RETURN ARRAY(SELECT DISTINCT u.lead_id FROM unnest(bulk_leads.lead_ids) AS u (lead_id) ORDER BY 1);
    END IF;
    RETURN ARRAY(
        SELECT c.lead_id
        FROM lead_protection.lead_clocks AS c
        WHERE c.user_id = bulk_leads.user_id AND c.closed_at IS NULL
        ORDER BY c.lead_id
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.bulk_leads(bigint[], bigint) IS
'The leads that a bulk call is for: those of the list, each once, or all open leads of the user. Errors: LP037 both or '
'neither given, or a null in the list. Internal.';
