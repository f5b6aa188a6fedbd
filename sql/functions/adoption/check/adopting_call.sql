CREATE OR REPLACE FUNCTION lead_protection.adopting_call(source regclass, kind text, mapping jsonb)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT format(
    CASE
        WHEN adopting_call.kind = 'reminders' THEN 'SELECT * FROM lead_protection.import_reminders(%s)'
        WHEN adopting_call.kind = 'holds' AND adopting_call.mapping ->> 'key_column' IS NULL
            THEN 'SELECT * FROM lead_protection.import_holds(%s)'
        ELSE 'CALL lead_protection.adopt_' || adopting_call.kind || '(%s)'
    END,
    concat_ws(
        ', ', quote_literal(adopting_call.source::text),
        -- Who answers for it, the caller knows: without that it is refused.
        CASE WHEN adopting_call.kind <> 'reminders' THEN 'actor_id => NULL' END,
        string_agg(
            format(
                '%I => %s', a.name,
                CASE
                    WHEN adopting_call.mapping ->> a.name IS NULL THEN 'NULL'
                    WHEN a.type = 'flag' THEN adopting_call.mapping ->> a.name
                    ELSE quote_literal(adopting_call.mapping ->> a.name)
                END
            ), ', ' ORDER BY a.nth
        ) FILTER (
            WHERE adopting_call.mapping ? a.name AND adopting_call.mapping ->> a.name IS DISTINCT FROM a.default_value
                -- Holds without a key are imported, by a function that has no such argument.
                AND NOT (a.name = 'key_column' AND adopting_call.mapping ->> a.name IS NULL)
        )
    )
)
FROM lead_protection.source_arguments(adopting_call.kind) AS a
$$;

COMMENT ON FUNCTION lead_protection.adopting_call(regclass, text, jsonb) IS
'The call that takes a table so, with the arguments that differ from their defaults; who answers for it is left to '
'fill in. Needs source_arguments() only. Internal.';
