CREATE OR REPLACE FUNCTION lead_protection.adopted_activity_rows(
    adoption lead_protection.adoptions, row_keys text[] DEFAULT NULL
)
RETURNS TABLE (row_key text, lead_id bigint, user_id bigint, kind text, occurred_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- What the SQL of the adoption says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off, extra_warnings = off
BEGIN
    RETURN QUERY EXECUTE
        format(
            'SELECT r.* FROM (SELECT %s FROM %s AS s', adoption.row_expressions, adoption.source
        )
        || CASE WHEN adopted_activity_rows.row_keys IS NOT NULL
            THEN format(' WHERE s.%s = ANY($1::%s[])', adoption.key_column, adoption.key_type)
            ELSE ''
        END
        || ') AS r (row_key, lead_id, user_id, kind, occurred_at) WHERE r.lead_id IS NOT NULL AND r.kind IS NOT NULL'
    USING adopted_activity_rows.row_keys;
END;
$$;

COMMENT ON FUNCTION lead_protection.adopted_activity_rows(lead_protection.adoptions, text[]) IS
'The rows of an adopted table of activities as they are now: all, or those with these keys. Those without a lead or a '
'kind are no activities and left out. Internal.';
