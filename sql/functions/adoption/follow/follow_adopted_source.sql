CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_source()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- What the SQL of the adoption says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO'
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
    WHERE a.id = TG_ARGV[0]::bigint;
    IF adoption.id IS NULL OR extract(EPOCH FROM adoption.adopted_at)::text <> TG_ARGV[1] THEN
        RAISE EXCEPTION '% was adopted after this transaction began', TG_RELID::regclass
            USING ERRCODE = '40001',
            DETAIL = 'Its snapshot is older than the adoption, so what it writes could not be followed.',
            HINT = 'Run the transaction again. In a copy of the table without lead_protection''s data: drop the '
            'triggers lead_protection_… .';
    END IF;
    IF adoption.disowned_at IS NOT NULL THEN
        RETURN NULL;
    END IF;
    -- By its name of now: it may have been renamed since.
    adoption.source := format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'TRUNCATE of % is refused: its rows are adopted', adoption.source
            USING ERRCODE = 'LP047',
            DETAIL = 'Each of its leads or activities would have to be deleted here, in this one statement.',
            HINT = format(
                'DELETE FROM %s, which is followed row by row; or disown it first: '
                'CALL lead_protection.disown_source(%L).',
                adoption.source, adoption.source
            );
    END IF;

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
            'SELECT DISTINCT row_key, lead_id'
            ' FROM (SELECT %1$s, ROW(%2$s) AS facts FROM old_rows AS s) AS o (row_key, old_lead, old_facts)'
            ' FULL JOIN (SELECT %1$s, ROW(%2$s) FROM new_rows AS s) AS n (row_key, new_lead, new_facts) USING (row_key)'
            ' CROSS JOIN LATERAL (VALUES (old_lead), (new_lead)) AS l (lead_id)'
            ' WHERE old_facts IS DISTINCT FROM new_facts',
            key_and_lead, adoption.fact_expressions
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
'Trigger on an adopted table (its argument: the adoption): brings the rows that a statement wrote into step, in its '
'transaction. If that fails, on_failure says what becomes of the statement: block, it fails with our error; queue, it '
'goes through and the rows wait in adoption_queue. Errors, in both cases: LP047 TRUNCATE; 40001 in a REPEATABLE READ '
'or SERIALIZABLE transaction that began before the adoption.';
