CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_source()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off
DECLARE
    collected CONSTANT text :=
        'SELECT array_agg(c.row_key ORDER BY c.lead_id, c.row_key), array_agg(c.lead_id ORDER BY c.lead_id, c.row_key)'
        ' FROM (%s) AS c WHERE c.lead_id IS NOT NULL';
    adoption lead_protection.adoptions;
    key_and_lead text;
    written_rows text;
    changed_rows text;
    row_keys text [];
    lead_ids bigint [];
BEGIN
    SELECT a.* INTO adoption
    FROM lead_protection.adoptions AS a
    WHERE a.id = TG_ARGV[0]::bigint AND a.disowned_at IS NULL;
    IF adoption.id IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'TRUNCATE of % is refused: its rows are adopted', adoption.source
            USING ERRCODE = 'LP047',
            DETAIL = 'Each of its leads or activities would have to be deleted here, in this one statement.',
            HINT = format(
                'DELETE FROM %s, which is followed row by row; or disown it first: CALL lead_protection.disown_source(%L).',
                adoption.source, adoption.source
            );
    END IF;

    -- By its name of now: it may have been renamed since.
    adoption.source := format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    key_and_lead := format(
        's.%s::text AS row_key, s.%I::bigint AS lead_id', adoption.key_column,
        adoption.mapping ->> CASE adoption.kind WHEN 'leads' THEN 'id_column' ELSE 'lead_column' END
    );
    written_rows := CASE TG_OP
        WHEN 'INSERT' THEN format('SELECT %s FROM new_rows AS s', key_and_lead)
        WHEN 'DELETE' THEN format('SELECT %s FROM old_rows AS s', key_and_lead)
        ELSE format('SELECT %1$s FROM old_rows AS s UNION SELECT %1$s FROM new_rows AS s', key_and_lead)
    END;
    changed_rows := CASE TG_OP
        -- Only those in which something changed that matters here.
        WHEN 'UPDATE' THEN format(
            'WITH o AS MATERIALIZED (SELECT %1$s, %2$s AS told, ROW(%3$s) AS facts FROM old_rows AS s),'
            ' n AS MATERIALIZED (SELECT %1$s, %2$s AS told, ROW(%3$s) AS facts FROM new_rows AS s)'
            ' SELECT o.row_key, o.lead_id FROM o LEFT JOIN n USING (row_key)'
            ' WHERE (o.told, o.facts) IS DISTINCT FROM (n.told, n.facts)'
            ' UNION SELECT n.row_key, n.lead_id FROM n LEFT JOIN o USING (row_key)'
            ' WHERE (o.told, o.facts) IS DISTINCT FROM (n.told, n.facts)',
            key_and_lead, coalesce(adoption.user_expression, 'NULL'), adoption.row_expressions
        )
        ELSE written_rows
    END;

    IF adoption.on_failure = 'block' THEN
        EXECUTE format(collected, changed_rows) INTO row_keys, lead_ids;
        IF row_keys IS NOT NULL THEN
            PERFORM lead_protection.sync_adopted_rows(adoption, row_keys, lead_ids);
        END IF;
        RETURN NULL;
    END IF;

    BEGIN
        EXECUTE format(collected, changed_rows) INTO row_keys, lead_ids;
    EXCEPTION
        WHEN OTHERS THEN
            -- A column that was dropped or renamed, say: then each row is tried, and waits by its key; or if not even
            -- that can be read, the table as a whole.
            BEGIN
                EXECUTE format(collected, written_rows) INTO row_keys, lead_ids;
            EXCEPTION
                WHEN OTHERS THEN
                    row_keys := '{*}';
                    lead_ids := '{0}';
            END;
    END;
    IF row_keys IS NOT NULL THEN
        PERFORM lead_protection.try_sync_adopted_rows(adoption, row_keys, lead_ids);
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adopted_source() IS
'Trigger on an adopted table (its argument: the adoption): brings the rows that a statement wrote into step, in its transaction. If that fails, on_failure says what becomes of the statement: block, it fails with our error; queue, it goes through and the rows wait in adoption_queue. Error: LP047 TRUNCATE, in both cases.';
