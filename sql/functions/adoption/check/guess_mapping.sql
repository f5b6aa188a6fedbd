CREATE OR REPLACE FUNCTION lead_protection.guess_mapping(source regclass, kind text, mapping jsonb)
RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
WITH wanted AS (
    SELECT
        a.*,
        CASE WHEN a.type LIKE 'owner %' THEN to_regclass(guess_mapping.mapping ->> 'owner_source')
            ELSE guess_mapping.source
        END AS source
    FROM lead_protection.source_arguments(guess_mapping.kind) AS a
    -- Who says something, also that there is none, is not second-guessed.
    WHERE NOT guess_mapping.mapping ? a.name
        AND NOT (a.type = 'user' AND guess_mapping.mapping ->> 'owner_source' IS NOT NULL)
),

by_name AS (
    SELECT DISTINCT ON (w.name)
        w.name, w.type, c.attname, lead_protection.column_type(c.attrelid, c.attname) AS column_type
    FROM wanted AS w
    INNER JOIN pg_attribute AS c
        ON c.attnum > 0 AND NOT c.attisdropped
        AND (
            w.source = c.attrelid
            -- Beside a lead's owner there may be more of it.
            OR (w.type IN ('instant', 'boolean') AND c.attrelid = to_regclass(guess_mapping.mapping ->> 'owner_source'))
        )
    LEFT JOIN pg_index AS i
        ON w.source = i.indrelid AND i.indisprimary AND i.indnkeyatts = 1 AND c.attnum = i.indkey[0] AND w.type = 'key'
    WHERE i.indrelid IS NOT NULL OR c.attname = ANY(w.guesses)
    -- A primary key is the key, whatever its name.
    ORDER BY w.name, w.source <> c.attrelid, i.indrelid IS NULL, array_position(w.guesses, c.attname::text)
),

-- The values of a status, as far as catalogs tell them: those of an enum, or the commonest when it was analysed.
status_value AS (
    SELECT c.attname, v.value
    FROM pg_attribute AS c
    LEFT JOIN pg_enum AS e ON c.atttypid = e.enumtypid
    LEFT JOIN pg_stats AS t ON c.attname = t.attname
        AND (t.schemaname, t.tablename) = (
            SELECT n.nspname, r.relname FROM pg_class AS r INNER JOIN pg_namespace AS n ON r.relnamespace = n.oid
            WHERE r.oid = guess_mapping.source
        )
    CROSS JOIN LATERAL (
        SELECT e.enumlabel::text UNION SELECT unnest(t.most_common_vals::text::text [])
    ) AS v (value)
    WHERE c.attrelid = guess_mapping.source AND c.attname IN ('status', 'stage', 'state') AND NOT c.attisdropped
        AND v.value IS NOT NULL
),

by_status AS (
    SELECT
        w.name,
        format('%I::text IN (%s)', s.attname, string_agg(DISTINCT quote_literal(s.value), ', ')) AS condition
    FROM wanted AS w
    INNER JOIN status_value AS s
        ON lower(s.value) = ANY(
            CASE w.name
                WHEN 'converted_when' THEN '{won,converted,customer,closed_won,closed won}'::text []
                WHEN 'lost_when' THEN '{lost,dead,closed_lost,closed lost,junk,rejected}'::text []
                WHEN 'deleted_when' THEN '{deleted,trashed}'::text []
            END
        )
    GROUP BY w.name, s.attname
),

guessed AS (
    SELECT
        g.name,
        CASE
            WHEN g.type IN ('boolean', 'text') AND g.column_type = 'boolean' THEN format('%I', g.attname)
            WHEN g.type = 'boolean' AND g.column_type IN ('smallint', 'integer', 'bigint')
                THEN format('%I <> 0', g.attname)
            WHEN g.type = 'boolean' AND (g.column_type LIKE 'timestamp%' OR g.column_type = 'date')
                THEN format('%I IS NOT NULL', g.attname)
            WHEN g.type = 'boolean' THEN NULL
            WHEN g.type = 'text' THEN format('%I', g.attname)
            ELSE g.attname
        END AS value
    FROM by_name AS g
    UNION ALL
    SELECT s.name, s.condition FROM by_status AS s
)

SELECT guess_mapping.mapping || coalesce(jsonb_object_agg(o.name, o.value), '{}')
FROM (
    SELECT g.name, string_agg(g.value, ' OR ') AS value
    FROM guessed AS g
    WHERE g.value IS NOT NULL
    GROUP BY g.name
) AS o
$$;

COMMENT ON FUNCTION lead_protection.guess_mapping(regclass, text, jsonb) IS
'mapping and, for arguments that it does not have, what the table''s primary key, the names of its columns and the '
'values of its status suggest. Reads catalogs only. Needs source_arguments() and column_type() only. Internal.';
