CREATE OR REPLACE FUNCTION lead_protection.find_adoption_drift(of_adoption bigint DEFAULT NULL)
RETURNS TABLE (adoption_id bigint, source text, row_key text, lead_key text, finding text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    adoption lead_protection.adoptions;
    detail text;
    unreadable text [];
BEGIN
    FOR adoption IN
        SELECT v.*
        FROM lead_protection.adoptions AS a
        CROSS JOIN LATERAL lead_protection.active_adoption(a.id) AS v
        WHERE a.id = find_adoption_drift.of_adoption OR find_adoption_drift.of_adoption IS NULL
        ORDER BY a.kind <> 'leads', a.id
    LOOP
        IF (
            SELECT count(*) < 4
            FROM lead_protection.adopted_tables() AS t
            WHERE t.adoption_id = adoption.id AND t.enabled
        ) THEN
            RETURN QUERY SELECT
                adoption.id, adoption.source, NULL::text, NULL::text, 'a trigger is missing or disabled';
        END IF;
        unreadable := '{}';
        detail := NULL;
        <<attempts>>
        LOOP
            BEGIN
                PERFORM lead_protection.require_readable_source(adoption);
                RETURN QUERY
                SELECT adoption.id, adoption.source, d.row_key, d.lead_key, d.finding
                FROM lead_protection.drift_of_leads(adoption, unreadable) AS d WHERE adoption.kind = 'leads'
                UNION ALL
                SELECT adoption.id, adoption.source, d.row_key, d.lead_key, d.finding
                FROM lead_protection.drift_of_activities(adoption, unreadable) AS d WHERE adoption.kind = 'activities'
                UNION ALL
                SELECT adoption.id, adoption.source, d.row_key, d.lead_key, d.finding
                FROM lead_protection.drift_of_holds(adoption, unreadable) AS d WHERE adoption.kind = 'holds'
                UNION ALL
                SELECT q.adoption_id, adoption.source, q.row_key, q.lead_key, 'the row cannot be read'
                FROM lead_protection.adoption_queue AS q
                WHERE q.adoption_id = adoption.id AND q.row_key = ANY(unreadable);
                EXIT attempts;
            EXCEPTION
                -- A column that was dropped, a right that was taken away: the other tables are looked at all the same.
                WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
                    detail := concat_ws('. ', 'the table cannot be read: ' || SQLERRM, nullif(detail, ''));
            END;
            -- Or a row on which the company's SQL fails. It waits already: the others are looked at without those.
            EXIT attempts WHEN unreadable <> '{}';
            unreadable := ARRAY(
                SELECT q.row_key FROM lead_protection.adoption_queue AS q
                WHERE q.adoption_id = adoption.id AND q.error IS NOT NULL AND q.row_key <> '*'
            );
            EXIT attempts WHEN unreadable = '{}';
            detail := NULL;
        END LOOP;
        IF detail IS NOT NULL THEN
            RETURN QUERY SELECT adoption.id, adoption.source, NULL::text, NULL::text, detail;
        END IF;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.find_adoption_drift(bigint) IS
'The rows of adopted tables (of_adoption: of one) that are out of step: written and not followed yet, written past '
'the triggers, or such as cannot be followed; those that were set aside included. No row: all are in step, and the '
'triggers stand. Reads every row of these tables; changes nothing. row_key and lead_key null: the table as a whole, '
'which is gone or cannot be read, or whose triggers are missing or disabled.';
