CREATE OR REPLACE FUNCTION lead_protection.remember_adopted_leads(
    adoption lead_protection.adoptions,
    lead_ids bigint[],
    open_ids bigint[],
    rows_now lead_protection.adopted_row[],
    news lead_protection.row_news[]
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    WITH given AS MATERIALIZED (
        SELECT
            a.lead_id, r.row_key IS NULL AS is_gone, o.lead_id IS NOT NULL AS is_open,
            lead_protection.adopted_user_id(remember_adopted_leads.adoption.user_type, r.user_key) AS user_id,
            r.started_at, r.outcome, r.label,
            (SELECT max(n.noted_at) FROM unnest(w.news) AS n) AS noted_at,
            (
                SELECT lead_protection.adopted_user_id(remember_adopted_leads.adoption.user_type, n.said)
                FROM unnest(w.news) AS n
                WHERE n.said <> '' AND (n.noted_at > a.followed_at) IS NOT FALSE
                ORDER BY n.noted_at DESC
                LIMIT 1
            ) AS last_user_id
        FROM lead_protection.adopted_leads AS a
        LEFT JOIN unnest(remember_adopted_leads.open_ids) AS o (lead_id) ON a.lead_id = o.lead_id
        LEFT JOIN unnest(remember_adopted_leads.rows_now) AS r ON coalesce(a.row_key, a.lead_id::text) = r.row_key
        LEFT JOIN unnest(remember_adopted_leads.news) AS w ON coalesce(a.row_key, a.lead_id::text) = w.row_key
        WHERE a.lead_id = ANY(remember_adopted_leads.lead_ids)
    )

    UPDATE lead_protection.adopted_leads AS a
    SET
        -- Of a closed lead they are followed when it is opened again.
        user_id = CASE
            WHEN NOT g.is_open THEN a.user_id
            -- Of a row that is gone, or closed and made anonymous, what it last said.
            WHEN g.is_gone OR (g.outcome IS NOT NULL AND g.user_id IS NULL) THEN coalesce(g.last_user_id, a.user_id)
            ELSE g.user_id
        END,
        started_at = CASE WHEN g.is_gone OR NOT g.is_open THEN a.started_at ELSE g.started_at END,
        policy_name = CASE WHEN g.is_gone OR NOT g.is_open THEN a.policy_name ELSE g.label END,
        outcome = CASE WHEN g.is_gone THEN 'DELETED' ELSE g.outcome END,
        followed_at = greatest(a.followed_at, g.noted_at)
    FROM given AS g
    WHERE a.lead_id = g.lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.remember_adopted_leads(
    lead_protection.adoptions, bigint[], bigint[], lead_protection.adopted_row[], lead_protection.row_news[]
) IS
'Writes into adopted_leads what the table said of these leads by the rows that were read; open_ids: those that were '
'open. Internal.';
