CREATE OR REPLACE FUNCTION lead_protection.check_reminder_source(
    source regclass,
    lead_column name DEFAULT 'lead_id',
    sent_column name DEFAULT 'sent_at',
    user_column name DEFAULT NULL,
    time_zone text DEFAULT NULL
)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
SELECT c.severity, c.item, c.finding, c.advice
FROM lead_protection.check_source(
    check_reminder_source.source,
    jsonb_build_array(
        jsonb_build_object('argument', 'lead_column', 'column_name', lead_column, 'type', 'lead', 'nulls', 'warning'),
        jsonb_build_object(
            'argument', 'sent_column', 'column_name', sent_column, 'type', 'instant', 'nulls', 'warning',
            'time_zone', time_zone
        ),
        jsonb_build_object('argument', 'user_column', 'column_name', user_column, 'type', 'user')
    )
) AS c
$$;

COMMENT ON FUNCTION lead_protection.check_reminder_source(regclass, name, name, name, text) IS
'Whether reminders that were sent can be imported from a table of the company''s own: the arguments are those of '
'import_reminders(). A row for each finding, as check_lead_source() gives them. Reads catalogs only and changes '
'nothing.';
