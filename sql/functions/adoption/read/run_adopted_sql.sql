-- The one place where SQL of the company's own is run: conditions, expressions, and what hangs on the types of its
-- columns, on policies and on views. It may be anybody's code. So it runs as a role that may read the adopted tables
-- and nothing else, and can write nothing, be it in our tables or by altering this very function, which that role owns.
CREATE OR REPLACE FUNCTION lead_protection.run_adopted_sql(
    query text, row_keys text[], after_key text, batch_size bigint, people text[], until_key text
)
RETURNS SETOF lead_protection.adopted_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- What the SQL says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off, extra_warnings = off
BEGIN
    -- Read-only for the block, which an EXCEPTION makes a subtransaction: PostgreSQL lets nothing that runs there take
    -- it back, and ends it with the block. A SET clause of the function, from 18 on, it refuses for this setting.
    BEGIN
        PERFORM set_config('transaction_read_only', 'on', true);
        RETURN QUERY EXECUTE run_adopted_sql.query
        USING
            run_adopted_sql.row_keys, run_adopted_sql.after_key, run_adopted_sql.batch_size, run_adopted_sql.people,
            run_adopted_sql.until_key;
    EXCEPTION
        WHEN SQLSTATE 'LP999' THEN
            RAISE;
    END;
END;
$$;

COMMENT ON FUNCTION lead_protection.run_adopted_sql(text, text[], text, bigint, text[], text) IS
'Runs a query that adopted_rows_sql() made, as role lead_protection_reader, whose this function is if there is such a '
'role (see adopted_reader.sql), and read-only. Internal: read_adopted_rows() calls it.';
