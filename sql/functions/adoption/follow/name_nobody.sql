CREATE OR REPLACE FUNCTION lead_protection.name_nobody(
    adoption lead_protection.adoptions, news lead_protection.row_news[]
)
RETURNS lead_protection.row_news[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    people CONSTANT text [] := CASE WHEN name_nobody.adoption.mapping ->> 'nobody_when' IS NOT NULL
        THEN ARRAY(
            SELECT v.user_key
            FROM unnest(name_nobody.news) AS w
            CROSS JOIN LATERAL unnest(w.news) AS n
            CROSS JOIN LATERAL (VALUES (n.said), (n.said_before)) AS v (user_key)
            WHERE v.user_key ~ '[^[:space:]]'
            GROUP BY v.user_key
        )
    END;
    nobody text [];
BEGIN
    IF coalesce(people, '{}') = '{}' THEN
        RETURN name_nobody.news;
    END IF;
    nobody := ARRAY(
        SELECT p.user_key FROM unnest(people) AS p (user_key)
        EXCEPT
        SELECT r.user_key FROM lead_protection.read_adopted_rows(name_nobody.adoption, people => people) AS r
    );
    IF nobody = '{}' THEN
        RETURN name_nobody.news;
    END IF;
    RETURN ARRAY(
        SELECT (
            w.row_key, w.backfill,
            ARRAY(
                SELECT (
                    n.noted_at, n.noted_in,
                    CASE WHEN n.said = ANY(nobody) THEN '' ELSE n.said END,
                    CASE WHEN n.said_before = ANY(nobody) THEN '' ELSE n.said_before END,
                    n.inserted
                )::lead_protection.adoption_news
                FROM unnest(w.news) AS n
                ORDER BY n.noted_at
            )
        )::lead_protection.row_news
        FROM unnest(name_nobody.news) AS w
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.name_nobody(lead_protection.adoptions, lead_protection.row_news[]) IS
'The same news, blank where they name a user who by nobody_when is nobody, whatever else the row says. Internal: rows '
'were noted with what their column had, and an earlier value is not in the row any more.';
