CREATE OR REPLACE FUNCTION lead_protection.news_of_nobody(
    adoption lead_protection.adoptions, waiting lead_protection.waiting_lead[]
)
RETURNS lead_protection.waiting_lead[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keys text [];
    users text [];
    nobodies lead_protection.adopted_row [];
BEGIN
    SELECT array_agg(p.row_key), array_agg(p.said) INTO keys, users
    FROM (
        SELECT DISTINCT w.row_key, s.said
        FROM unnest(news_of_nobody.waiting) AS w
        CROSS JOIN LATERAL unnest(w.news) AS n
        CROSS JOIN LATERAL (VALUES (n.said), (n.said_before)) AS s (said)
        WHERE s.said <> ''
    ) AS p;
    IF keys IS NULL THEN
        RETURN news_of_nobody.waiting;
    END IF;
    nobodies := ARRAY(
        SELECT r
        FROM lead_protection.read_adopted_rows(news_of_nobody.adoption, keys, users_said => users) AS r
        WHERE r.user_key IS NULL
    );
    RETURN ARRAY(
        SELECT (
            w.row_key, w.backfill,
            ARRAY(
                SELECT (
                    n.noted_at, n.noted_in, CASE WHEN s.label IS NULL THEN n.said ELSE '' END,
                    CASE WHEN b.label IS NULL THEN n.said_before ELSE '' END, n.inserted
                )::lead_protection.adoption_news
                FROM unnest(w.news) AS n
                LEFT JOIN unnest(nobodies) AS s ON w.row_key = s.row_key AND n.said = s.label
                LEFT JOIN unnest(nobodies) AS b ON w.row_key = b.row_key AND n.said_before = b.label
                ORDER BY n.noted_at
            )
        )::lead_protection.waiting_lead
        FROM unnest(news_of_nobody.waiting) AS w
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.news_of_nobody(
    lead_protection.adoptions, lead_protection.waiting_lead[]
) IS
'What was noted of leads, with blanks for users that mean nobody by nobody_when, asked of the rows as if they still had '
'them. Internal: waiting_news() calls it.';
