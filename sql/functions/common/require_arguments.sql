CREATE OR REPLACE FUNCTION lead_protection.require_arguments(arguments jsonb)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text;
BEGIN
    -- Every call of the API comes by here, and hardly any gives a null: a query is for those.
    IF jsonb_strip_nulls(require_arguments.arguments) = require_arguments.arguments THEN
        RETURN;
    END IF;
    SELECT string_agg(a.key, ', ' ORDER BY a.key) INTO missing
    FROM jsonb_each(require_arguments.arguments) AS a
    WHERE a.value = 'null';
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'null given for %', missing
            USING ERRCODE = 'LP001',
            DETAIL = format('All of these must be given: %s.', (
                SELECT string_agg(a.key, ', ' ORDER BY a.key) FROM jsonb_each(require_arguments.arguments) AS a
            )),
            HINT = 'Give all of them: \df shows the names and their order.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_arguments(jsonb) IS
'Refuses null arguments (LP001). arguments: an object of the arguments that must be given, by name. Internal.';
