CREATE OR REPLACE FUNCTION lead_protection.check_activity_source(
    source regclass,
    key_column name DEFAULT 'id',
    lead_column name DEFAULT 'lead_id',
    user_column name DEFAULT 'user_id',
    occurred_column name DEFAULT 'occurred_at',
    kind text DEFAULT 'kind',
    time_zone text DEFAULT NULL
)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
SELECT c.severity, c.item, c.finding, c.advice
FROM lead_protection.check_source(
    check_activity_source.source,
    jsonb_build_array(
        jsonb_build_object('argument', 'key_column', 'column_name', key_column, 'type', 'key', 'nulls', 'problem'),
        jsonb_build_object('argument', 'lead_column', 'column_name', lead_column, 'type', 'lead'),
        jsonb_build_object('argument', 'user_column', 'column_name', user_column, 'type', 'user', 'nulls', 'warning'),
        jsonb_build_object(
            'argument', 'occurred_column', 'column_name', occurred_column, 'type', 'instant', 'nulls', 'warning',
            'time_zone', time_zone
        ),
        jsonb_build_object('argument', 'kind', 'sql', kind, 'type', 'text')
    )
) AS c
$$;

COMMENT ON FUNCTION lead_protection.check_activity_source(regclass, name, name, name, name, text, text) IS
'Whether a table of the company''s own can be adopted as activities: the arguments are those of adopt_activities(). A '
'row for each finding, as check_lead_source() gives them. Reads catalogs only and changes nothing.';
