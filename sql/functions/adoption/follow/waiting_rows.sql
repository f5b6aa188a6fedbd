CREATE OR REPLACE FUNCTION lead_protection.waiting_rows(leads_id bigint, of_lead text)
RETURNS TABLE (adoption lead_protection.adoptions, row_key text, lead_key text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_padded CONSTANT boolean := EXISTS (
        SELECT FROM lead_protection.adoptions AS a
        WHERE a.id = waiting_rows.leads_id AND a.key_type = 'bpchar'
    );
BEGIN
    RETURN QUERY
    SELECT DISTINCT v, w.row_key, waiting_rows.of_lead
    FROM (
        SELECT q.adoption_id, q.row_key
        FROM lead_protection.adoption_queue AS q
        WHERE q.lead_key = waiting_rows.of_lead AND q.dismissed_at IS NULL
        UNION
        SELECT n.adoption_id, n.row_key
        FROM lead_protection.adoption_note_rows AS n
        WHERE
            n.lead_key = waiting_rows.of_lead
            -- Not each key of each note, as far as that can be told from the notes: these are padded with blanks.
            AND (
                is_padded
                OR waiting_rows.of_lead = ANY(n.row_keys) OR waiting_rows.of_lead = ANY(n.keys_before)
                OR waiting_rows.of_lead = ANY(n.said) OR waiting_rows.of_lead = ANY(n.said_before)
            )
        UNION
        -- A table that must be looked at as a whole: so must the lead's own row.
        SELECT waiting_rows.leads_id, waiting_rows.of_lead
        WHERE
            EXISTS (
                SELECT FROM lead_protection.adoption_queue AS q
                WHERE q.lead_key = '*' AND q.adoption_id = waiting_rows.leads_id AND q.attempts = 0
            )
            OR EXISTS (
                SELECT FROM lead_protection.adoption_notes AS o
                WHERE o.adoption_id = waiting_rows.leads_id AND o.row_keys IS NULL
            )
    ) AS w
    CROSS JOIN LATERAL lead_protection.active_adoption(w.adoption_id) AS v
    WHERE coalesce(v.leads_id, v.id) = waiting_rows.leads_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.waiting_rows(bigint, text) IS
'The rows of adopted tables that wait to be followed and are, or are about, one lead of an adoption. Internal.';
