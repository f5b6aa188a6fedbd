CREATE OR REPLACE FUNCTION lead_protection.require_readable_source(adoption lead_protection.adoptions)
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacle text;
    advice text;
BEGIN
    SELECT
        CASE
            WHEN c.oid IS NULL THEN 'there is no such table'
            -- Its name may lead to something else by now, which must not be read in its place.
            WHEN NOT EXISTS (
                SELECT
                FROM lead_protection.adopted_tables() AS t
                WHERE t.relation = c.oid AND t.adoption_id = require_readable_source.adoption.id
            ) THEN 'our triggers are not on it'
            WHEN security.hides THEN 'row level security hides rows from ' || security.reader
        END,
        CASE
            WHEN security.hides THEN format(
                'CREATE POLICY lead_protection_reads ON %s FOR SELECT TO %s USING (true).',
                require_readable_source.adoption.source, security.reader
            )
            ELSE format(
                'Disown it and adopt the right one: CALL lead_protection.disown_source(%L).',
                require_readable_source.adoption.source
            )
        END
    INTO obstacle, advice
    FROM (SELECT to_regclass(require_readable_source.adoption.source)) AS s (source)
    LEFT JOIN pg_class AS c ON s.source = c.oid
    CROSS JOIN LATERAL (
        SELECT r.reader::regrole AS reader, lead_protection.hides_rows(c.oid, r.reader) AS hides
        FROM (SELECT lead_protection.adopted_reader() AS reader) AS r
    ) AS security;
    IF obstacle IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be followed any more', require_readable_source.adoption.source
            USING ERRCODE = 'LP054',
            DETAIL = format(
                'It was adopted, and %s. A row that cannot be seen must not be taken for one that is gone.', obstacle
            ),
            HINT = advice;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_readable_source(lead_protection.adoptions) IS
'Refuses to follow a table (LP054) that is not there, is not the adopted one, or of which not all rows can be seen. '
'Internal.';
