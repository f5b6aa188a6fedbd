-- Inlined, so that who asks for one table reads the triggers of that table alone.
CREATE OR REPLACE FUNCTION lead_protection.adopted_tables()
RETURNS TABLE (
    adoption_id bigint, adopted_at text, relation oid, source text, trigger_name name, enabled boolean
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        -- Of no other trigger, whose arguments may be anything.
        CASE
            WHEN starts_with(p.proname, 'follow_adopted_source')
                THEN split_part(encode(t.tgargs, 'escape'), '\000', 1)::bigint
        END AS adoption_id,
        split_part(encode(t.tgargs, 'escape'), '\000', 2) AS adopted_at,
        t.tgrelid AS relation,
        format('%I.%I', n.nspname, c.relname) AS source,
        t.tgname AS trigger_name,
        t.tgenabled IN ('O', 'A') AS enabled
    FROM pg_trigger AS t
    INNER JOIN pg_class AS c ON t.tgrelid = c.oid
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    INNER JOIN pg_proc AS p ON t.tgfoid = p.oid
    WHERE
        p.pronamespace = to_regnamespace('lead_protection') AND starts_with(p.proname, 'follow_adopted_source')
        AND t.tgparentid = 0;
END;

COMMENT ON FUNCTION lead_protection.adopted_tables() IS
'The triggers that note what is written to adopted tables, a row for each: of which adoption, made when (adopted_at, '
'Unix time), on which table by its OID and its name of now, whether it is enabled. From the catalog. Internal.';
