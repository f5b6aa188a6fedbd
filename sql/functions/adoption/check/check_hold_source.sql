CREATE OR REPLACE FUNCTION lead_protection.check_hold_source(
    source regclass,
    lead_column name DEFAULT 'lead_id',
    start_column name DEFAULT 'start_at',
    end_column name DEFAULT 'end_at',
    user_column name DEFAULT NULL,
    reason text DEFAULT 'reason',
    time_zone text DEFAULT NULL
)
RETURNS TABLE (severity text, item text, finding text, advice text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
SELECT c.severity, c.item, c.finding, c.advice
FROM lead_protection.check_source(
    check_hold_source.source,
    jsonb_build_array(
        jsonb_build_object('argument', 'lead_column', 'column_name', lead_column, 'type', 'lead', 'nulls', 'warning'),
        jsonb_build_object(
            'argument', 'start_column', 'column_name', start_column, 'type', 'instant', 'nulls', 'warning',
            'time_zone', time_zone
        ),
        jsonb_build_object(
            'argument', 'end_column', 'column_name', end_column, 'type', 'instant', 'time_zone', time_zone
        ),
        jsonb_build_object('argument', 'user_column', 'column_name', user_column, 'type', 'user'),
        jsonb_build_object('argument', 'reason', 'sql', reason, 'type', 'text')
    )
) AS c
$$;

COMMENT ON FUNCTION lead_protection.check_hold_source(regclass, name, name, name, name, text, text) IS
'Whether holds can be imported from a table of the company''s own: the arguments are those of import_holds(). A row '
'for each finding, as check_lead_source() gives them. Reads catalogs only and changes nothing.';
