CREATE OR REPLACE FUNCTION lead_protection.confirm_reminder_delivery(
    lead_id bigint, user_id bigint, window_date date, message_id text, delivered_at timestamptz DEFAULT NULL
)
RETURNS lead_protection.reminder_delivery_result
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT lead_protection.report_reminder_delivery(
    confirm_reminder_delivery.lead_id, confirm_reminder_delivery.user_id, confirm_reminder_delivery.window_date,
    confirm_reminder_delivery.message_id, 'delivered', NULL, confirm_reminder_delivery.delivered_at
)
$$;

COMMENT ON FUNCTION lead_protection.confirm_reminder_delivery(bigint, bigint, date, text, timestamptz) IS
'Records that the message with this reminder was delivered, such as accepted by the mail server. lead_id, user_id and '
'window_date are those of the event''s payload; message_id: the message''s id, 1 to 255 characters; one message may '
'carry several reminders. delivered_at: when (null, the default: now). Always recorded, also if the lead has since '
'expired or moved: it is a fact. Cancels a planned repetition.
Idempotent by message_id: repeated, it changes nothing and answers changed = false; so it does for a message that was '
'reported failed since. Logs and publishes lead.reminder.delivered. Call it in the transaction that acknowledges the '
'event.
Errors: LP001, LP004 message_id, LP005 and LP010 delivered_at not sensible or in the future, LP044 no such reminder '
'was sent.';
