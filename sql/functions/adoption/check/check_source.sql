-- Needs nothing else of this schema but hides_rows(): `lead-protection check` runs both where nothing is installed yet.
CREATE OR REPLACE FUNCTION lead_protection.check_source(source regclass, wanted jsonb)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
-- The SQL that it explains is the caller's own, with the caller's own rights. EXPLAIN wants it VOLATILE.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off
DECLARE
    relation pg_class;
    -- With whose rights the triggers will read the table: those of whoever owns our functions.
    reader CONSTANT oid := coalesce(
        (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'lead_protection'), CURRENT_USER::regrole::oid
    );
    wish record;
    found_column pg_attribute;
    found_type text;
    error_message text;
BEGIN
    SELECT c.* INTO relation FROM pg_class AS c WHERE c.oid = check_source.source;
    IF relation.oid IS NULL THEN
        RETURN QUERY SELECT 'problem', 'table', 'there is no such table', 'Check the name and its schema.';
        RETURN;
    END IF;

    -- The table.
    item := 'table';
    IF relation.relnamespace = to_regnamespace('lead_protection') THEN
        severity := 'problem';
        finding := format('%s is our own table', check_source.source);
        advice := 'Name the company''s table.';
    ELSIF relation.relkind NOT IN ('r', 'p') THEN
        severity := 'problem';
        finding := format('%s is a %s, on which triggers cannot see what a statement did', check_source.source, CASE relation.relkind
            WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'relation that is no table' END);
        advice := 'Name the table that it reads from, in this database.';
    ELSIF relation.relpersistence <> 'p' THEN
        severity := 'problem';
        finding := format('%s is a temporary or unlogged table: a crash empties it', check_source.source);
        advice := CASE relation.relpersistence
            WHEN 'u' THEN format('ALTER TABLE %s SET LOGGED', check_source.source)
            ELSE 'Name a permanent table.'
        END;
    ELSIF relation.relkind = 'p' OR relation.relispartition
        OR EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = relation.oid) THEN
        severity := 'warning';
        finding := format('%s has partitions or children, or is one', check_source.source);
        advice := 'Triggers see the statements that name this very table. What is written past it, by the name of a partition, is found by the nightly job.';
    ELSE
        severity := 'ok';
        finding := format('about %s rows', greatest(relation.reltuples::bigint, 0));
        advice := NULL;
    END IF;
    RETURN NEXT;
    IF severity = 'problem' THEN
        RETURN;
    END IF;

    -- Its columns.
    FOR wish IN
        SELECT w.* FROM jsonb_to_recordset(check_source.wanted)
            AS w (argument text, column_name text, type text, nulls text, time_zone text, sql text)
        WHERE w.column_name IS NOT NULL
    LOOP
        item := format('%s %s', wish.argument, wish.column_name);
        SELECT a.* INTO found_column
        FROM pg_attribute AS a
        WHERE a.attrelid = relation.oid AND a.attname = wish.column_name AND a.attnum > 0 AND NOT a.attisdropped;
        IF found_column.attname IS NULL THEN
            severity := 'problem';
            finding := 'there is no such column';
            advice := format('Give the right one as %s. There are: %s.', wish.argument, (
                SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
                FROM pg_attribute AS a
                WHERE a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped
            ));
            RETURN NEXT;
            CONTINUE;
        END IF;

        -- A domain is what it is made of.
        found_type := format_type(
            (
                SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
                FROM pg_type AS t
                WHERE t.oid = found_column.atttypid
            ), NULL
        );
        severity := 'ok';
        finding := found_type;
        advice := NULL;
        CASE
            WHEN wish.type IN ('number', 'lead') AND found_type NOT IN ('bigint', 'integer', 'smallint') THEN
                severity := 'problem';
                finding := format('%s is no integer', found_type);
                advice := CASE wish.type
                    WHEN 'lead' THEN 'It must be the number of the lead, as in the adopted table of leads.'
                    ELSE format(
                        'Leads have numbers: ALTER TABLE %s ADD COLUMN lead_number bigint GENERATED ALWAYS AS IDENTITY (rewrites the table under a lock), then CREATE UNIQUE INDEX CONCURRENTLY ON %s (lead_number), and give lead_number as %s.',
                        check_source.source, check_source.source, wish.argument
                    )
                END;
            WHEN wish.type = 'key' AND found_type NOT IN (
                'bigint', 'integer', 'smallint', 'text', 'character varying', 'uuid'
            ) THEN
                severity := 'problem';
                finding := format('%s cannot be a key here', found_type);
                advice := 'A key is an integer, a text or a uuid.';
            WHEN wish.type = 'user' AND found_type IN ('text', 'character varying', 'character', 'uuid') THEN
                finding := format('%s: each user gets a number, in lead_protection.adopted_users', found_type);
            WHEN wish.type = 'user' AND found_type NOT IN ('bigint', 'integer', 'smallint') THEN
                severity := 'problem';
                finding := format('%s cannot name a user', found_type);
                advice := 'A user is named by an integer, a text or a uuid.';
            WHEN wish.type = 'instant' AND found_type IN ('timestamp without time zone', 'date') THEN
                IF wish.time_zone IS NULL THEN
                    severity := 'problem';
                    finding := format('%s does not say which instant it is', found_type);
                    advice := 'Give time_zone: the zone in which these are local times, such as Europe/Berlin or UTC. Ask those who write them.';
                ELSE
                    severity := CASE found_type WHEN 'date' THEN 'warning' ELSE 'ok' END;
                    finding := format('%s, taken as local time of %s', found_type, wish.time_zone);
                    advice := CASE found_type WHEN 'date' THEN 'A day counts from its midnight: protections end at midnight, too.' END;
                END IF;
            WHEN wish.type = 'instant' AND found_type <> 'timestamp with time zone' THEN
                severity := 'problem';
                finding := format('%s is no instant', found_type);
                advice := 'It must be timestamptz, timestamp or date.';
            ELSE
                NULL;
        END CASE;
        RETURN NEXT;
        CONTINUE WHEN severity = 'problem';

        IF wish.nulls IS NOT NULL AND NOT found_column.attnotnull THEN
            severity := wish.nulls;
            finding := 'may be null';
            advice := CASE wish.argument
                WHEN 'user_column' THEN 'A row without a user cannot be protected for anybody: on_failure says whether such a write fails or waits in the queue. To find them: '
                ELSE 'A row without it cannot be taken over. To find them: '
            END || format('SELECT * FROM %s WHERE %I IS NULL', check_source.source, wish.column_name);
            RETURN NEXT;
        END IF;

        -- What tells rows apart must do so: an index that is unique, whole, valid, and on this column alone.
        IF wish.argument IN ('id_column', 'key_column') THEN
            IF EXISTS (
                SELECT
                FROM pg_index AS i
                WHERE i.indrelid = relation.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                    AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = found_column.attnum
            ) THEN
                severity := 'ok';
                finding := 'unique, by an index';
                advice := NULL;
            ELSE
                severity := 'problem';
                finding := 'no primary key or unique index: there may be duplicates, and each look-up reads the whole table';
                advice := format(
                    'Duplicates: SELECT %I, count(*) FROM %s GROUP BY 1 HAVING count(*) > 1. Without any: CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I)',
                    wish.column_name, check_source.source, check_source.source, wish.column_name
                );
            END IF;
            RETURN NEXT;
        END IF;
    END LOOP;

    -- The time zone, and what was given as SQL.
    FOR wish IN
        SELECT DISTINCT w.time_zone FROM jsonb_to_recordset(check_source.wanted) AS w (time_zone text)
        WHERE w.time_zone IS NOT NULL
            AND NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE lower(z.name) = lower(w.time_zone))
    LOOP
        RETURN QUERY SELECT 'problem', 'time_zone ' || wish.time_zone, 'is not in the time zone database',
            'Give a name such as Europe/Berlin: SELECT name FROM pg_timezone_names.';
    END LOOP;
    FOR wish IN
        SELECT w.* FROM jsonb_to_recordset(check_source.wanted)
            AS w (argument text, type text, sql text)
        WHERE w.sql IS NOT NULL
    LOOP
        item := wish.argument;
        BEGIN
            -- Planned, not run: no row is read.
            -- As a condition on one row of the table: no aggregates, no sets, no system columns.
            EXECUTE format(
                CASE wish.type
                    WHEN 'boolean' THEN 'EXPLAIN SELECT FROM (SELECT t.* FROM %2$s AS t) AS s WHERE CASE WHEN (%1$s) THEN true END'
                    ELSE 'EXPLAIN SELECT FROM (SELECT t.* FROM %2$s AS t) AS s WHERE CASE WHEN (%1$s)::text = '''' THEN true END'
                END, wish.sql, check_source.source
            );
            severity := 'ok';
            finding := wish.sql;
            advice := NULL;
        EXCEPTION
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS error_message = MESSAGE_TEXT;
                severity := 'problem';
                finding := format('%s: %s', wish.sql, error_message);
                advice := format('It must be SQL of type %s over the columns of the table; functions and operators that are not PostgreSQL''s own with their schema.', wish.type);
        END;
        RETURN NEXT;
    END LOOP;

    -- The rights of those who will read it.
    item := format('rights of %s', reader::regrole);
    severity := 'problem';
    IF NOT has_schema_privilege(reader, relation.relnamespace, 'USAGE') THEN
        finding := format('no USAGE on schema %s', relation.relnamespace::regnamespace);
        advice := format('GRANT USAGE ON SCHEMA %s TO %s', relation.relnamespace::regnamespace, reader::regrole);
        RETURN NEXT;
    END IF;
    IF NOT has_table_privilege(reader, relation.oid, 'SELECT') THEN
        finding := 'no SELECT on the table';
        advice := format('GRANT SELECT ON %s TO %s', check_source.source, reader::regrole);
        RETURN NEXT;
    END IF;
    IF NOT has_table_privilege(reader, relation.oid, 'TRIGGER') THEN
        -- Who only imports from it needs no trigger.
        severity := CASE WHEN jsonb_path_exists(check_source.wanted, '$[*] ? (@.argument == "id_column" || @.argument == "key_column")')
            THEN 'problem' ELSE 'ok' END;
        finding := 'no TRIGGER on the table';
        advice := format('GRANT TRIGGER ON %s TO %s; it can be taken back once the table is adopted', check_source.source, reader::regrole);
        RETURN NEXT;
    END IF;
    IF lead_protection.hides_rows(relation.oid, reader) THEN
        severity := 'problem';
        finding := 'row level security may hide rows from it';
        advice := format(
            'Give it a policy that shows all rows: CREATE POLICY lead_protection_reads ON %s FOR SELECT TO %s USING (true)',
            check_source.source, reader::regrole
        );
        RETURN NEXT;
    END IF;
    IF EXISTS (SELECT FROM pg_subscription_rel AS r WHERE r.srrelid = relation.oid) THEN
        RETURN QUERY SELECT 'warning', 'logical replication', 'the table is filled by a subscription, which fires no ordinary triggers',
            format('Adopt it, then as the owner of the table, for each trigger that \d %s shows of ours: ALTER TABLE %s ENABLE ALWAYS TRIGGER …', check_source.source, check_source.source);
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_source(regclass, jsonb) IS
'What check_lead_source() and its like have in common. Reads catalogs only; changes nothing. wanted: an array of '
'objects, one for each argument: argument (its name), column_name and type (number, lead, key, user, instant, text), '
'nulls (severity of a column that may be null), time_zone; or sql and type. Internal.';
