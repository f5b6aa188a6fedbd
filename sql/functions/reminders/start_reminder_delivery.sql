CREATE OR REPLACE FUNCTION lead_protection.start_reminder_delivery(
    lead_id bigint, user_id bigint, window_date date, message_id text
)
RETURNS lead_protection.reminder_delivery_result
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT lead_protection.record_delivery_report(
    start_reminder_delivery.lead_id, start_reminder_delivery.user_id, start_reminder_delivery.window_date,
    start_reminder_delivery.message_id
)
$$;

COMMENT ON FUNCTION lead_protection.start_reminder_delivery(bigint, bigint, date, text) IS
'Asks, right before a message with a reminder is sent, whether it still makes sense: the event may have waited for '
'hours or days. lead_id, user_id and window_date are those of the event''s payload; message_id is the message''s own '
'id, 1 to 255 characters, the same each time this event is handled.
deliver = true: send it, then call report_reminder_delivery(). deliver = false: do not, and acknowledge the event; '
'outcome and why tell what is known of this message. If it makes no sense that is recorded, once, as outcome skipped '
'with why: DELIVERED, TRANSFERRED, CLOSED, EXPIRED, FREE, MOVED (the expiry is another day, whose own reminder comes) '
'or ON_HOLD (the pipeline sends it again if the clock runs on with the same window); logs and publishes '
'lead.reminder.skipped.
Repeated: the same answer as long as the lead stands the same, and nothing recorded twice. Errors: LP001, LP004 '
'message_id, LP044 no such reminder was sent.';
