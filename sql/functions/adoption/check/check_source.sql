-- Needs nothing of this schema but what stands beside it and column_type(): `lead-protection check` runs them where
-- nothing is installed yet.
CREATE OR REPLACE FUNCTION lead_protection.check_source(
    source regclass, kind text DEFAULT 'leads', mapping jsonb DEFAULT '{}'
)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown CONSTANT text := (
        SELECT string_agg(g.name, ', ' ORDER BY g.name)
        FROM jsonb_object_keys(check_source.mapping) AS g (name)
        WHERE g.name NOT IN (SELECT a.name FROM lead_protection.source_arguments(check_source.kind) AS a)
    );
    whole CONSTANT jsonb := lead_protection.guess_mapping(
        check_source.source, check_source.kind, check_source.mapping
    );
    schema_owner CONSTANT oid := coalesce(
        (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'lead_protection'), CURRENT_USER::regrole::oid
    );
    -- With whose rights the table is read, see adopted_reader().
    reader CONSTANT oid := coalesce(
        (SELECT p.proowner FROM pg_proc AS p WHERE p.oid = to_regproc('lead_protection.run_adopted_sql')), schema_owner
    );
    owners CONSTANT regclass := to_regclass(check_source.mapping ->> 'owner_source');
    -- Holds with a key are followed, those without are imported.
    is_followed CONSTANT boolean := check_source.kind IN ('leads', 'activities')
    OR (check_source.kind = 'holds' AND whole ->> 'key_column' IS NOT NULL);
    argument record;
    is_fit boolean := true;
