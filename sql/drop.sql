-- Drops the code of schema lead_protection: every view, function and procedure, and the triggers.
-- The data stays: tables, their types, sequences. `lead-protection rollback` runs this first, apply loads the
-- code again.
--
-- Without CASCADE: a report or a constraint of somebody else that is built on a view or function of ours is
-- not swept away, it stops the drop and is named.
DO $drop$
DECLARE
    command text;
    dropped integer;
    obstacle text;
    obstacles text[];
BEGIN
    FOR command IN
        SELECT pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
        FROM pg_catalog.pg_trigger AS t
        JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
        WHERE c.relnamespace = pg_catalog.to_regnamespace('lead_protection')
          AND NOT t.tgisinternal
          AND t.tgparentid = 0
    LOOP
        EXECUTE command;
    END LOOP;

    -- Round by round what nothing depends on any more, until nothing is left: the order follows by itself.
    LOOP
        dropped := 0;
        obstacles := '{}';
        FOR command IN
            SELECT pg_catalog.format(
                'DROP %s %s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, c.oid::regclass
            )
            FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = pg_catalog.to_regnamespace('lead_protection')
              AND c.relkind IN ('v', 'm')
            UNION ALL
            SELECT pg_catalog.format('DROP ROUTINE %s', p.oid::regprocedure)
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = pg_catalog.to_regnamespace('lead_protection')
        LOOP
            BEGIN
                EXECUTE command;
                dropped := dropped + 1;
            EXCEPTION WHEN dependent_objects_still_exist THEN
                GET STACKED DIAGNOSTICS obstacle = PG_EXCEPTION_DETAIL;
                obstacles := obstacles || obstacle;
            END;
        END LOOP;
        EXIT WHEN obstacles = '{}';
        IF dropped = 0 THEN
            RAISE dependent_objects_still_exist USING
                MESSAGE = 'the code of lead_protection cannot be dropped: other objects are built on it',
                DETAIL = pg_catalog.array_to_string(obstacles, E'\n'),
                HINT = 'Drop these objects first, or rebuild them afterwards.';
        END IF;
    END LOOP;
END
$drop$;
