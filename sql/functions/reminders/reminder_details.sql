CREATE OR REPLACE FUNCTION lead_protection.reminder_details(window_date date, due_at timestamptz, attempt bigint)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN jsonb_build_object(
    'window_date', to_char(window_date, 'YYYY-MM-DD'),
    'reminder_due_at', lead_protection.instant_text(due_at),
    'attempt', attempt
);

COMMENT ON FUNCTION lead_protection.reminder_details(date, timestamptz, bigint) IS
'The details of a reminder''s log row and event. attempt: 1, and one more each time it is sent again. Internal.';
