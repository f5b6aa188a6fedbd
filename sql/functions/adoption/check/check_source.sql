-- Needs nothing else of this schema but hides_rows(): `lead-protection check` runs both where nothing is installed yet.
CREATE OR REPLACE FUNCTION lead_protection.check_source(
    source regclass, kind text DEFAULT 'leads', mapping jsonb DEFAULT '{}'
)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
-- The SQL that it explains is the caller's own, with the caller's own rights. EXPLAIN wants it VOLATILE.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off
DECLARE
    -- The arguments of each call in the order of the findings: what they name (a column of that type, a time zone, or
    -- SQL of that type), their defaults, and how bad it is that the column may be null. json keeps the order.
    wanted CONSTANT json := '{
        "leads": {
            "id_column":        {"type": "number",    "default": "id",          "nulls": "problem"},
            "user_column":      {"type": "user",      "default": "user_id",     "nulls": "warning"},
            "start_column":     {"type": "instant",   "default": "created_at",  "nulls": "warning"},
            "closed_at_column": {"type": "instant"},
            "time_zone":        {"type": "time zone"},
            "converted_when":   {"type": "boolean"},
            "lost_when":        {"type": "boolean"},
            "deleted_when":     {"type": "boolean"}
        },
        "activities": {
            "key_column":       {"type": "key",       "default": "id",          "nulls": "problem"},
            "lead_column":      {"type": "lead",      "default": "lead_id"},
            "user_column":      {"type": "user",      "default": "user_id",     "nulls": "warning"},
            "occurred_column":  {"type": "instant",   "default": "occurred_at", "nulls": "warning"},
            "time_zone":        {"type": "time zone"},
            "kind":             {"type": "text",      "default": "kind"}
        },
        "holds": {
            "lead_column":      {"type": "lead",      "default": "lead_id",     "nulls": "warning"},
            "start_column":     {"type": "instant",   "default": "start_at",    "nulls": "warning"},
            "end_column":       {"type": "instant",   "default": "end_at"},
            "user_column":      {"type": "user"},
            "time_zone":        {"type": "time zone"},
            "reason":           {"type": "text",      "default": "reason"}
        },
        "reminders": {
            "lead_column":      {"type": "lead",      "default": "lead_id",     "nulls": "warning"},
            "sent_column":      {"type": "instant",   "default": "sent_at",     "nulls": "warning"},
            "user_column":      {"type": "user"},
            "time_zone":        {"type": "time zone"}
        }
    }'::json -> check_source.kind;
    unknown CONSTANT text := (
        SELECT string_agg(g.name, ', ' ORDER BY g.name)
        FROM jsonb_object_keys(check_source.mapping) AS g (name)
        WHERE g.name NOT IN (SELECT json_object_keys(wanted))
    );
    time_zone CONSTANT text := check_source.mapping ->> 'time_zone';
    relation pg_class;
    -- With whose rights the triggers will read the table: those of whoever owns our functions.
    reader CONSTANT oid := coalesce(
        (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'lead_protection'), CURRENT_USER::regrole::oid
    );
    argument record;
    found_column pg_attribute;
    found_type text;
    error_message text;