BEGIN
    IF NOT EXISTS (SELECT FROM lead_protection.source_arguments(check_source.kind)) THEN
        RAISE EXCEPTION 'a table cannot be taken as %', coalesce(check_source.kind, 'null')
            USING ERRCODE = 'LP055',
            DETAIL = 'kind says what its rows are to become here.',
            HINT = 'Give leads, activities, holds or reminders.';
    END IF;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'a table of % has no %; there are: %',
            check_source.kind, unknown, (
                SELECT string_agg(a.name, ', ' ORDER BY a.nth)
                FROM lead_protection.source_arguments(check_source.kind) AS a
            )
            USING ERRCODE = 'LP055',
            DETAIL = format('Given: %s.', check_source.mapping),
            HINT = 'Names are those of the arguments of adopt_leads() and its like.';
    END IF;
    RETURN QUERY
    SELECT t.severity, 'table', t.finding, t.advice
    FROM lead_protection.check_table(check_source.source, is_followed) AS t;
    IF EXISTS (
        SELECT FROM lead_protection.check_table(check_source.source, is_followed) AS t WHERE t.severity = 'problem'
    ) THEN
        RETURN;
    END IF;

    -- Without the rights nothing else can be told: they come first, and alone.
    RETURN QUERY
    SELECT r.severity, 'rights', r.finding, r.advice
    FROM (VALUES (check_source.source), (owners)) AS s (source)
    CROSS JOIN LATERAL lead_protection.check_rights(s.source, reader, schema_owner, is_followed) AS r
    WHERE s.source IS NOT NULL;
    IF FOUND THEN
        RETURN;
    END IF;

    FOR argument IN
        SELECT
            a.*,
            -- A null that is given is no default.
            CASE WHEN whole ? a.name THEN whole ->> a.name ELSE a.default_value END AS given,
            CASE WHEN whole ? a.name AND NOT check_source.mapping ? a.name THEN 'guessed: ' ELSE '' END AS guessed
        FROM lead_protection.source_arguments(check_source.kind) AS a
        ORDER BY a.nth
    LOOP
        CONTINUE WHEN argument.given IS NULL OR argument.type IN ('flag', 'name')
            -- Owners in a table of their own.
            OR (owners IS NOT NULL AND argument.type = 'user')
            OR (whole ->> 'owner_source' IS NULL AND argument.type LIKE 'owner %');
        FOR severity, item, finding, advice IN
            SELECT
                'problem', 'time_zone ' || argument.given, 'is not in the time zone database',
                'Give a name such as Europe/Berlin: SELECT name FROM pg_timezone_names.'
            WHERE argument.type = 'time zone'
                AND NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE lower(z.name) = lower(argument.given))
            UNION ALL
            SELECT o.severity, 'owner_source ' || argument.given, o.finding, o.advice
            FROM lead_protection.check_table(owners, true) AS o
            WHERE argument.type = 'owners'
            UNION ALL
            SELECT c.severity, argument.name, argument.guessed || c.finding, c.advice
            FROM lead_protection.check_sql(
                CASE WHEN argument.name = 'nobody_when' AND owners IS NOT NULL THEN owners ELSE check_source.source END,
                argument.given, argument.type,
                CASE WHEN argument.name <> 'nobody_when' THEN owners END
            ) AS c
            WHERE argument.type IN ('boolean', 'text')
            UNION ALL
            SELECT c.severity, format('%s %s', argument.name, argument.given), argument.guessed || c.finding, c.advice
            FROM lead_protection.check_column(
                CASE
                    WHEN argument.type LIKE 'owner %' THEN owners
                    -- When a lead began may be known beside its owner.
                    WHEN argument.type = 'instant'
                        AND lead_protection.column_type(check_source.source, argument.given) IS NULL
                        AND lead_protection.column_type(owners, argument.given) IS NOT NULL
                        THEN owners
                    ELSE check_source.source
                END,
                argument.given, replace(argument.type, 'owner user', 'user'), argument.nulls, whole ->> 'time_zone'
            ) AS c
            WHERE argument.type IN ('key', 'lead', 'user', 'instant', 'owner key', 'owner user')
        LOOP
            is_fit := is_fit AND severity <> 'problem';
            RETURN NEXT;
        END LOOP;
    END LOOP;

    IF check_source.kind = 'holds' AND NOT is_followed THEN
        RETURN QUERY SELECT
            'warning', 'key', 'nothing tells its rows apart', 'import_holds() can take it once; adopt_holds() wants key_column.';
    END IF;
    IF check_source.kind = 'leads' AND coalesce(
        whole ->> 'converted_when', whole ->> 'lost_when', whole ->> 'deleted_when'
    ) IS NULL THEN
        RETURN QUERY SELECT
            'warning', 'closing', 'nothing says when a lead counts as closed: it would be reminded of and expire',
            'Give converted_when, lost_when or deleted_when, such as status = ''won''.';
    END IF;
    IF is_fit THEN
        RETURN QUERY
        SELECT
            'ok', 'call', lead_protection.adopting_call(check_source.source, check_source.kind, whole),
            'Look whether what was guessed is right'
            || CASE check_source.kind WHEN 'reminders' THEN '.' ELSE ', and put in who answers for it as actor_id.' END;
        RETURN QUERY
        SELECT 'ok', 'grant', g.statement, NULL
        FROM (VALUES (check_source.source), (owners)) AS s (source)
        INNER JOIN pg_class AS c ON s.source = c.oid
        CROSS JOIN LATERAL (
            VALUES
            (
                format(
                    'GRANT USAGE ON SCHEMA %s TO %s', c.relnamespace::regnamespace,
                    concat_ws(', ', schema_owner::regrole, nullif(reader, schema_owner)::regrole)
                )
            ),
            (format('GRANT SELECT ON %s TO %s', s.source, reader::regrole)),
            (CASE WHEN is_followed THEN format('GRANT TRIGGER ON %s TO %s', s.source, schema_owner::regrole) END)
        ) AS g (statement)
        WHERE g.statement IS NOT NULL;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_source(regclass, text, jsonb) IS
'Whether a table of the company''s own can be taken as it is, and how. kind: as what, leads (adopt_leads()), '
'activities (adopt_activities()), holds (adopt_holds(), or import_holds(), with key_column null) or reminders '
'(import_reminders()). mapping: those arguments of that call that say how a row is read, by their names, such as '
'{"user_column": "owner_id"}. One that is not given is guessed by the names of the columns, the primary key and the '
'values of a status, otherwise its default is taken; a null that is given is neither.
A row for each finding: severity ok, warning (the call goes on, and advice says what happens then) or problem (it '
'refuses), item, finding, advice: what to do. If a right is missing, that is all it tells. If there is no problem, '
'the last rows are the call, with what was guessed (item call), and the rights that the role needs which reads the '
'table (item grant). Reads catalogs only, runs no code of the company''s and changes nothing; `lead-protection check` '
'does the same where nothing is installed yet. Error: LP055 there is no such kind, or it has no such argument.';
