CREATE OR REPLACE FUNCTION lead_protection.waiting_news(adoption lead_protection.adoptions, row_keys text[])
RETURNS SETOF lead_protection.row_news
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 500 SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    RETURN QUERY
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

    SELECT
        n.row_key,
        -- Whether it was there before was settled when it was queued.
        coalesce(bool_or(n.backfill), NOT bool_or((n.n).inserted), true),
        array_agg(n.n ORDER BY (n.n).noted_at) FILTER (WHERE (n.n).noted_at IS NOT NULL)
    FROM noted AS n
    GROUP BY n.row_key;
END;
$$;

COMMENT ON FUNCTION lead_protection.waiting_news(lead_protection.adoptions, text[]) IS
'What was noted of these leads of an adopted table and was not followed yet, in order, be it in adoption_queue or '
'still in adoption_notes; backfill: that one of them was there before it came here. Internal.';
