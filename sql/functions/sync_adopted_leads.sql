CREATE OR REPLACE FUNCTION lead_protection.sync_adopted_leads(
    adoption lead_protection.adoptions, lead_ids bigint[]
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    row_keys CONSTANT text [] := lead_ids::text [];
    changed record;
BEGIN
    PERFORM lead_protection.number_adopted_users(
        adoption.source, adoption.user_expression,
        format('s.%s = ANY($1::%s[])', adoption.key_column, adoption.key_type), row_keys
    );

    -- New rows, all in one statement.
    PERFORM lead_protection.require_adoptable_row(adoption, r.lead_id::text, r.user_id, r.started_at)
    FROM lead_protection.adopted_lead_rows(adoption, row_keys) AS r
    WHERE NOT EXISTS (
        SELECT FROM lead_protection.adopted_leads AS a WHERE a.lead_id = r.lead_id AND a.adoption_id = adoption.id
    );
    WITH row_of_lead AS MATERIALIZED (
        SELECT r.*
        FROM lead_protection.adopted_lead_rows(adoption, row_keys) AS r
        WHERE NOT EXISTS (
            SELECT FROM lead_protection.adopted_leads AS a WHERE a.lead_id = r.lead_id AND a.adoption_id = adoption.id
        )
    ),

    lead AS (
        INSERT INTO lead_protection.leads AS l (id, user_id, created_at, closed_at, closed_as)
        SELECT
            r.lead_id, r.user_id, r.started_at,
            CASE WHEN r.outcome IS NOT NULL THEN greatest(coalesce(r.closed_at, clock_timestamp()), r.started_at) END,
            r.outcome
        FROM row_of_lead AS r
        ORDER BY r.lead_id
        -- Another session may be taking over the same row: below it is found as that one has left it.
        ON CONFLICT (id) DO NOTHING
        RETURNING l.id
    )

    INSERT INTO lead_protection.adopted_leads (lead_id, adoption_id, user_id, started_at, outcome)
    SELECT r.lead_id, adoption.id, r.user_id, r.started_at, r.outcome
    FROM row_of_lead AS r
    INNER JOIN lead AS l ON r.lead_id = l.id;

    -- What changed. Read anew, in statements that begin once the leads are locked.
    PERFORM lead_protection.lock_leads(lead_ids);
    FOR changed IN
        SELECT
            wanted.lead_id,
            a AS seen,
            l AS lead,
            coalesce(r.user_id, CASE WHEN r.lead_id IS NULL THEN a.user_id END) AS user_id,
            coalesce(r.started_at, CASE WHEN r.lead_id IS NULL THEN a.started_at END) AS started_at,
            CASE WHEN r.lead_id IS NULL THEN 'DELETED' ELSE r.outcome END AS outcome
        FROM unnest(lead_ids) AS wanted (lead_id)
        LEFT JOIN lead_protection.adopted_leads AS a ON wanted.lead_id = a.lead_id AND a.adoption_id = adoption.id
        LEFT JOIN lead_protection.leads AS l ON wanted.lead_id = l.id
        LEFT JOIN lead_protection.adopted_lead_rows(adoption, row_keys) AS r ON wanted.lead_id = r.lead_id
        WHERE
            (a.lead_id IS NOT NULL OR r.lead_id IS NOT NULL)
            AND (a.user_id, a.started_at, a.outcome) IS DISTINCT FROM (
                coalesce(r.user_id, CASE WHEN r.lead_id IS NULL THEN a.user_id END),
                coalesce(r.started_at, CASE WHEN r.lead_id IS NULL THEN a.started_at END),
                CASE WHEN r.lead_id IS NULL THEN 'DELETED' ELSE r.outcome END
            )
        ORDER BY wanted.lead_id
    LOOP
        IF (changed.seen).lead_id IS NULL THEN
            -- It was here before it was adopted. The same lead, or another one of that number?
            IF
                ((changed.lead).user_id, (changed.lead).created_at, (changed.lead).closed_at IS NULL)
                IS DISTINCT FROM (changed.user_id, changed.started_at, changed.outcome IS NULL)
            THEN
                RAISE EXCEPTION 'lead % is there already, and is not row % of %',
                    changed.lead_id, changed.lead_id, adoption.source
                    USING ERRCODE = 'LP046',
                    DETAIL = format(
                        'Here it is user %s''s since %s; there user %s''s since %s.', (changed.lead).user_id,
                        lead_protection.instant_text((changed.lead).created_at), changed.user_id,
                        lead_protection.instant_text(changed.started_at)
                    ),
                    HINT = 'Numbers of leads are those of the adopted table. If both are the same lead, correct one of them; if not, the table needs other numbers.';
            END IF;
            INSERT INTO lead_protection.adopted_leads (lead_id, adoption_id, user_id, started_at, outcome)
            VALUES (changed.lead_id, adoption.id, changed.user_id, changed.started_at, changed.outcome)
            -- From a table that was adopted before this one.
            ON CONFLICT ON CONSTRAINT adopted_leads_pkey DO UPDATE SET
                adoption_id = excluded.adoption_id, user_id = excluded.user_id, started_at = excluded.started_at,
                outcome = excluded.outcome;
        ELSE
            PERFORM lead_protection.require_adoptable_row(
                adoption, changed.lead_id::text, changed.user_id, changed.started_at
            );
            PERFORM lead_protection.apply_adopted_lead(
                adoption, changed.seen, changed.user_id, changed.started_at, changed.outcome
            );
        END IF;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.sync_adopted_leads(lead_protection.adoptions, bigint[]) IS
'Brings these leads into step with the adopted table as it is now: new rows become leads, changed ones are followed (apply_adopted_lead()), and a row that is gone is a deleted lead. Repeated: nothing changes. Errors: LP046 the lead is there and is another one, LP049 no user or start, LP005 start outside the years 1900 to 2999, LP010 start in the future, and those of the functions that change a lead. Internal.';
