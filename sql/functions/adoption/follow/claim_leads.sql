CREATE OR REPLACE FUNCTION lead_protection.claim_leads(
    adoption lead_protection.adoptions, rows_now lead_protection.adopted_row[]
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    claimed record;
BEGIN
    FOR claimed IN
        SELECT
            r.row_key, r.started_at, r.outcome, r.label, l AS lead, a AS seen,
            lead_protection.adopted_user_id(claim_leads.adoption.user_type, r.user_key) AS user_id
        FROM unnest(claim_leads.rows_now) AS r
        INNER JOIN lead_protection.leads AS l
            ON l.id = CASE WHEN claim_leads.adoption.keeps_numbers THEN r.row_key::bigint ELSE (
                SELECT e.lead_id
                FROM lead_protection.adopted_leads AS e
                INNER JOIN lead_protection.adoptions AS o ON e.adoption_id = o.id
                WHERE
                    e.row_key = r.row_key AND o.name = claim_leads.adoption.name
                    AND (o.id = claim_leads.adoption.id OR o.disowned_at IS NOT NULL)
                ORDER BY o.id <> claim_leads.adoption.id, o.disowned_at DESC
                LIMIT 1
            ) END
        LEFT JOIN lead_protection.adopted_leads AS a ON l.id = a.lead_id
        WHERE a.adoption_id IS DISTINCT FROM claim_leads.adoption.id
        ORDER BY l.id
    LOOP
        -- It was here before it came with this table. The same lead, or another one of that number?
        IF
            (
                (claimed.lead).user_id, (claimed.lead).created_at, (claimed.lead).closed_as,
                (claimed.lead).closed_at IS NULL
            )
            IS DISTINCT FROM (claimed.user_id, claimed.started_at, claimed.outcome, claimed.outcome IS NULL)
            AND ((claimed.seen).user_id, (claimed.seen).started_at, (claimed.seen).outcome)
            IS DISTINCT FROM (claimed.user_id, claimed.started_at, claimed.outcome)
            OR (claimed.lead).lead_key IS NOT NULL AND claim_leads.adoption.keeps_numbers
        THEN
            RAISE EXCEPTION 'lead % is there already, and is not row % of %',
                (claimed.lead).id, claimed.row_key, claim_leads.adoption.source
                USING ERRCODE = 'LP046',
                DETAIL = format(
                    'Here it is user %s''s since %s, %s; there user %s''s since %s, %s.',
                    coalesce((claimed.lead).user_id::text, 'nobody'),
                    lead_protection.instant_text((claimed.lead).created_at),
                    CASE
                        WHEN (claimed.lead).closed_at IS NULL THEN 'open'
                        ELSE coalesce((claimed.lead).closed_as, 'closed')
                    END,
                    coalesce(claimed.user_id::text, 'nobody'), lead_protection.instant_text(claimed.started_at),
                    coalesce(claimed.outcome, 'open')
                ),
                HINT = 'Numbers of leads are those of the adopted table. If both are the same lead, correct one of '
                'them; if not, the table needs other numbers.';
        END IF;
        INSERT INTO lead_protection.adopted_leads AS a (
            lead_id, adoption_id, user_id, started_at, outcome, row_key, policy_name
        )
        VALUES (
            (claimed.lead).id, claim_leads.adoption.id, claimed.user_id, claimed.started_at, claimed.outcome,
            (claimed.lead).lead_key, claimed.label
        )
        ON CONFLICT ON CONSTRAINT adopted_leads_pkey DO UPDATE SET
            adoption_id = excluded.adoption_id, user_id = excluded.user_id, started_at = excluded.started_at,
            outcome = excluded.outcome, policy_name = excluded.policy_name, followed_at = NULL;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.claim_leads(lead_protection.adoptions, lead_protection.adopted_row[]) IS
'Makes leads that were here before their rows came with this adoption its own: of the same number, or of the same key '
'under an adoption of the same name that is no more. Error: LP046 it is another lead. Internal.';