BEGIN
    IF wanted IS NULL THEN
        RAISE EXCEPTION 'a table cannot be taken as %', coalesce(check_source.kind, 'null')
            USING ERRCODE = 'LP055',
            DETAIL = 'kind says what its rows are to become here.',
            HINT = 'Give leads, activities, holds or reminders.';
    END IF;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'a table of % has no %; there are: %',
            check_source.kind, unknown, (SELECT string_agg(w.name, ', ') FROM json_object_keys(wanted) AS w (name))
            USING ERRCODE = 'LP055',
            DETAIL = format('Given: %s.', check_source.mapping),
            HINT = 'Names are those of the arguments of adopt_leads(), adopt_activities(), import_holds() '
            'and import_reminders().';
    END IF;
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
        finding := format(
            '%s is a %s, on which triggers cannot see what a statement did', check_source.source,
            CASE relation.relkind
                WHEN 'v' THEN 'view'
                WHEN 'm' THEN 'materialized view'
                WHEN 'f' THEN 'foreign table'
                ELSE 'relation that is no table'
            END
        );
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
        advice := 'Triggers see the statements that name this very table. What is written past it, by the name of a '
            'partition, is found by the nightly job.';
    ELSE
        severity := 'ok';
        finding := format('about %s rows', greatest(relation.reltuples::bigint, 0));
        advice := NULL;
    END IF;
    RETURN NEXT;
    IF severity = 'problem' THEN
        RETURN;
    END IF;

    FOR argument IN
        SELECT
            w.name,
            w.value ->> 'type' AS type,
            w.value ->> 'nulls' AS nulls,
            -- A null that is given is no default.
            CASE WHEN check_source.mapping ? w.name THEN check_source.mapping ->> w.name ELSE w.value ->> 'default' END
                AS given
        FROM json_each(wanted) WITH ORDINALITY AS w (name, value, nth)
        ORDER BY w.nth
    LOOP
        CONTINUE WHEN argument.given IS NULL;

        -- The time zone.
        IF argument.type = 'time zone' THEN
            IF NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE lower(z.name) = lower(argument.given)) THEN
                RETURN QUERY SELECT
                    'problem', 'time_zone ' || argument.given, 'is not in the time zone database',
                    'Give a name such as Europe/Berlin: SELECT name FROM pg_timezone_names.';
            END IF;
            CONTINUE;
        END IF;

        -- What was given as SQL.
        IF argument.type IN ('boolean', 'text') THEN
            item := argument.name;
            BEGIN
                -- Planned, not run: no row is read.
                -- As a condition on one row of the table: no aggregates, no sets, no system columns.
                EXECUTE format(
                    'EXPLAIN SELECT FROM (SELECT t.* FROM %2$s AS t) AS s WHERE CASE WHEN '
                    || CASE argument.type WHEN 'boolean' THEN '(%1$s)' ELSE '(%1$s)::text = ''''' END
                    || ' THEN true END',
                    argument.given, check_source.source
                );
                severity := 'ok';
                finding := argument.given;
                advice := NULL;
            EXCEPTION
                WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS error_message = MESSAGE_TEXT;
                    severity := 'problem';
                    finding := format('%s: %s', argument.given, error_message);
                    advice := format(
                        'It must be SQL of type %s over the columns of the table; functions and operators that are not '
                        'PostgreSQL''s own with their schema.', argument.type
                    );
            END;
            RETURN NEXT;
            CONTINUE;
        END IF;

        -- A column.
        item := format('%s %s', argument.name, argument.given);
        SELECT a.* INTO found_column
        FROM pg_attribute AS a
        WHERE a.attrelid = relation.oid AND a.attname = argument.given AND a.attnum > 0 AND NOT a.attisdropped;
        IF found_column.attname IS NULL THEN
            severity := 'problem';
            finding := 'there is no such column';
            advice := format('Give the right one as %s. There are: %s.', argument.name, (
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
            WHEN argument.type IN ('number', 'lead') AND found_type NOT IN ('bigint', 'integer', 'smallint') THEN
                severity := 'problem';
                finding := format('%s is no integer', found_type);
                advice := CASE argument.type
                    WHEN 'lead' THEN 'It must be the number of the lead, as in the adopted table of leads.'
                    ELSE format(
                        'Leads have numbers: ALTER TABLE %s ADD COLUMN lead_number bigint GENERATED ALWAYS AS IDENTITY '
                        '(rewrites the table under a lock), then CREATE UNIQUE INDEX CONCURRENTLY ON %s (lead_number), '
                        'and give lead_number as %s.',
                        check_source.source, check_source.source, argument.name
                    )
                END;
            WHEN argument.type = 'key' AND found_type NOT IN (
                'bigint', 'integer', 'smallint', 'text', 'character varying', 'uuid'
            ) THEN
                severity := 'problem';
                finding := format('%s cannot be a key here', found_type);
                advice := 'A key is an integer, a text or a uuid.';
            WHEN argument.type = 'user' AND found_type IN ('text', 'character varying', 'character', 'uuid') THEN
                finding := format('%s: each user gets a number, in lead_protection.adopted_users', found_type);
            WHEN argument.type = 'user' AND found_type NOT IN ('bigint', 'integer', 'smallint') THEN
                severity := 'problem';
                finding := format('%s cannot name a user', found_type);
                advice := 'A user is named by an integer, a text or a uuid.';
            WHEN argument.type = 'instant' AND found_type IN ('timestamp without time zone', 'date') THEN
                IF time_zone IS NULL THEN
                    severity := 'problem';
                    finding := format('%s does not say which instant it is', found_type);
                    advice := 'Give time_zone: the zone in which these are local times, such as Europe/Berlin or UTC. '
                        'Ask those who write them.';
                ELSE
                    severity := CASE found_type WHEN 'date' THEN 'warning' ELSE 'ok' END;
                    finding := format('%s, taken as local time of %s', found_type, time_zone);
                    advice := CASE found_type
                        WHEN 'date' THEN 'A day counts from its midnight: protections end at midnight, too.'
                    END;
                END IF;
            WHEN argument.type = 'instant' AND found_type <> 'timestamp with time zone' THEN
                severity := 'problem';
                finding := format('%s is no instant', found_type);
                advice := 'It must be timestamptz, timestamp or date.';
            ELSE
                NULL;
        END CASE;
        RETURN NEXT;
        CONTINUE WHEN severity = 'problem';

        IF argument.nulls IS NOT NULL AND NOT found_column.attnotnull THEN
            severity := argument.nulls;
            finding := 'may be null';
            advice := CASE argument.type
                WHEN 'user' THEN 'A row without a user cannot be protected for anybody: on_failure says whether such a '
                    'write fails or waits in the queue. To find them: '
                ELSE 'A row without it cannot be taken over. To find them: '
            END || format('SELECT * FROM %s WHERE %I IS NULL', check_source.source, argument.given);
            RETURN NEXT;
        END IF;

        -- What tells rows apart must do so: an index that is unique, whole, valid, and on this column alone.
        IF argument.type IN ('number', 'key') THEN
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
                finding := 'no primary key or unique index: there may be duplicates, and each look-up reads the whole '
                    'table';
                advice := format(
                    'Duplicates: SELECT %I, count(*) FROM %s GROUP BY 1 HAVING count(*) > 1. '
                    'Without any: CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I)',
                    argument.given, check_source.source, check_source.source, argument.given
                );
            END IF;
            RETURN NEXT;
        END IF;
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
        severity := CASE WHEN check_source.kind IN ('leads', 'activities') THEN 'problem' ELSE 'ok' END;
        finding := 'no TRIGGER on the table';
        advice := format(
            'GRANT TRIGGER ON %s TO %s; it can be taken back once the table is adopted', check_source.source,
            reader::regrole
        );
        RETURN NEXT;
    END IF;
    IF lead_protection.hides_rows(relation.oid, reader) THEN
        severity := 'problem';
        finding := 'row level security may hide rows from it';
        advice := format(
            'Give it a policy that shows all rows: CREATE POLICY lead_protection_reads ON %s FOR SELECT TO %s '
            'USING (true)',
            check_source.source, reader::regrole
        );
        RETURN NEXT;
    END IF;
    IF EXISTS (SELECT FROM pg_subscription_rel AS r WHERE r.srrelid = relation.oid) THEN
        RETURN QUERY SELECT
            'warning', 'logical replication',
            'the table is filled by a subscription, which fires no ordinary triggers',
            format(
                'Adopt it, then as the owner of the table, for each trigger that \d %s shows of ours: '
                'ALTER TABLE %s ENABLE ALWAYS TRIGGER …', check_source.source, check_source.source
            );
    END IF;
    IF check_source.kind = 'leads' AND coalesce(
        check_source.mapping ->> 'converted_when', check_source.mapping ->> 'lost_when',
        check_source.mapping ->> 'deleted_when'
    ) IS NULL THEN
        RETURN QUERY SELECT
            'warning', 'closing', 'nothing says when a lead counts as closed: it would be reminded of and expire',
            'Give converted_when, lost_when or deleted_when, such as status = ''won''.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_source(regclass, text, jsonb) IS
'Whether a table of the company''s own can be taken as it is. kind: as what, leads (adopt_leads()), activities '
'(adopt_activities()), holds (import_holds()) or reminders (import_reminders()). mapping: those arguments of that call '
'that say how a row is read and differ from their defaults, by their names, such as {"user_column": "owner_id"}; a '
'null that is given is no default.
A row for each finding: severity ok, warning (the call goes on) or problem (it refuses), item, finding, advice: what '
'to do. Reads catalogs only and changes nothing; `lead-protection check` does the same where nothing is installed yet. '
'Error: LP055 there is no such kind, or it has no such argument.';
