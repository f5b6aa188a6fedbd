CREATE OR REPLACE FUNCTION lead_protection.report_reminder_delivery(
    lead_id bigint, user_id bigint, window_date date, message_id text, outcome text,
    error text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL
)
RETURNS lead_protection.reminder_delivery_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF
        coalesce(report_reminder_delivery.outcome NOT IN ('delivered', 'failed'), true)
        OR (report_reminder_delivery.outcome = 'delivered' AND report_reminder_delivery.error IS NOT NULL)
    THEN
        RAISE EXCEPTION 'a delivery cannot be reported like this'
            USING ERRCODE = 'LP063',
            DETAIL = format(
                'Given: outcome %L, %s error.', report_reminder_delivery.outcome,
                CASE WHEN report_reminder_delivery.error IS NULL THEN 'no' ELSE 'an' END
            ),
            HINT = 'outcome is delivered or failed, and failed needs an error. '
            'A message that was not sent: start_reminder_delivery() has recorded why, or call fail_events().';
    END IF;
    IF report_reminder_delivery.outcome = 'failed' THEN
        PERFORM lead_protection.require_reason(left(report_reminder_delivery.error, 255), 'error');
    END IF;
    RETURN lead_protection.record_delivery_report(
        report_reminder_delivery.lead_id, report_reminder_delivery.user_id, report_reminder_delivery.window_date,
        report_reminder_delivery.message_id, report_reminder_delivery.outcome, report_reminder_delivery.error,
        report_reminder_delivery.occurred_at
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.report_reminder_delivery(bigint, bigint, date, text, text, text, timestamptz) IS
'Records what became of a message with this reminder. outcome delivered: it arrived, such as accepted by the mail '
'server; failed: refused for good, or bounced after it had been accepted. For a mail server that is down there is '
'fail_events(), which gives you the same event again. lead_id, user_id and window_date are those of the event''s '
'payload; message_id: the message''s id, 1 to 255 characters; one message may carry several reminders. error: why it '
'failed, for the log and not published; occurred_at: when (null, the default: now).
delivered is always recorded, also if the lead has since expired or moved: it is a fact; it cancels a planned '
'repetition. failed: if the reminder still makes sense the pipeline sends it again as a new event, with attempt one '
'higher, at retry_at (in settings: delivery_retry_delay, doubled each time, up to delivery_attempts), and without a '
'second row in the ledger.
Idempotent by message_id: repeated, it changes nothing, plans nothing and answers changed = false; so does delivered '
'for a message that was reported failed since. Logs and publishes lead.reminder.delivered or .failed. Call it in the '
'transaction that acknowledges the event.
Errors: LP001, LP004 message_id or error, LP005 and LP010 occurred_at not sensible or in the future, LP044 no such '
'reminder was sent, LP063 another outcome, or an error of what was delivered.';
