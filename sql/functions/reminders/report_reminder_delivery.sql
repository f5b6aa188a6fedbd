CREATE OR REPLACE FUNCTION lead_protection.report_reminder_delivery(
    lead_id bigint, user_id bigint, window_date date, message_id text,
    outcome text DEFAULT NULL, why text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL
)
RETURNS lead_protection.reminder_delivery_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reminder lead_protection.lead_reminders;
    report lead_protection.reminder_deliveries;
    shown lead_protection.v_user_lead_protection;
    decided_at timestamptz;
    reported boolean;
    deliver boolean := false;
    changed boolean := false;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', report_reminder_delivery.lead_id, 'user_id', report_reminder_delivery.user_id,
            'window_date', report_reminder_delivery.window_date
        )
    );
    PERFORM lead_protection.require_reason(report_reminder_delivery.message_id, 'message_id');
    PERFORM lead_protection.require_instant(
        report_reminder_delivery.occurred_at, 'the delivery', may_be_ahead => false
    );

    PERFORM lead_protection.lock_leads(ARRAY[report_reminder_delivery.lead_id]);
    decided_at := clock_timestamp();
    reminder := lead_protection.require_known_reminder(
        report_reminder_delivery.lead_id, report_reminder_delivery.user_id, report_reminder_delivery.window_date
    );
    SELECT d.* INTO report
    FROM lead_protection.reminder_deliveries AS d
    WHERE
        (d.lead_id, d.user_id, d.window_date) = (reminder.lead_id, reminder.user_id, reminder.window_date)
        AND d.message_id = report_reminder_delivery.message_id;
    reported := FOUND;

    IF report_reminder_delivery.outcome IS NOT NULL THEN
        -- A message that was accepted may still bounce, and one that bounced is not accepted any more.
        changed := NOT reported OR array_position(
            ARRAY['skipped', 'delivered', 'failed'], report_reminder_delivery.outcome
        ) > array_position(ARRAY['skipped', 'delivered', 'failed'], report.outcome);
    ELSIF NOT reported THEN
        report_reminder_delivery.why := lead_protection.reminder_obstacle(reminder, decided_at);
        deliver := report_reminder_delivery.why IS NULL;
        changed := NOT deliver;
        report_reminder_delivery.outcome := 'skipped';
    END IF;

    IF changed THEN
        INSERT INTO lead_protection.reminder_deliveries AS d (
            lead_id, user_id, window_date, message_id, outcome, why, occurred_at
        )
        VALUES (
            reminder.lead_id, reminder.user_id, reminder.window_date, report_reminder_delivery.message_id,
            report_reminder_delivery.outcome, report_reminder_delivery.why,
            coalesce(report_reminder_delivery.occurred_at, decided_at)
        )
        ON CONFLICT ON CONSTRAINT reminder_deliveries_pkey DO UPDATE
        SET outcome = excluded.outcome, why = excluded.why, occurred_at = excluded.occurred_at, retry_at = NULL
        RETURNING d.* INTO report;
        report.retry_at := lead_protection.plan_reminder_retry(reminder, report, decided_at);
        PERFORM lead_protection.count_metric(
            'lead_reminder_deliveries_total', jsonb_build_object('outcome', report.outcome), 1
        );

        shown := lead_protection.read_lead(reminder.lead_id, decided_at);
        INSERT INTO lead_protection.protection_log (
            lead_id, user_id, event_type, occurred_at, reason, state_before, state_after, details
        )
        VALUES (
            reminder.lead_id, reminder.user_id, 'lead.reminder.' || report.outcome, report.occurred_at,
            -- Free text, which the event leaves out; an obstacle is none.
            CASE WHEN report.outcome = 'failed' THEN report.why END,
            CASE WHEN shown.user_id = reminder.user_id THEN shown.state END,
            CASE WHEN shown.user_id = reminder.user_id THEN shown.state END,
            jsonb_strip_nulls(
                jsonb_build_object(
                    'window_date', to_char(reminder.window_date, 'YYYY-MM-DD'),
                    'message_id', report.message_id,
                    'obstacle', CASE WHEN report.outcome = 'skipped' THEN report.why END,
                    'retry_at', lead_protection.instant_text(report.retry_at)
                )
            )
        );
    END IF;

    RETURN (
        reminder.lead_id, reminder.user_id, reminder.window_date, report_reminder_delivery.message_id,
        deliver, report.outcome, report.why, changed, reminder.due_at, reminder.sent_at,
        (
            SELECT min(d.occurred_at)
            FROM lead_protection.reminder_deliveries AS d
            WHERE
                (d.lead_id, d.user_id, d.window_date) = (reminder.lead_id, reminder.user_id, reminder.window_date)
                AND d.outcome = 'delivered'
        ),
        (
            SELECT d.retry_at
            FROM lead_protection.reminder_deliveries AS d
            WHERE
                (d.lead_id, d.user_id, d.window_date) = (reminder.lead_id, reminder.user_id, reminder.window_date)
                AND d.retry_at IS NOT NULL
        )
    )::lead_protection.reminder_delivery_result;
END;
$$;

COMMENT ON FUNCTION lead_protection.report_reminder_delivery(bigint, bigint, date, text, text, text, timestamptz) IS
'Records what became of a message with a reminder: outcome delivered or failed, or null to ask whether it is to be '
'sent, which records skipped if not. Of two reports of one message the later stage counts: skipped, delivered, failed. '
'Logs and publishes lead.reminder.delivered, .failed or .skipped. Internal: start_, confirm_ and '
'fail_reminder_delivery() call it and say more.';
