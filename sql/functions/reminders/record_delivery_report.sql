CREATE OR REPLACE FUNCTION lead_protection.record_delivery_report(
    lead_id bigint, user_id bigint, window_date date, message_id text,
    outcome text DEFAULT NULL, why text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL
)
RETURNS lead_protection.reminder_delivery_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reminder lead_protection.lead_reminders;
    report lead_protection.reminder_deliveries;
    shown_before lead_protection.v_user_lead_protection;
    shown lead_protection.v_user_lead_protection;
    moves_clock boolean;
    decided_at timestamptz;
    reported boolean;
    obstacle text;
    deliver boolean := false;
    changed boolean := false;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', record_delivery_report.lead_id, 'user_id', record_delivery_report.user_id,
            'window_date', record_delivery_report.window_date
        )
    );
    PERFORM lead_protection.require_reason(record_delivery_report.message_id, 'message_id');
    PERFORM lead_protection.require_instant(
        record_delivery_report.occurred_at, 'the delivery', may_be_ahead => false
    );

    PERFORM lead_protection.lock_leads(ARRAY[record_delivery_report.lead_id]);
    decided_at := clock_timestamp();
    SELECT r.* INTO reminder
    FROM lead_protection.lead_reminders AS r
    WHERE
        r.lead_id = record_delivery_report.lead_id AND r.user_id = record_delivery_report.user_id
        AND r.window_date = record_delivery_report.window_date;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no reminder of lead % was sent to user % for window %',
            record_delivery_report.lead_id, record_delivery_report.user_id,
            CASE
                -- No timestamp reaches as far as a date.
                WHEN record_delivery_report.window_date BETWEEN DATE '1900-01-01' AND DATE '2999-12-31'
                    THEN to_char(record_delivery_report.window_date, 'YYYY-MM-DD')
                ELSE record_delivery_report.window_date::text
            END
            USING ERRCODE = 'LP044',
            DETAIL = format('Windows sent for this lead and user: %s.', coalesce(
                (
                    SELECT string_agg(to_char(r.window_date, 'YYYY-MM-DD'), ', ' ORDER BY r.window_date)
                    FROM lead_protection.lead_reminders AS r
                    WHERE r.lead_id = record_delivery_report.lead_id AND r.user_id = record_delivery_report.user_id
                ),
                'none'
            )),
            HINT = 'Take lead_id, user_id and window_date from the event''s payload, unchanged.';
    END IF;
    SELECT d.* INTO report
    FROM lead_protection.reminder_deliveries AS d
    WHERE
        (d.lead_id, d.user_id, d.window_date) = (reminder.lead_id, reminder.user_id, reminder.window_date)
        AND d.message_id = record_delivery_report.message_id;
    reported := FOUND;

    IF record_delivery_report.outcome IS NOT NULL THEN
        -- A message that was accepted may still bounce, and one that bounced is not accepted any more.
        changed := NOT reported OR array_position(
            ARRAY['skipped', 'delivered', 'failed'], record_delivery_report.outcome
        ) > array_position(ARRAY['skipped', 'delivered', 'failed'], report.outcome);
    ELSIF NOT reported THEN
        record_delivery_report.why := lead_protection.reminder_obstacle(reminder, decided_at);
        deliver := record_delivery_report.why IS NULL;
        changed := NOT deliver;
        record_delivery_report.outcome := 'skipped';
    END IF;

    IF changed THEN
        moves_clock := EXISTS (
            SELECT
            FROM lead_protection.leads AS l
            INNER JOIN lead_protection.protection_policies AS p ON l.policy_id = p.id
            WHERE l.id = reminder.lead_id AND l.user_id = reminder.user_id AND p.notice_counts_from <> 'sent'
        );
        IF moves_clock THEN
            shown_before := lead_protection.read_lead(reminder.lead_id, decided_at);
        END IF;
        INSERT INTO lead_protection.reminder_deliveries AS d (
            lead_id, user_id, window_date, message_id, outcome, why, occurred_at
        )
        VALUES (
            reminder.lead_id, reminder.user_id, reminder.window_date, record_delivery_report.message_id,
            record_delivery_report.outcome, record_delivery_report.why,
            coalesce(record_delivery_report.occurred_at, decided_at)
        )
        ON CONFLICT ON CONSTRAINT reminder_deliveries_pkey DO UPDATE
        SET outcome = excluded.outcome, why = excluded.why, occurred_at = excluded.occurred_at, retry_at = NULL
        RETURNING d.* INTO report;
        IF moves_clock THEN
            -- Not by a trigger: of most reports no clock needs to know.
            PERFORM lead_protection.refresh_lead_clocks(ARRAY[reminder.lead_id]);
        END IF;

        IF report.outcome = 'delivered' THEN
            -- What another message failed to do is done.
            UPDATE lead_protection.reminder_deliveries AS d
            SET retry_at = NULL
            WHERE
                (d.lead_id, d.user_id, d.window_date) = (reminder.lead_id, reminder.user_id, reminder.window_date)
                AND d.retry_at IS NOT NULL;
        ELSE
            obstacle := lead_protection.reminder_obstacle(reminder, decided_at);
            report.retry_at := (
                SELECT
                    CASE
                        -- Nothing would come of it, or it is planned already.
                        WHEN obstacle <> 'ON_HOLD' OR count(d.retry_at) > 0 THEN NULL
                        -- As soon as the clock runs again.
                        WHEN report.outcome = 'skipped' THEN decided_at
                        WHEN count(*) FILTER (WHERE d.outcome = 'failed') < s.delivery_attempts
                            THEN decided_at + lead_protection.retry_pause(
                                s.delivery_retry_delay, count(*) FILTER (WHERE d.outcome = 'failed')
                            )
                    END
                FROM lead_protection.reminder_deliveries AS d
                CROSS JOIN lead_protection.settings AS s
                WHERE (d.lead_id, d.user_id, d.window_date) = (reminder.lead_id, reminder.user_id, reminder.window_date)
                GROUP BY s.delivery_attempts, s.delivery_retry_delay
            );
            UPDATE lead_protection.reminder_deliveries AS d
            SET retry_at = report.retry_at
            WHERE
                (d.lead_id, d.user_id, d.window_date) = (reminder.lead_id, reminder.user_id, reminder.window_date)
                AND d.message_id = report.message_id;
        END IF;

        PERFORM lead_protection.count_metric(
            'lead_reminder_deliveries_total', jsonb_build_object('outcome', report.outcome), 1
        );

        shown := lead_protection.read_lead(reminder.lead_id, decided_at);
        INSERT INTO lead_protection.protection_log (
            lead_id, user_id, event_type, occurred_at, reason, state_before, expires_before, state_after, expires_after,
            details
        )
        VALUES (
            reminder.lead_id, reminder.user_id, 'lead.reminder.' || report.outcome, report.occurred_at,
            -- Free text, which the event leaves out; an obstacle is none.
            CASE WHEN report.outcome = 'failed' THEN report.why END,
            CASE WHEN shown.user_id = reminder.user_id THEN coalesce(shown_before.state, shown.state) END,
            shown_before.protection_expires_at,
            CASE WHEN shown.user_id = reminder.user_id THEN shown.state END,
            CASE WHEN moves_clock THEN shown.protection_expires_at END,
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
        reminder.lead_id, reminder.user_id, reminder.window_date, record_delivery_report.message_id,
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

COMMENT ON FUNCTION lead_protection.record_delivery_report(bigint, bigint, date, text, text, text, timestamptz) IS
'Records what became of a message with a reminder: outcome delivered or failed, or null to ask whether it is to be '
'sent, which records skipped if not. A failed one is planned again after a pause, up to the attempts in settings; one '
'skipped ON_HOLD as soon as the clock runs again with the same window; a delivered one cancels that. Of two reports of '
'one message the later stage counts: skipped, delivered, failed. By a policy whose notices count from their delivery '
'it moves the clock. Logs and publishes lead.reminder.delivered, .failed '
'or .skipped. Refuses a reminder that was never sent (LP044). Internal: start_reminder_delivery() and '
'report_reminder_delivery() call it and say more.';
