-- All SQL of the company's own, conditions and expressions, is put into this one text; read_adopted_rows() runs it.
-- Each column is cast to the type that it has or is made of: a cast to a domain would run the code of its checks.
CREATE OR REPLACE FUNCTION lead_protection.adopted_rows_sql(
    kind text, source regclass, mapping jsonb, rows_sql text DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m CONSTANT jsonb := adopted_rows_sql.mapping;
    owners CONSTANT regclass := to_regclass(m ->> 'owner_source');
    -- The columns as SQL, by the names of the arguments.
    key_text text;
    lead_text text;
    user_text text;
    instant record;
    owner_row text := '';
BEGIN
    key_text := lead_protection.column_sql(
        's', adopted_rows_sql.source, coalesce(m ->> 'id_column', m ->> 'key_column')
    );
    lead_text := coalesce(lead_protection.column_sql('s', adopted_rows_sql.source, m ->> 'lead_column'), key_text);
    user_text := lead_protection.column_sql('s', adopted_rows_sql.source, m ->> 'user_column');
    IF owners IS NOT NULL THEN
        -- The one row there that names an owner, otherwise one that says it is nobody; two owners are an error.
        owner_row := format(
            ' LEFT JOIN LATERAL (SELECT (r.o).* FROM (SELECT coalesce('
            '(SELECT o FROM %1$s AS o WHERE %2$s AND (%3$s) IS NOT TRUE), (SELECT o FROM %1$s AS o WHERE %2$s LIMIT 1)'
            ') AS o OFFSET 0) AS r) AS o ON true',
            owners,
            lead_protection.same_key_sql(
                adopted_rows_sql.source, m ->> 'id_column', owners, m ->> 'owner_lead_column'
            ),
            coalesce(m ->> 'nobody_when', 'false')
        );
        user_text := format(
            '(SELECT CASE WHEN (%s) THEN NULL ELSE %s END FROM (SELECT o.*) AS o)',
            coalesce(m ->> 'nobody_when', 'false'),
            lead_protection.column_sql('o', owners, m ->> 'owner_user_column')
        );
    ELSIF m ->> 'nobody_when' IS NOT NULL THEN
        user_text := format('CASE WHEN (%s) THEN NULL ELSE %s END', m ->> 'nobody_when', user_text);
    END IF;
    SELECT
        lead_protection.instant_sql(
            adopted_rows_sql.source,
            coalesce(m ->> 'start_column', m ->> 'occurred_column', m ->> 'sent_column'), m ->> 'time_zone', owners
        ) AS starts,
        lead_protection.instant_sql(
            adopted_rows_sql.source, coalesce(m ->> 'closed_at_column', m ->> 'end_column'), m ->> 'time_zone', owners
        ) AS ends
    INTO instant;

    RETURN format(
        'SELECT %s AS row_key, %s AS lead_key, substring(%s FROM ''^.*[^[:space:]].*$'') AS user_key,'
        ' %s AS started_at, %s AS ended_at, %s AS outcome, %s AS label FROM %s AS s%s WHERE (%s)',
        coalesce(key_text, 'NULL::text'), coalesce(lead_text, 'NULL::text'), coalesce(user_text, 'NULL::text'),
        coalesce(instant.starts, 'NULL::timestamptz'), coalesce(instant.ends, 'NULL::timestamptz'),
        CASE WHEN adopted_rows_sql.kind = 'leads'
            THEN format(
                'CASE WHEN (%s) THEN ''DELETED'' WHEN (%s) THEN ''CONVERTED'' WHEN (%s) THEN ''LOST'' END',
                coalesce(m ->> 'deleted_when', 'false'), coalesce(m ->> 'converted_when', 'false'),
                coalesce(m ->> 'lost_when', 'false')
            )
            ELSE 'NULL::text'
        END,
        coalesce('(' || coalesce(m ->> 'policy', m ->> 'kind', m ->> 'reason') || ')::text', 'NULL::text'),
        coalesce(adopted_rows_sql.rows_sql, adopted_rows_sql.source::text), owner_row,
        coalesce(m ->> 'rows_when', 'true')
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.adopted_rows_sql(text, regclass, jsonb, text) IS
'The SELECT that reads a table of the company''s own as rows of type adopted_row, to which conditions on s may be '
'added. Owners in a table of their own are joined as o: conditions and instants may be of that table, too. kind, '
'mapping: as for check_source(); rows_sql: where its rows come from, if not from all of it. Internal.';
