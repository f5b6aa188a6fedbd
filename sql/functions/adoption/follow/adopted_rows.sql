CREATE OR REPLACE FUNCTION lead_protection.adopted_rows(
    adoption lead_protection.adoptions, row_keys text[] DEFAULT NULL
)
RETURNS TABLE (
    row_key text, lead_id bigint, user_id bigint, started_at timestamptz, closed_at timestamptz, outcome text,
    occurred_at timestamptz, kind text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- What the SQL of the adoption says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off, extra_warnings = off
BEGIN
    RETURN QUERY EXECUTE format(
        CASE adopted_rows.adoption.kind
            WHEN 'leads' THEN
                'SELECT r.lead_id::text, r.lead_id, r.user_id, r.started_at, r.closed_at, r.outcome,'
                ' NULL::timestamptz, NULL::text'
                ' FROM (SELECT %s FROM %s AS s%s) AS r (lead_id, user_id, started_at, closed_at, outcome)'
            ELSE
                'SELECT r.row_key, r.lead_id, r.user_id, NULL::timestamptz, NULL::timestamptz, NULL::text,'
                ' r.occurred_at, r.kind'
                ' FROM (SELECT %s FROM %s AS s%s) AS r (row_key, lead_id, user_id, kind, occurred_at)'
                ' WHERE r.lead_id IS NOT NULL AND r.kind IS NOT NULL'
        END,
        adopted_rows.adoption.row_expressions, adopted_rows.adoption.source,
        CASE WHEN adopted_rows.row_keys IS NOT NULL
            THEN format(
                ' WHERE s.%s = ANY($1::%s[])', adopted_rows.adoption.key_column, adopted_rows.adoption.key_type
            )
        END
    ) USING adopted_rows.row_keys;
END;
$$;

COMMENT ON FUNCTION lead_protection.adopted_rows(lead_protection.adoptions, text[]) IS
'The rows of an adopted table as they are now: all, or those with these keys. Of a lead user, start, closing and '
'outcome (null: open); of an activity user, instant and kind: a row without a lead or a kind is none, and left out. '
'Internal.';
