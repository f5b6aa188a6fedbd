CREATE OR REPLACE FUNCTION lead_protection.next_adopted_rows(adoption lead_protection.adoptions, batch_size integer)
RETURNS TABLE (row_keys text[], lead_ids bigint[], last_key text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- What the SQL of the adoption says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off, extra_warnings = off
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT array_agg(b.row_key ORDER BY b.nth) FILTER (WHERE b.lead_id IS NOT NULL),'
        ' array_agg(b.lead_id ORDER BY b.nth) FILTER (WHERE b.lead_id IS NOT NULL),'
        ' (array_agg(b.row_key ORDER BY b.nth DESC))[1]'
        ' FROM (SELECT s.%1$s::text AS row_key, s.%2$I::bigint AS lead_id, row_number() OVER (ORDER BY s.%1$s) AS nth'
        ' FROM %3$s AS s %4$s ORDER BY s.%1$s LIMIT $2) AS b',
        next_adopted_rows.adoption.key_column,
        next_adopted_rows.adoption.mapping
        ->> CASE next_adopted_rows.adoption.kind WHEN 'leads' THEN 'id_column' ELSE 'lead_column' END,
        next_adopted_rows.adoption.source,
        CASE WHEN next_adopted_rows.adoption.backfilled_through IS NOT NULL
            THEN format(
                'WHERE s.%s > $1::%s', next_adopted_rows.adoption.key_column, next_adopted_rows.adoption.key_type
            )
        END
    ) USING next_adopted_rows.adoption.backfilled_through, next_adopted_rows.batch_size;
END;
$$;

COMMENT ON FUNCTION lead_protection.next_adopted_rows(lead_protection.adoptions, integer) IS
'The next batch_size rows to take over, by key, and the last of these keys (null: there are no more). Internal: '
'backfill_adoption() calls it.';
