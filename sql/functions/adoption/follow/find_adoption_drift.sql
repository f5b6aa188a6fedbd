CREATE OR REPLACE FUNCTION lead_protection.find_adoption_drift()
RETURNS TABLE (adoption_id bigint, source text, row_key text, lead_id bigint, finding text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    adoption lead_protection.adoptions;
    detail text;
BEGIN
    FOR adoption IN
        SELECT v.*
        FROM lead_protection.adoptions AS a
        CROSS JOIN LATERAL lead_protection.active_adoption(a.id) AS v
        ORDER BY a.kind DESC, a.id
    LOOP
        IF (
            SELECT count(*) < 4
            FROM lead_protection.adopted_tables() AS t
            WHERE t.adoption_id = adoption.id AND t.enabled
        ) THEN
            RETURN QUERY SELECT
                adoption.id, adoption.source, NULL::text, NULL::bigint, 'a trigger is missing or disabled';
        END IF;
        BEGIN
            PERFORM lead_protection.require_readable_source(adoption);
            IF adoption.kind = 'leads' THEN
                RETURN QUERY
                SELECT
                    adoption.id, adoption.source, coalesce(r.lead_id, a.lead_id)::text, coalesce(r.lead_id, a.lead_id),
                    CASE
                        WHEN a.lead_id IS NULL THEN 'the row was not taken over'
                        WHEN r.lead_id IS NULL THEN 'the row is gone'
                        ELSE 'the row has changed'
                    END
                FROM lead_protection.adopted_rows(adoption) AS r
                FULL JOIN (
                    SELECT x.lead_id, x.user_id, x.started_at, x.outcome, l.closed_at
                    FROM lead_protection.adopted_leads AS x
                    INNER JOIN lead_protection.leads AS l ON x.lead_id = l.id
                    WHERE x.adoption_id = adoption.id
                ) AS a ON r.lead_id = a.lead_id
                WHERE CASE
                    -- Closed and nobody's: no lead that was protected for anybody.
                    WHEN a.lead_id IS NULL THEN r.outcome IS NULL OR r.user_id IS NOT NULL
                    WHEN r.lead_id IS NULL THEN a.outcome IS DISTINCT FROM 'DELETED'
                    ELSE
                        a.outcome IS DISTINCT FROM r.outcome
                        -- Of a closed lead, closed there or here, they are followed when it is opened again.
                        OR (
                            r.outcome IS NULL AND a.closed_at IS NULL
                            AND (a.user_id, a.started_at) IS DISTINCT FROM (r.user_id, r.started_at)
                        )
                END;
            ELSE
                RETURN QUERY
                SELECT
                    adoption.id, adoption.source,
                    coalesce(
                        r.row_key,
                        substr(a.activity_key, length(lead_protection.adopted_activity_key(adoption.id, '')) + 1)
                    ), coalesce(r.lead_id, a.lead_id),
                    CASE
                        WHEN a.id IS NULL THEN 'the row was not taken over'
                        WHEN r.lead_id IS NULL THEN 'the row is gone'
                        ELSE 'the row has changed'
                    END
                FROM lead_protection.adopted_rows(adoption) AS r
                FULL JOIN (
                    SELECT x.*
                    FROM lead_protection.lead_activities AS x
                    WHERE starts_with(x.activity_key, lead_protection.adopted_activity_key(adoption.id, ''))
                ) AS a
                    ON r.lead_id = a.lead_id
                    AND lead_protection.adopted_activity_key(adoption.id, r.row_key) = a.activity_key
                WHERE CASE
                    WHEN a.id IS NULL THEN true
                    WHEN r.lead_id IS NULL THEN a.deleted_at IS NULL
                    ELSE
                        a.deleted_at IS NOT NULL OR a.user_id IS DISTINCT FROM r.user_id OR a.kind <> r.kind
                        OR NOT lead_protection.is_instant_of_activity(a, r.occurred_at)
                END;
            END IF;
        EXCEPTION
            -- A column that was dropped, a right that was taken away: the other tables are looked at all the same.
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
                RETURN QUERY SELECT
                    adoption.id, adoption.source, NULL::text, NULL::bigint,
                    concat_ws('. ', 'the table cannot be read: ' || SQLERRM, nullif(detail, ''));
        END;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.find_adoption_drift() IS
'The rows of adopted tables that are out of step: written past the triggers, or waiting in adoption_queue. No row: all '
'are in step, and the triggers stand. Reads every row of these tables; changes nothing. row_key and lead_id null: the '
'table as a whole, which is gone or cannot be read, or whose triggers are missing or disabled.';
