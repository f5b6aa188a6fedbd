-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
-- The arrays are shown, too, so that whoever looks for a key need not take every note apart.
CREATE OR REPLACE VIEW lead_protection.adoption_note_rows AS
SELECT
    o.ctid AS note,
    o.noted_at,
    o.row_keys,
    o.keys_before,
    o.said,
    o.said_before,
    CASE a.kind WHEN 'owners' THEN a.leads_id ELSE a.id END AS adoption_id,
    CASE
        WHEN o.row_keys IS NULL THEN '*'
        WHEN a.kind IN ('activities', 'holds') THEN rtrim(k.said, CASE l.key_type WHEN 'bpchar' THEN ' ' ELSE '' END)
        ELSE rtrim(k.row_key, CASE a.key_type WHEN 'bpchar' THEN ' ' ELSE '' END)
    END AS lead_key,
    rtrim(k.row_key, CASE a.key_type WHEN 'bpchar' THEN ' ' ELSE '' END) AS row_key,
    (
        o.noted_at, o.noted_in,
        CASE WHEN a.kind IN ('leads', 'owners') AND a.mapping ->> 'user_column' IS NOT NULL
            THEN rtrim(k.said, CASE a.user_type WHEN 'bpchar' THEN ' ' ELSE '' END)
        END,
        CASE WHEN a.kind IN ('leads', 'owners') AND a.mapping ->> 'user_column' IS NOT NULL
            THEN rtrim(k.said_before, CASE a.user_type WHEN 'bpchar' THEN ' ' ELSE '' END)
        END,
        k.inserted AND a.kind <> 'owners'
    )::lead_protection.adoption_news AS news
FROM lead_protection.adoption_notes AS o
INNER JOIN lead_protection.adoptions AS a ON o.adoption_id = a.id AND a.disowned_at IS NULL
LEFT JOIN lead_protection.adoptions AS l ON a.leads_id = l.id
CROSS JOIN LATERAL (
    SELECT
        '*' AS row_key,
        NULL AS said,
        NULL AS said_before,
        false AS inserted
    WHERE o.row_keys IS NULL
    UNION ALL
    SELECT
        u.row_key,
        u.said,
        -- A row that got another key is another row from then on.
        CASE
            WHEN o.inserted OR u.key_before <> u.row_key THEN CASE a.kind WHEN 'owners' THEN '' END
            ELSE coalesce(u.said_before, u.said)
        END,
        o.inserted OR coalesce(u.key_before <> u.row_key, false)
    FROM unnest(o.row_keys, o.said, o.keys_before, o.said_before) AS u (row_key, said, key_before, said_before)
    UNION ALL
    -- The old key, or the old lead of an activity: what was there is gone.
    SELECT
        coalesce(b.key_before, b.row_key),
        CASE a.kind WHEN 'leads' THEN NULL WHEN 'owners' THEN '' ELSE coalesce(b.said_before, b.said) END,
        NULL,
        false
    FROM unnest(o.row_keys, o.said, o.keys_before, o.said_before) AS b (row_key, said, key_before, said_before)
    WHERE b.key_before <> b.row_key OR (a.kind IN ('activities', 'holds') AND b.said_before <> b.said)
) AS k;

COMMENT ON VIEW lead_protection.adoption_note_rows IS
'The notes of adoption_notes, a row for each row of an adopted table and the lead that it is about: of one that got '
'another key, or another lead, for both. Notes of tables that were disowned are left out. Internal.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.note IS 'The note, by its place in adoption_notes.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.noted_at IS 'As in adoption_notes.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.row_keys IS 'As in adoption_notes.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.keys_before IS 'As in adoption_notes.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.said IS 'As in adoption_notes.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.said_before IS 'As in adoption_notes.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.adoption_id IS
'The adoption; of owners in a table of their own that of their leads.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.lead_key IS 'The lead''s key; *: the table as a whole.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.row_key IS 'The row''s key; *: the table as a whole.';
COMMENT ON COLUMN lead_protection.adoption_note_rows.news IS 'What was noted of it.';
