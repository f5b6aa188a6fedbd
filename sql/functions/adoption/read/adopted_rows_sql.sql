-- All SQL of the company's own, conditions and expressions, is put into this one text; read_adopted_rows() runs it.
-- Each column is cast to the type that it has or is made of: a cast to a domain would run the code of its checks.
CREATE OR REPLACE FUNCTION lead_protection.adopted_rows_sql(
    kind text, source regclass, mapping jsonb, as_if_said boolean DEFAULT false
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
    rows_of text := adopted_rows_sql.source;
    owners_of text := owners;
BEGIN
    key_text := lead_protection.column_sql('s', adopted_rows_sql.source, coalesce(m ->> 'id_column', m ->> 'key_column'));
    lead_text := coalesce(lead_protection.column_sql('s', adopted_rows_sql.source, m ->> 'lead_column'), key_text);
    user_text := lead_protection.column_sql('s', adopted_rows_sql.source, m ->> 'user_column');
    IF adopted_rows_sql.as_if_said THEN
        rows_of := format(
            '(%s INNER JOIN unnest($1, $5) AS u (row_key, said) ON %s = u.row_key)',
            regexp_replace(
                CASE WHEN owners IS NULL
                    THEN lead_protection.table_saying_sql(adopted_rows_sql.source, m ->> 'user_column', 'u.said')
                    ELSE format('SELECT t.* FROM %s AS t', adopted_rows_sql.source)
                END, '^SELECT ', 'SELECT u.said AS lp_said, '
            ),
            lead_protection.column_sql('t', adopted_rows_sql.source, m ->> 'id_column')
        );
        owners_of := '(' || lead_protection.table_saying_sql(owners, m ->> 'owner_user_column', 's.lp_said') || ')';
    END IF;
    IF owners IS NOT NULL THEN
        user_text := format(
            '(SELECT %s FROM %s AS o WHERE %s = %s AND (%s) IS NOT TRUE)',
            lead_protection.column_sql('o', owners, m ->> 'owner_user_column'), owners_of,
            lead_protection.column_sql('o', owners, m ->> 'owner_lead_column'), lead_text,
            coalesce(m ->> 'nobody_when', 'false')
        );
    ELSIF m ->> 'nobody_when' IS NOT NULL THEN
        user_text := format('CASE WHEN (%s) THEN NULL ELSE %s END', m ->> 'nobody_when', user_text);
    END IF;
    SELECT
        lead_protection.instant_sql(
            adopted_rows_sql.source,
            coalesce(m ->> 'start_column', m ->> 'occurred_column', m ->> 'sent_column'), m ->> 'time_zone'
        ) AS starts,
        lead_protection.instant_sql(
            adopted_rows_sql.source, coalesce(m ->> 'closed_at_column', m ->> 'end_column'), m ->> 'time_zone'
        ) AS ends
    INTO instant;

    RETURN format(
        'SELECT %s AS row_key, %s AS lead_key, substring(%s FROM ''^.*[^[:space:]].*$'') AS user_key,'
        ' %s AS started_at, %s AS ended_at, %s AS outcome, %s AS label FROM %s AS s WHERE (%s)',
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
        CASE WHEN adopted_rows_sql.as_if_said THEN 's.lp_said'
            ELSE coalesce('(' || coalesce(m ->> 'policy', m ->> 'kind', m ->> 'reason') || ')::text', 'NULL::text')
        END,
        rows_of, coalesce(m ->> 'rows_when', 'true')
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.adopted_rows_sql(text, regclass, jsonb, boolean) IS
'The SELECT that reads a table of the company''s own as rows of type adopted_row, to which conditions on s may be '
'added. kind, mapping: as for check_source(). as_if_said: rows of leads as if, for the keys $1, the users were $5, which '
'are then the label. Internal.';
