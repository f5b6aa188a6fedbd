CREATE OR REPLACE FUNCTION lead_protection.check_lead_source(
    source regclass,
    id_column name DEFAULT 'id',
    user_column name DEFAULT 'user_id',
    start_column name DEFAULT 'created_at',
    time_zone text DEFAULT NULL,
    converted_when text DEFAULT NULL,
    lost_when text DEFAULT NULL,
    deleted_when text DEFAULT NULL,
    closed_at_column name DEFAULT NULL
)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
SELECT c.severity, c.item, c.finding, c.advice
FROM lead_protection.check_source(
    check_lead_source.source,
    jsonb_build_array(
        jsonb_build_object('argument', 'id_column', 'column_name', id_column, 'type', 'number', 'nulls', 'problem'),
        jsonb_build_object('argument', 'user_column', 'column_name', user_column, 'type', 'user', 'nulls', 'warning'),
        jsonb_build_object(
            'argument', 'start_column', 'column_name', start_column, 'type', 'instant', 'nulls', 'warning',
            'time_zone', time_zone
        ),
        jsonb_build_object(
            'argument', 'closed_at_column', 'column_name', closed_at_column, 'type', 'instant', 'time_zone', time_zone
        ),
        jsonb_build_object('argument', 'converted_when', 'sql', converted_when, 'type', 'boolean'),
        jsonb_build_object('argument', 'lost_when', 'sql', lost_when, 'type', 'boolean'),
        jsonb_build_object('argument', 'deleted_when', 'sql', deleted_when, 'type', 'boolean')
    )
) AS c
UNION ALL
SELECT
    'warning', 'closing', 'nothing says when a lead counts as closed: it would be reminded of and expire',
    'Give converted_when, lost_when or deleted_when, such as status = ''won''.'
WHERE coalesce(converted_when, lost_when, deleted_when) IS NULL
$$;

COMMENT ON FUNCTION lead_protection.check_lead_source(
    regclass, name, name, name, text, text, text, text, name
) IS
'Whether a table of the company''s own can be adopted as leads: the arguments are those of adopt_leads(). A row for '
'each finding: severity ok, warning (adopt_leads() goes on) or problem (it refuses), item, finding, advice: what to '
'do. Reads catalogs only and changes nothing; `lead-protection check` does the same where nothing is installed yet.';
