CREATE OR REPLACE FUNCTION lead_protection.waiting_news(adoption lead_protection.adoptions, row_keys text[])
RETURNS SETOF lead_protection.waiting_lead
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 500 SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    waiting lead_protection.waiting_lead [];
BEGIN
    WITH noted AS MATERIALIZED (
        SELECT q.row_key, q.backfill, n
        FROM lead_protection.adoption_queue AS q
        LEFT JOIN LATERAL unnest(q.news) AS n ON true
        WHERE
            q.adoption_id = waiting_news.adoption.id AND q.row_key = ANY(waiting_news.row_keys)
            -- Of leads both are the same, and the index leads with this one.
            AND q.lead_key = ANY(waiting_news.row_keys)
        UNION ALL
        SELECT w.row_key, NULL, w.news
        FROM lead_protection.adoption_note_rows AS w
        WHERE
            -- Not each key of each note, as far as that can be told from the notes: these are padded with blanks.
            (
                waiting_news.adoption.key_type = 'bpchar'
                OR w.row_keys && waiting_news.row_keys OR w.keys_before && waiting_news.row_keys
            )
            AND w.adoption_id = waiting_news.adoption.id AND w.row_key = ANY(waiting_news.row_keys)
    )

    SELECT array_agg(
        (g.row_key, g.backfill, g.news)::lead_protection.waiting_lead
    ) INTO waiting
    FROM (SELECT
        n.row_key,
        -- Whether it was there before was settled when it was queued.
        coalesce(bool_or(n.backfill), NOT bool_or((n.n).inserted), true) AS backfill,
        array_agg(n.n ORDER BY (n.n).noted_at) FILTER (WHERE (n.n).noted_at IS NOT NULL) AS news
    FROM noted AS n
    GROUP BY n.row_key) AS g;
    IF waiting_news.adoption.mapping ->> 'nobody_when' IS NOT NULL THEN
        waiting := lead_protection.news_of_nobody(waiting_news.adoption, waiting);
    END IF;
    RETURN QUERY SELECT w.* FROM unnest(waiting) AS w;
END;
$$;

COMMENT ON FUNCTION lead_protection.waiting_news(lead_protection.adoptions, text[]) IS
'What was noted of these leads of an adopted table and was not followed yet, in order, be it in adoption_queue or '
'still in adoption_notes; backfill: that one of them was there before it came here. Internal.';
