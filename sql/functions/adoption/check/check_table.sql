CREATE OR REPLACE FUNCTION lead_protection.check_table(source regclass, is_followed boolean)
RETURNS TABLE (severity text, finding text, advice text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation pg_class;
BEGIN
    SELECT c.* INTO relation FROM pg_class AS c WHERE c.oid = check_table.source;
    severity := 'problem';
    IF relation.oid IS NULL THEN
        finding := 'there is no such table';
        advice := 'Check the name and its schema.';
    ELSIF relation.relnamespace = to_regnamespace('lead_protection') THEN
        finding := format('%s is our own table', check_table.source);
        advice := 'Name the company''s table.';
    ELSIF relation.relkind NOT IN ('r', 'p') AND (
        check_table.is_followed OR relation.relkind NOT IN ('v', 'm', 'f')
    ) THEN
        finding := format(
            '%s is a %s, on which triggers cannot see what a statement did', check_table.source,
            CASE relation.relkind
                WHEN 'v' THEN 'view'
                WHEN 'm' THEN 'materialized view'
                WHEN 'f' THEN 'foreign table'
                ELSE 'relation that is no table'
            END
        );
        advice := 'Name the table that it reads from, in this database.';
    ELSIF check_table.is_followed AND relation.relpersistence <> 'p' THEN
        finding := format('%s is a temporary or unlogged table: a crash empties it', check_table.source);
        advice := CASE relation.relpersistence
            WHEN 'u' THEN format('ALTER TABLE %s SET LOGGED', check_table.source)
            ELSE 'Name a permanent table.'
        END;
    ELSE
        severity := 'ok';
        finding := CASE WHEN relation.reltuples >= 0 THEN format('about %s rows', relation.reltuples::bigint)
            ELSE 'how many rows it has, nobody has counted: ANALYZE tells'
        END;
    END IF;
    RETURN NEXT;
    IF severity = 'problem' OR NOT check_table.is_followed THEN
        RETURN;
    END IF;

    severity := 'warning';
    IF
        relation.relkind = 'p' OR relation.relispartition
        OR EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = relation.oid)
    THEN
        finding := format('%s has partitions or children, or is one', check_table.source);
        advice := 'Triggers see the statements that name this very table. What is written past it, by the name of a '
            'partition, is found by the nightly job.';
        RETURN NEXT;
    END IF;
    IF EXISTS (SELECT FROM pg_subscription_rel AS r WHERE r.srrelid = relation.oid) THEN
        finding := 'the table is filled by a subscription, which fires no ordinary triggers';
        advice := format(
            'Adopt it, then as the owner of the table, for each trigger that \d %s shows of ours: '
            'ALTER TABLE %s ENABLE ALWAYS TRIGGER …', check_table.source, check_table.source
        );
        RETURN NEXT;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_table(regclass, boolean) IS
'Whether a relation can be read as a table of the company''s own, or (is_followed) followed. Rows of severity, finding '
'and advice, as check_source() gives them. Needs nothing else of this schema. Internal.';
