CREATE OR REPLACE FUNCTION lead_protection.sync_adopted_leads(
    adoption lead_protection.adoptions, lead_ids bigint[], backfill boolean
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    row_keys CONSTANT text [] := sync_adopted_leads.lead_ids::text [];
    new_leads bigint [];
    changed record;
BEGIN
    PERFORM lead_protection.number_adopted_users(
        sync_adopted_leads.adoption.source, sync_adopted_leads.adoption.user_expression,
        format('s.%s = ANY($1::%s[])', sync_adopted_leads.adoption.key_column, sync_adopted_leads.adoption.key_type),
        row_keys
    );

    -- New rows, all in one statement. One that is closed and nobody's is no lead that was protected for anybody.
    PERFORM lead_protection.require_adoptable_row(sync_adopted_leads.adoption, r.lead_id::text, r.user_id, r.started_at)
    FROM lead_protection.adopted_rows(sync_adopted_leads.adoption, row_keys) AS r
    WHERE NOT EXISTS (SELECT FROM lead_protection.adopted_leads AS a WHERE a.lead_id = r.lead_id)
        AND (r.outcome IS NULL OR r.user_id IS NOT NULL);
    WITH row_of_lead AS MATERIALIZED (
        SELECT r.*
        FROM lead_protection.adopted_rows(sync_adopted_leads.adoption, row_keys) AS r
        WHERE NOT EXISTS (SELECT FROM lead_protection.adopted_leads AS a WHERE a.lead_id = r.lead_id)
            AND r.user_id IS NOT NULL
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
    ),

    adopted AS (
        INSERT INTO lead_protection.adopted_leads (lead_id, adoption_id, user_id, started_at, outcome)
        SELECT r.lead_id, sync_adopted_leads.adoption.id, r.user_id, r.started_at, r.outcome
        FROM row_of_lead AS r
        INNER JOIN lead AS l ON r.lead_id = l.id
        RETURNING adopted_leads.lead_id
    )

    SELECT array_agg(a.lead_id) INTO new_leads FROM adopted AS a;
    -- Rows that were there before are history, also if they come late. Before the switch-on it is that which records
    -- it.
    IF
        sync_adopted_leads.backfill AND sync_adopted_leads.adoption.switched_on_at IS NOT NULL
        AND new_leads IS NOT NULL
    THEN
        PERFORM lead_protection.record_passed_deadlines(new_leads);
    END IF;

    -- What changed. Read anew, in statements that begin once the leads are locked.
    PERFORM lead_protection.lock_leads(sync_adopted_leads.lead_ids);
    FOR changed IN
        SELECT
            wanted.lead_id,
            a AS seen,
            l AS lead,
            -- Of a row that is gone, or closed and made anonymous, what it last said.
            CASE WHEN r.lead_id IS NULL OR r.outcome IS NOT NULL THEN coalesce(r.user_id, a.user_id) ELSE r.user_id END
                AS user_id,
            CASE WHEN r.lead_id IS NULL OR r.outcome IS NOT NULL
                THEN coalesce(r.started_at, a.started_at)
                ELSE r.started_at
            END AS started_at,
            CASE WHEN r.lead_id IS NULL THEN 'DELETED' ELSE r.outcome END AS outcome
        FROM unnest(sync_adopted_leads.lead_ids) AS wanted (lead_id)
        LEFT JOIN lead_protection.adopted_leads AS a ON wanted.lead_id = a.lead_id
        LEFT JOIN lead_protection.leads AS l ON wanted.lead_id = l.id
        LEFT JOIN lead_protection.adopted_rows(sync_adopted_leads.adoption, row_keys) AS r ON wanted.lead_id = r.lead_id
        WHERE a.lead_id IS NOT NULL OR r.user_id IS NOT NULL
        ORDER BY wanted.lead_id
    LOOP
        CONTINUE WHEN
            (changed.seen).adoption_id = sync_adopted_leads.adoption.id
            AND ((changed.seen).user_id, (changed.seen).started_at, (changed.seen).outcome)
            IS NOT DISTINCT FROM (changed.user_id, changed.started_at, changed.outcome);
        PERFORM lead_protection.require_adoptable_row(
            sync_adopted_leads.adoption, changed.lead_id::text, changed.user_id, changed.started_at
        );
        IF (changed.seen).adoption_id = sync_adopted_leads.adoption.id THEN
            PERFORM lead_protection.apply_adopted_lead(
                sync_adopted_leads.adoption, changed.seen, changed.user_id, changed.started_at, changed.outcome
            );
        ELSE
            -- It was here before it came with this table. The same lead, or another one of that number?
            IF
                (
                    (changed.lead).user_id, (changed.lead).created_at, (changed.lead).closed_as,
                    (changed.lead).closed_at IS NULL
                )
                IS DISTINCT FROM (changed.user_id, changed.started_at, changed.outcome, changed.outcome IS NULL)
                AND ((changed.seen).user_id, (changed.seen).started_at, (changed.seen).outcome)
                IS DISTINCT FROM (changed.user_id, changed.started_at, changed.outcome)
            THEN
                RAISE EXCEPTION 'lead % is there already, and is not row % of %',
                    changed.lead_id, changed.lead_id, sync_adopted_leads.adoption.source
                    USING ERRCODE = 'LP046',
                    DETAIL = format(
                        'Here it is user %s''s since %s, %s; there user %s''s since %s, %s.', (changed.lead).user_id,
                        lead_protection.instant_text((changed.lead).created_at),
                        CASE
                            WHEN (changed.lead).closed_at IS NULL THEN 'open'
                            ELSE coalesce((changed.lead).closed_as, 'closed')
                        END,
                        changed.user_id, lead_protection.instant_text(changed.started_at),
                        coalesce(changed.outcome, 'open')
                    ),
                    HINT = 'Numbers of leads are those of the adopted table. If both are the same lead, correct one of '
                    'them; if not, the table needs other numbers.';
            END IF;
            INSERT INTO lead_protection.adopted_leads (lead_id, adoption_id, user_id, started_at, outcome)
            VALUES (
                changed.lead_id, sync_adopted_leads.adoption.id, changed.user_id, changed.started_at, changed.outcome
            )
            ON CONFLICT ON CONSTRAINT adopted_leads_pkey DO UPDATE SET
                adoption_id = excluded.adoption_id, user_id = excluded.user_id, started_at = excluded.started_at,
                outcome = excluded.outcome;
        END IF;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.sync_adopted_leads(lead_protection.adoptions, bigint[], boolean) IS
'Brings these leads into step with the adopted table as it is now: new rows become leads, changed ones are followed '
'(apply_adopted_lead()), and a row that is gone is a deleted lead. backfill true: the rows were there before the table '
'was adopted. Repeated: nothing changes. Errors: LP046 the lead is there and is another one, LP049 no user or start, '
'LP005 start outside the years 1900 to 2999, LP010 start in the future, and those of the functions that change a lead. '
'Internal.';
