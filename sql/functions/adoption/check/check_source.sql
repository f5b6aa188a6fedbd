-- Needs nothing of this schema but what stands beside it and column_type(): `lead-protection check` runs them where
-- nothing is installed yet.
CREATE OR REPLACE FUNCTION lead_protection.check_source(
    source regclass, kind text DEFAULT 'leads', mapping jsonb DEFAULT '{}'
)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- The arguments of each call in the order of the findings: what they name (a column of that type, a time zone, or
    -- SQL of that type), their defaults, and how bad it is that the column may be null. json keeps the order.
    wanted CONSTANT json := '{
        "leads": {
            "id_column":           {"type": "key",       "default": "id",          "nulls": "problem"},
            "user_column":         {"type": "user",      "default": "user_id",     "nulls": "ok"},
            "start_column":        {"type": "instant",   "default": "created_at",  "nulls": "warning"},
            "start_is_assignment": {"type": "flag",      "default": "false"},
            "closed_at_column":    {"type": "instant"},
            "time_zone":           {"type": "time zone"},
            "converted_when":      {"type": "boolean"},
            "lost_when":           {"type": "boolean"},
            "deleted_when":        {"type": "boolean"},
            "rows_when":           {"type": "boolean"},
            "nobody_when":         {"type": "boolean"},
            "policy":              {"type": "text"},
            "owner_source":        {"type": "owners"},
            "owner_lead_column":   {"type": "owner key",  "default": "lead_id"},
            "owner_user_column":   {"type": "owner user", "default": "user_id"}
        },
        "activities": {
            "key_column":       {"type": "key",       "default": "id",          "nulls": "problem"},
            "lead_column":      {"type": "lead",      "default": "lead_id"},
            "user_column":      {"type": "user",      "default": "user_id",     "nulls": "warning"},
            "occurred_column":  {"type": "instant",   "default": "occurred_at", "nulls": "warning"},
            "time_zone":        {"type": "time zone"},
            "kind":             {"type": "text",      "default": "kind"},
            "rows_when":        {"type": "boolean"},
            "leads":            {"type": "name"}
        },
        "holds": {
            "key_column":       {"type": "key",       "default": "id",          "nulls": "problem"},
            "lead_column":      {"type": "lead",      "default": "lead_id",     "nulls": "warning"},
            "start_column":     {"type": "instant",   "default": "start_at",    "nulls": "ok"},
            "end_column":       {"type": "instant",   "default": "end_at"},
            "user_column":      {"type": "user"},
            "time_zone":        {"type": "time zone"},
            "reason":           {"type": "text",      "default": "reason"},
            "rows_when":        {"type": "boolean"},
            "leads":            {"type": "name"}
        },
        "reminders": {
            "lead_column":      {"type": "lead",      "default": "lead_id",     "nulls": "warning"},
            "sent_column":      {"type": "instant",   "default": "sent_at",     "nulls": "warning"},
            "user_column":      {"type": "user"},
            "time_zone":        {"type": "time zone"},
            "leads":            {"type": "name"}
        }
    }'::json -> check_source.kind;
    unknown CONSTANT text := (
        SELECT string_agg(g.name, ', ' ORDER BY g.name)
        FROM jsonb_object_keys(check_source.mapping) AS g (name)
        WHERE g.name NOT IN (SELECT json_object_keys(wanted))
    );
    -- With whose rights the table is read: those of whoever owns our functions.
    reader CONSTANT oid := coalesce(
        (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'lead_protection'), CURRENT_USER::regrole::oid
    );
    owners CONSTANT regclass := to_regclass(check_source.mapping ->> 'owner_source');
    -- Holds with a key are followed, those without are imported.
    is_followed CONSTANT boolean := check_source.kind IN ('leads', 'activities')
    OR (
        check_source.kind = 'holds'
        AND CASE WHEN check_source.mapping ? 'key_column'
            THEN check_source.mapping ->> 'key_column' IS NOT NULL
            ELSE lead_protection.column_type(check_source.source, 'id') IS NOT NULL
        END
    );
    argument record;
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
            HINT = 'Names are those of the arguments of adopt_leads() and its like.';
    END IF;
    RETURN QUERY
    SELECT t.severity, 'table', t.finding, t.advice FROM lead_protection.check_table(check_source.source, is_followed) AS t;
    IF EXISTS (
        SELECT FROM lead_protection.check_table(check_source.source, is_followed) AS t WHERE t.severity = 'problem'
    ) THEN
        RETURN;
    END IF;

    -- Without the rights nothing else can be told: they come first, and alone.
    RETURN QUERY
    SELECT r.severity, format('rights of %s', reader::regrole), r.finding, r.advice
    FROM (VALUES (check_source.source), (owners)) AS s (source)
    CROSS JOIN LATERAL lead_protection.check_rights(s.source, reader, is_followed) AS r
    WHERE s.source IS NOT NULL;
    IF FOUND THEN
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
        CONTINUE WHEN argument.given IS NULL OR argument.type IN ('flag', 'name')
            -- Owners in a table of their own.
            OR (owners IS NOT NULL AND argument.type = 'user')
            OR (check_source.mapping ->> 'owner_source' IS NULL AND argument.type LIKE 'owner %')
            OR (argument.type = 'key' AND NOT is_followed);
        IF argument.type = 'time zone' THEN
            IF NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE lower(z.name) = lower(argument.given)) THEN
                RETURN QUERY SELECT
                    'problem', 'time_zone ' || argument.given, 'is not in the time zone database',
                    'Give a name such as Europe/Berlin: SELECT name FROM pg_timezone_names.';
            END IF;
        ELSIF argument.type = 'owners' THEN
            RETURN QUERY
            SELECT o.severity, 'owner_source ' || argument.given, o.finding, o.advice
            FROM lead_protection.check_table(owners, true) AS o;
        ELSIF argument.type IN ('boolean', 'text') THEN
            RETURN QUERY
            SELECT c.severity, argument.name, c.finding, c.advice
            FROM lead_protection.check_sql(
                CASE WHEN argument.name = 'nobody_when' AND owners IS NOT NULL THEN owners ELSE check_source.source END,
                argument.given, argument.type
            ) AS c;
        ELSE
            RETURN QUERY
            SELECT c.severity, format('%s %s', argument.name, argument.given), c.finding, c.advice
            FROM lead_protection.check_column(
                CASE WHEN argument.type LIKE 'owner %' THEN owners ELSE check_source.source END, argument.given,
                replace(argument.type, 'owner ', ''), argument.nulls, check_source.mapping ->> 'time_zone'
            ) AS c;
        END IF;
    END LOOP;

    IF check_source.kind = 'holds' AND NOT is_followed THEN
        RETURN QUERY SELECT
            'warning', 'key', 'nothing tells its rows apart', 'import_holds() can take it once; adopt_holds() wants key_column.';
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
'(adopt_activities()), holds (adopt_holds(), or import_holds(), with key_column null) or reminders '
'(import_reminders()). mapping: those arguments of that call that say how a row is read and differ from their '
'defaults, by their names, such as {"user_column": "owner_id"}; a null that is given is no default.
A row for each finding: severity ok, warning (the call goes on) or problem (it refuses), item, finding, advice: what '
'to do. If a right is missing, that is all it tells. Reads catalogs only, runs no code of the company''s and changes '
'nothing; `lead-protection check` does the same where nothing is installed yet. Error: LP055 there is no such kind, or '
'it has no such argument.';
