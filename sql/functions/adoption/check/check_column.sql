CREATE OR REPLACE FUNCTION lead_protection.check_column(
    source regclass, column_name text, wanted text, nulls text, time_zone text
)
RETURNS TABLE (severity text, finding text, advice text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    numbers CONSTANT text [] := ARRAY['bigint', 'integer', 'smallint'];
    texts CONSTANT text [] := ARRAY['text', 'character varying', 'bpchar', 'uuid'];
    found_type CONSTANT text := lead_protection.column_type(check_column.source, check_column.column_name);
    found_column pg_attribute;
BEGIN
    SELECT a.* INTO found_column
    FROM pg_attribute AS a
    WHERE
        a.attrelid = check_column.source AND a.attname = check_column.column_name AND a.attnum > 0
        AND NOT a.attisdropped;
    IF found_type IS NULL THEN
        RETURN QUERY SELECT 'problem', 'there is no such column', format('Give the right one. There are: %s.%s', (
            SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = check_column.source AND a.attnum > 0 AND NOT a.attisdropped
        ), CASE check_column.wanted WHEN 'user' THEN ' Owners in another table: give owner_source.' END);
        RETURN;
    END IF;

    severity := 'ok';
    finding := found_type;
    CASE
        WHEN check_column.wanted IN ('key', 'lead', 'owner key') AND found_type <> ALL(numbers || texts) THEN
            severity := 'problem';
            finding := format('%s cannot be a key here', found_type);
            advice := 'A key is an integer, a text or a uuid.';
        WHEN check_column.wanted = 'user' AND found_type = ANY(texts) THEN
            finding := format('%s: each user gets a number, in lead_protection.adopted_users', found_type);
        WHEN check_column.wanted = 'user' AND found_type <> ALL(numbers) THEN
            severity := 'problem';
            finding := format('%s cannot name a user', found_type);
            advice := 'A user is named by an integer, a text or a uuid.';
        WHEN check_column.wanted = 'instant' AND found_type IN ('timestamp without time zone', 'date') THEN
            IF check_column.time_zone IS NULL THEN
                severity := 'problem';
                finding := format('%s does not say which instant it is', found_type);
                advice := 'Give time_zone: the zone in which these are local times, such as Europe/Berlin or UTC. '
                    'Ask those who write them.';
            ELSE
                severity := CASE found_type WHEN 'date' THEN 'warning' ELSE 'ok' END;
                finding := format('%s, taken as local time of %s', found_type, check_column.time_zone);
                advice := CASE found_type
                    WHEN 'date' THEN 'A day counts from its midnight: protections end at midnight, too.'
                END;
            END IF;
        WHEN check_column.wanted = 'instant' AND found_type <> 'timestamp with time zone' THEN
            severity := 'problem';
            finding := format('%s is no instant', found_type);
            advice := 'It must be timestamptz, timestamp or date.';
        ELSE
            NULL;
    END CASE;
    RETURN NEXT;
    IF severity = 'problem' THEN
        RETURN;
    END IF;

    IF check_column.nulls IS NOT NULL AND NOT found_column.attnotnull THEN
        severity := check_column.nulls;
        finding := 'may be null';
        advice := CASE
            WHEN check_column.wanted = 'user' AND check_column.nulls = 'ok' THEN 'A row without a user is nobody''s lead: '
            ELSE 'A row without it cannot be followed, and waits with that reason. To find them: '
        END || format('SELECT * FROM %s WHERE %I IS NULL', check_column.source, check_column.column_name);
        RETURN NEXT;
    END IF;

    -- What tells rows apart must do so: an index that is unique, whole, valid, and on this column alone.
    IF check_column.wanted = 'key' THEN
        severity := 'ok';
        finding := 'unique, by an index';
        advice := NULL;
        IF NOT EXISTS (
            SELECT
            FROM pg_index AS i
            WHERE i.indrelid = check_column.source AND i.indisunique AND i.indisvalid AND i.indimmediate
                AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = found_column.attnum
        ) THEN
            severity := 'problem';
            finding := 'no primary key or unique index: there may be duplicates, and each look-up reads the whole table';
            advice := format(
                'Duplicates: SELECT %I, count(*) FROM %s GROUP BY 1 HAVING count(*) > 1. '
                'Without any: CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I)',
                check_column.column_name, check_column.source, check_column.source, check_column.column_name
            );
        END IF;
        RETURN NEXT;
    END IF;

    IF check_column.wanted = 'owner key' THEN
        severity := 'ok';
        finding := 'has an index';
        advice := NULL;
        IF NOT EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = check_column.source AND i.indisvalid AND i.indpred IS NULL
                AND i.indkey[0] = found_column.attnum
        ) THEN
            severity := 'warning';
            finding := 'no index: to find the owner of a lead, the whole table is read each time';
            advice := format(
                'CREATE INDEX CONCURRENTLY ON %s (%I)', check_column.source, check_column.column_name
            );
        END IF;
        RETURN NEXT;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_column(regclass, text, text, text, text) IS
'Whether a column can be taken as what is wanted: key, lead, owner key, user or instant; nulls: how bad it is that it '
'may be null. Rows of severity, finding and advice, as check_source() gives them. Needs column_type() only. Internal.';
