CREATE OR REPLACE FUNCTION lead_protection.take_new_leads(
    adoption lead_protection.adoptions,
    rows_now lead_protection.adopted_row[],
    waiting lead_protection.waiting_lead[],
    backfill boolean
)
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    new_ids bigint [];
    history bigint [];
BEGIN
    WITH candidate AS MATERIALIZED (
        SELECT r.*, w.backfill, first_news.*, last_news.noted_at AS last_noted_at
        FROM unnest(take_new_leads.rows_now) AS r
        LEFT JOIN unnest(take_new_leads.waiting) AS w ON r.row_key = w.row_key
        -- Whose it was at first: a new row's by what its transaction made of it, another's by what was before.
        LEFT JOIN LATERAL (
            SELECT
                f.noted_at AS first_noted_at, i.inserted,
                CASE WHEN i.inserted
                    THEN (
                        SELECT n.said FROM unnest(w.news) AS n
                        WHERE n.noted_in = f.noted_in AND n.said IS NOT NULL ORDER BY n.noted_at DESC LIMIT 1
                    )
                    ELSE f.said_before
                END AS first_user
            FROM unnest(w.news) AS f
            CROSS JOIN LATERAL (
                -- Its owner may be in another table, written in the same transaction.
                SELECT bool_or(n.inserted) AS inserted FROM unnest(w.news) AS n WHERE n.noted_in = f.noted_in
            ) AS i
            WHERE f.said IS NOT NULL
            ORDER BY f.noted_at
            LIMIT 1
        ) AS first_news ON true
        LEFT JOIN LATERAL (SELECT max(n.noted_at) AS noted_at FROM unnest(w.news) AS n) AS last_news ON true
    ),

    fresh AS MATERIALIZED (
        SELECT
            CASE WHEN take_new_leads.adoption.keeps_numbers
                THEN c.row_key::bigint
                ELSE nextval(pg_get_serial_sequence('lead_protection.leads', 'id'))
            END AS lead_id,
            CASE WHEN NOT take_new_leads.adoption.keeps_numbers THEN c.row_key END AS row_key,
            lead_protection.adopted_user_id(
                take_new_leads.adoption.user_type,
                -- Of a closed lead nobody asks whose it was before.
                CASE WHEN c.outcome IS NOT NULL THEN coalesce(c.user_key, c.first_user)
                    ELSE coalesce(c.first_user, c.user_key)
                END
            ) AS user_id,
            c.started_at, c.ended_at, c.outcome, c.label, c.first_noted_at, c.last_noted_at,
            lead_protection.newest_policy(c.label) AS policy_id,
            take_new_leads.backfill OR coalesce(c.backfill, true)
            OR coalesce(c.first_noted_at < take_new_leads.adoption.switched_on_at, false) AS is_history,
            CASE WHEN c.inserted THEN c.first_noted_at END AS followed_at
        FROM candidate AS c
        ORDER BY c.row_key
    ),

    adopted AS (
        INSERT INTO lead_protection.adopted_leads AS a (
            lead_id, adoption_id, user_id, started_at, outcome, row_key, policy_name, followed_at
        )
        SELECT
            f.lead_id, take_new_leads.adoption.id, f.user_id, f.started_at, f.outcome, f.row_key, f.label, f.followed_at
        FROM fresh AS f
        -- Another session may be taking over the same row.
        ON CONFLICT DO NOTHING
        RETURNING a.lead_id
    ),

    lead AS (
        INSERT INTO lead_protection.leads AS l (
            id, user_id, policy_id, created_at, closed_at, closed_as, changed_at, lead_key
        )
        SELECT
            f.lead_id, f.user_id, f.policy_id, f.started_at,
            CASE WHEN f.outcome IS NOT NULL
                THEN greatest(coalesce(f.ended_at, f.last_noted_at, clock_timestamp()), f.started_at)
            END,
            f.outcome, coalesce(f.first_noted_at, clock_timestamp()), f.row_key
        FROM fresh AS f
        INNER JOIN adopted AS a ON f.lead_id = a.lead_id
        RETURNING l.id
    )

    SELECT array_agg(f.lead_id), array_agg(f.lead_id) FILTER (WHERE f.is_history) INTO new_ids, history
    FROM fresh AS f
    INNER JOIN lead AS l ON f.lead_id = l.id;
    -- Rows that were there before are history, also if they come late. Before the switch-on it is that which records
    -- it.
    IF history IS NOT NULL AND take_new_leads.adoption.switched_on_at IS NOT NULL THEN
        PERFORM lead_protection.record_passed_deadlines(history);
    END IF;
    RETURN coalesce(new_ids, '{}');
END;
$$;

COMMENT ON FUNCTION lead_protection.take_new_leads(
    lead_protection.adoptions, lead_protection.adopted_row[], lead_protection.waiting_lead[], boolean
) IS
'Makes leads of rows that are none yet, as they were when they were first noted; backfill true: all were there before. '
'Returns their numbers; of a row that another session is taking, there is none. Errors: LP005, LP010, LP019. Internal.';
