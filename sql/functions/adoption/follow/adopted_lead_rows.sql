CREATE OR REPLACE FUNCTION lead_protection.adopted_lead_rows(
    adoption lead_protection.adoptions, row_keys text[] DEFAULT NULL
)
RETURNS TABLE (lead_id bigint, user_id bigint, started_at timestamptz, closed_at timestamptz, outcome text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- What the SQL of the adoption says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off, extra_warnings = off
BEGIN
    RETURN QUERY EXECUTE format('SELECT %s FROM %s AS s', adoption.row_expressions, adoption.source)
        || CASE WHEN adopted_lead_rows.row_keys IS NOT NULL
            THEN format(' WHERE s.%s = ANY($1::%s[])', adoption.key_column, adoption.key_type)
            ELSE ''
        END
    USING adopted_lead_rows.row_keys;
END;
$$;

COMMENT ON FUNCTION lead_protection.adopted_lead_rows(lead_protection.adoptions, text[]) IS
'The rows of an adopted table of leads as they are now: all, or those with these keys. outcome null: open. Internal.';
