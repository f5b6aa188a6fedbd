CREATE OR REPLACE FUNCTION lead_protection.news_of_note(note lead_protection.adoption_notes)
RETURNS TABLE (adoption_id bigint, lead_key text, row_key text, news lead_protection.adoption_news)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT
    CASE a.kind WHEN 'owners' THEN a.leads_id ELSE a.id END,
    CASE
        WHEN k.row_key = '*' AND news_of_note.note.row_keys IS NULL THEN '*'
        WHEN a.kind IN ('activities', 'holds') THEN rtrim(k.said, CASE x.lead_type WHEN 'bpchar' THEN ' ' ELSE '' END)
        ELSE rtrim(k.row_key, CASE a.key_type WHEN 'bpchar' THEN ' ' ELSE '' END)
    END,
    rtrim(k.row_key, CASE a.key_type WHEN 'bpchar' THEN ' ' ELSE '' END),
    (
        news_of_note.note.noted_at, news_of_note.note.noted_in,
        CASE WHEN a.kind IN ('leads', 'owners') AND a.mapping ->> 'user_column' IS NOT NULL
            THEN rtrim(k.said, CASE a.user_type WHEN 'bpchar' THEN ' ' ELSE '' END)
        END,
        CASE WHEN a.kind IN ('leads', 'owners') AND a.mapping ->> 'user_column' IS NOT NULL
            THEN rtrim(k.said_before, CASE a.user_type WHEN 'bpchar' THEN ' ' ELSE '' END)
        END,
        k.inserted AND a.kind <> 'owners'
    )::lead_protection.adoption_news
FROM lead_protection.adoptions AS a
LEFT JOIN LATERAL (
    SELECT l.key_type AS lead_type FROM lead_protection.adoptions AS l WHERE l.id = a.leads_id
) AS x ON true
CROSS JOIN LATERAL (
    SELECT '*' AS row_key, NULL AS said, NULL AS said_before, false AS inserted
    WHERE news_of_note.note.row_keys IS NULL
    UNION ALL
    SELECT
        u.row_key, u.said,
        -- A row that got another key is another row from then on.
        CASE
            WHEN news_of_note.note.inserted OR u.key_before <> u.row_key THEN CASE a.kind WHEN 'owners' THEN '' END
            ELSE coalesce(u.said_before, u.said)
        END,
        news_of_note.note.inserted OR coalesce(u.key_before <> u.row_key, false)
    FROM unnest(
        news_of_note.note.row_keys, news_of_note.note.said,
        news_of_note.note.keys_before, news_of_note.note.said_before
    ) AS u (row_key, said, key_before, said_before)
    UNION ALL
    -- The old key, or the old lead of an activity: what was there is gone.
    SELECT
        coalesce(b.key_before, b.row_key),
        CASE a.kind WHEN 'leads' THEN NULL WHEN 'owners' THEN '' ELSE coalesce(b.said_before, b.said) END, NULL, false
    FROM unnest(
        news_of_note.note.row_keys, news_of_note.note.said,
        news_of_note.note.keys_before, news_of_note.note.said_before
    ) AS b (row_key, said, key_before, said_before)
    WHERE b.key_before <> b.row_key OR (a.kind IN ('activities', 'holds') AND b.said_before <> b.said)
) AS k
WHERE a.id = news_of_note.note.adoption_id AND a.disowned_at IS NULL
$$;

COMMENT ON FUNCTION lead_protection.news_of_note(lead_protection.adoption_notes) IS
'What a note says of each row, and about which lead: of one that got another key, or another lead, of both. row_key *: '
'of the table as a whole. Nothing if the table was disowned. Internal.';
