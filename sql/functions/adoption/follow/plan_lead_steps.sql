-- Only what the adopted table changed is followed. What our own functions have changed since (a transfer, a closing)
-- stands until the table says something new about it.
CREATE OR REPLACE FUNCTION lead_protection.plan_lead_steps(
    adoption lead_protection.adoptions,
    lead_ids bigint[],
    rows_now lead_protection.adopted_row[],
    news lead_protection.row_news[]
)
RETURNS SETOF lead_protection.lead_step
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    RETURN QUERY
    WITH row_of_lead AS MATERIALIZED (
        SELECT
            a.lead_id, a.user_id AS seen_user, a.started_at AS seen_start, a.outcome AS seen_outcome, a.policy_name,
            a.followed_at, l.user_id AS user_now, l.created_at, l.closed_at, l.closed_as, r.row_key IS NULL AS is_gone,
            lead_protection.adopted_user_id(plan_lead_steps.adoption.user_type, r.user_key) AS user_id,
            r.started_at, r.ended_at, r.label, w.news,
            CASE WHEN r.row_key IS NULL THEN 'DELETED' ELSE r.outcome END AS outcome,
            coalesce(
                (SELECT max(n.noted_at) FROM unnest(w.news) AS n WHERE (n.noted_at > a.followed_at) IS NOT FALSE),
                clock_timestamp()
            ) AS last_at
        FROM unnest(plan_lead_steps.lead_ids) AS g (lead_id)
        INNER JOIN lead_protection.adopted_leads AS a ON g.lead_id = a.lead_id
        INNER JOIN lead_protection.leads AS l ON g.lead_id = l.id
        LEFT JOIN unnest(plan_lead_steps.rows_now) AS r ON coalesce(a.row_key, a.lead_id::text) = r.row_key
        LEFT JOIN unnest(plan_lead_steps.news) AS w ON coalesce(a.row_key, a.lead_id::text) = w.row_key
    ),

    given AS MATERIALIZED (
        SELECT
            r.*,
            -- Open again, be it only to be closed in another way. Whose a closed lead would be, and since when, is
            -- followed when it is opened.
            r.closed_at IS NULL OR (
                r.seen_outcome IS DISTINCT FROM r.outcome
                AND r.outcome IS DISTINCT FROM 'DELETED' AND r.outcome IS DISTINCT FROM r.closed_as
            ) AS is_open
        FROM row_of_lead AS r
    ),

    -- Of a transaction its last word, and at the end the row as it is.
    said AS (
        SELECT
            g.lead_id, n.noted_at, false AS is_present,
            lead_protection.adopted_user_id(plan_lead_steps.adoption.user_type, n.said) AS user_id
        FROM given AS g
        CROSS JOIN LATERAL (
            SELECT DISTINCT ON (w.noted_in) w.noted_at, w.said
            FROM unnest(g.news) AS w
            WHERE w.said IS NOT NULL AND (w.noted_at > g.followed_at) IS NOT FALSE
            ORDER BY w.noted_in, w.noted_at DESC
        ) AS n
        -- Whom a column names may be nobody by a condition, which only the row as it is can tell.
        WHERE n.noted_at < g.last_at OR g.is_gone OR (g.outcome IS NOT NULL AND g.user_id IS NULL)
        UNION ALL
        -- Of a row that is gone, or closed and made anonymous, what it last said.
        SELECT g.lead_id, g.last_at, true, g.user_id
        FROM given AS g
        WHERE NOT g.is_gone AND (g.outcome IS NULL OR g.user_id IS NOT NULL)
    ),

    owner AS (
        SELECT
            s.lead_id, s.noted_at, s.user_id,
            row_number() OVER (PARTITION BY s.lead_id ORDER BY s.is_present, s.noted_at) AS nth
        FROM (
            SELECT
                e.*,
                row_number() OVER w = 1 AS is_first,
                lag(e.user_id) OVER w AS user_before
            FROM said AS e
            WINDOW w AS (PARTITION BY e.lead_id ORDER BY e.is_present, e.noted_at)
        ) AS s
        INNER JOIN given AS g ON s.lead_id = g.lead_id
        WHERE
            s.user_id IS DISTINCT FROM CASE WHEN s.is_first THEN g.seen_user ELSE s.user_before END
            -- Made anonymous as, or after, it was closed.
            AND (g.outcome IS NULL OR s.user_id IS NOT NULL)
    ),

    step AS (
        SELECT
            g.lead_id, 1 AS place, 0 AS nth, 'opened' AS kind,
            coalesce((SELECT min(o.noted_at) FROM owner AS o WHERE o.lead_id = g.lead_id), g.last_at) AS at,
            NULL::bigint AS user_id, NULL::timestamptz AS started_at, NULL AS outcome, NULL::bigint AS policy_id
        FROM given AS g
        WHERE g.is_open AND g.closed_at IS NOT NULL
        UNION ALL
        SELECT
            g.lead_id, 2, o.nth, 'owner', o.noted_at, o.user_id,
            CASE
                WHEN (plan_lead_steps.adoption.mapping ->> 'start_is_assignment')::boolean
                    AND o.nth = max(o.nth) OVER (PARTITION BY o.lead_id) AND NOT g.is_gone
                    THEN g.started_at
            END,
            NULL, lead_protection.newest_policy(g.label)
        FROM owner AS o
        INNER JOIN given AS g ON o.lead_id = g.lead_id
        WHERE g.is_open
        UNION ALL
        SELECT g.lead_id, 3, 0, 'start', g.last_at, NULL, g.started_at, NULL, NULL
        FROM given AS g
        WHERE
            g.is_open AND g.started_at <> g.seen_start AND g.user_now IS NOT NULL
            AND NOT EXISTS (SELECT FROM owner AS o WHERE o.lead_id = g.lead_id)
            -- A protection that began with a transfer began then, whatever the table says of the lead.
            AND (
                (plan_lead_steps.adoption.mapping ->> 'start_is_assignment')::boolean IS TRUE
                OR NOT EXISTS (
                    SELECT FROM lead_protection.lead_history AS h
                    WHERE h.lead_id = g.lead_id AND h.user_id IS DISTINCT FROM g.user_now
                )
            )
        UNION ALL
        SELECT g.lead_id, 4, 0, 'policy', g.last_at, NULL, NULL, NULL, lead_protection.newest_policy(g.label)
        FROM given AS g
        WHERE
            g.is_open AND NOT g.is_gone AND g.label IS DISTINCT FROM g.policy_name AND g.label IS NOT NULL
        UNION ALL
        SELECT g.lead_id, 5, 0, 'closed', g.last_at, NULL, g.ended_at, g.outcome, NULL
        FROM given AS g
        WHERE g.outcome IS NOT NULL AND g.seen_outcome IS DISTINCT FROM g.outcome
    )

    SELECT
        s.lead_id, row_number() OVER (PARTITION BY s.lead_id ORDER BY s.place, s.nth)::integer, s.kind, s.at,
        s.user_id, s.started_at, s.outcome, NULL::text, s.policy_id
    FROM step AS s;
END;
$$;

COMMENT ON FUNCTION lead_protection.plan_lead_steps(
    lead_protection.adoptions, bigint[], lead_protection.adopted_row[], lead_protection.row_news[]
) IS
'What is new about these leads, as steps in order: what was noted (news), and their rows as they are now, compared '
'with what the table last said (adopted_leads). Internal: the caller has locked the leads and read the rows since.';
