-- The one list of what belongs to a lead. A test compares it with the catalog: a new table is here, or is named there
-- with why it stays. Nothing in it comes from outside: what is made of it as SQL needs no quoting.
CREATE OR REPLACE FUNCTION lead_protection.lead_tables()
RETURNS TABLE (table_name text, lead_of text, found_by text, sorted_by text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        t.table_name,
        t.lead_of,
        t.found_by,
        t.sorted_by
    FROM (
        VALUES
        ('leads', 'id', 'id = ANY($1)', 'id'),
        ('lead_history', 'lead_id', 'lead_id = ANY($1)', 'valid_until'),
        ('lead_holds', 'lead_id', 'lead_id = ANY($1)', 'id'),
        ('lead_activities', 'lead_id', 'lead_id = ANY($1)', 'id'),
        ('lead_extensions', 'lead_id', 'lead_id = ANY($1)', 'id'),
        ('lead_reminders', 'lead_id', 'lead_id = ANY($1)', 'user_id, window_date'),
        ('reminder_deliveries', 'lead_id', 'lead_id = ANY($1)', 'user_id, window_date, message_id'),
        ('lead_warnings', 'lead_id', 'lead_id = ANY($1)', 'user_id, window_date, days_before, audience'),
        ('lead_expiries', 'lead_id', 'lead_id = ANY($1)', 'id'),
        ('lead_clocks', 'lead_id', 'lead_id = ANY($1)', 'lead_id'),
        ('bulk_hold_results', 'lead_id', 'lead_id = ANY($1)', 'request_key'),
        ('protection_log', 'lead_id', 'lead_id = ANY($1)', 'log_number'),
        (
            'outbox_events', 'aggregateid::bigint',
            'id = ANY(ARRAY(SELECT g.event_id FROM lead_protection.protection_log AS g WHERE g.lead_id = ANY($1)))',
            'sequence_number'
        ),
        (
            'event_deliveries', 'lead_id',
            'event_id = ANY(ARRAY('
            'SELECT g.event_id FROM lead_protection.protection_log AS g WHERE g.lead_id = ANY($1)))',
            'sequence_number, consumer_name'
        )
    ) AS t (table_name, lead_of, found_by, sorted_by);
END;

COMMENT ON FUNCTION lead_protection.lead_tables() IS
'The tables that have the rows of a lead, for moving it: lead_of: which lead a row belongs to; found_by: the rows of '
'the leads $1; sorted_by: their order within a lead; all three as SQL. Internal.';
