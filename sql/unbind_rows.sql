-- What apply does before it migrates: a function in the standard form (RETURN …, BEGIN ATOMIC … END) that uses the row
-- of one of our tables becomes the same function with its body as a string. PostgreSQL 17 refuses to add a column with
-- a default to such a table, and so would refuse a migration. The code answers as it did, so triggers work on
-- meanwhile; the load that follows binds the bodies again.
DO $unbind$
DECLARE
    definition text;
    body text;
BEGIN
    FOR definition, body IN
        SELECT pg_catalog.pg_get_functiondef(p.oid), pg_catalog.pg_get_function_sqlbody(p.oid)
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = pg_catalog.to_regnamespace('lead_protection')
          AND p.prosqlbody IS NOT NULL
          -- Takes it, returns it, or makes one.
          AND EXISTS (
              SELECT FROM pg_catalog.pg_depend AS d
              JOIN pg_catalog.pg_type AS t ON t.oid = d.refobjid
              LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem
              JOIN pg_catalog.pg_class AS c ON c.oid IN (t.typrelid, e.typrelid)
              WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
                AND d.refclassid = 'pg_catalog.pg_type'::regclass AND c.relkind IN ('r', 'p')
          )
    LOOP
        EXECUTE pg_catalog.replace(
            definition,
            body,
            'AS ' || pg_catalog.quote_literal(
                CASE
                    WHEN body LIKE 'RETURN %' THEN pg_catalog.regexp_replace(body, '^RETURN ', 'SELECT ')
                    ELSE pg_catalog.regexp_replace(body, '^BEGIN ATOMIC(.*)END$', '\1')
                END
            )
        );
    END LOOP;
END
$unbind$;
