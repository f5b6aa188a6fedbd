CREATE OR REPLACE FUNCTION lead_protection.fail_reminder_delivery(
    lead_id bigint, user_id bigint, window_date date, message_id text, error text,
    failed_at timestamptz DEFAULT NULL
)
RETURNS lead_protection.reminder_delivery_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.require_reason(left(fail_reminder_delivery.error, 255), 'error');
    RETURN lead_protection.report_reminder_delivery(
        fail_reminder_delivery.lead_id, fail_reminder_delivery.user_id, fail_reminder_delivery.window_date,
        fail_reminder_delivery.message_id, 'failed', fail_reminder_delivery.error, fail_reminder_delivery.failed_at
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.fail_reminder_delivery(bigint, bigint, date, text, text, timestamptz) IS
'Records that the message with this reminder did not arrive: refused for good, or bounced after it had been accepted. '
'For a mail server that is down there is fail_events(), which gives you the same event again. lead_id, user_id and '
'window_date are those of the event''s payload; message_id: the message''s id; error: why, for the log and not '
'published; failed_at: when (null, the default: now).
If the reminder still makes sense the pipeline sends it again as a new event, with attempt one higher, at retry_at (in '
'settings: delivery_retry_delay, doubled each time, up to delivery_attempts), and without a second row in the ledger.
Idempotent by message_id: repeated, it changes nothing, plans nothing and answers changed = false. Logs and publishes '
'lead.reminder.failed. Errors: LP001, LP004 message_id or error, LP005 and LP010 failed_at not sensible or in the '
'future, LP044 no such reminder was sent.';
