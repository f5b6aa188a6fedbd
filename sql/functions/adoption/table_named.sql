CREATE OR REPLACE FUNCTION lead_protection.table_named(source text)
RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_regclass(table_named.source);
EXCEPTION
    -- A name of an adoption need not be one that a table can have.
    WHEN OTHERS THEN
        RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.table_named(text) IS
'The table of that name, with its schema; null: there is none. Internal.';
