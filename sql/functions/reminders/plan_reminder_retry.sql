CREATE OR REPLACE FUNCTION lead_protection.plan_reminder_retry(
    reminder lead_protection.lead_reminders, report lead_protection.reminder_deliveries, decided_at timestamptz
)
RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacle CONSTANT text := lead_protection.reminder_obstacle(
        plan_reminder_retry.reminder, plan_reminder_retry.decided_at
    );
    planned_at timestamptz;
BEGIN
    IF plan_reminder_retry.report.outcome = 'delivered' THEN
        -- What another message failed to do is done.
        UPDATE lead_protection.reminder_deliveries AS d
        SET retry_at = NULL
        WHERE
            (d.lead_id, d.user_id, d.window_date)
            = (
                plan_reminder_retry.reminder.lead_id, plan_reminder_retry.reminder.user_id,
                plan_reminder_retry.reminder.window_date
            )
            AND d.retry_at IS NOT NULL;
        RETURN NULL;
    END IF;

    planned_at := (
        SELECT
            CASE
                -- Nothing would come of it, or it is planned already.
                WHEN obstacle <> 'ON_HOLD' OR count(d.retry_at) > 0 THEN NULL
                WHEN plan_reminder_retry.report.outcome = 'skipped' THEN plan_reminder_retry.decided_at
                WHEN count(*) FILTER (WHERE d.outcome = 'failed') < s.delivery_attempts
                    THEN plan_reminder_retry.decided_at + lead_protection.retry_pause(
                        s.delivery_retry_delay, count(*) FILTER (WHERE d.outcome = 'failed')
                    )
            END
        FROM lead_protection.reminder_deliveries AS d
        CROSS JOIN lead_protection.settings AS s
        WHERE
            (d.lead_id, d.user_id, d.window_date)
            = (
                plan_reminder_retry.reminder.lead_id, plan_reminder_retry.reminder.user_id,
                plan_reminder_retry.reminder.window_date
            )
        GROUP BY s.delivery_attempts, s.delivery_retry_delay
    );
    UPDATE lead_protection.reminder_deliveries AS d
    SET retry_at = planned_at
    WHERE
        (d.lead_id, d.user_id, d.window_date)
        = (
            plan_reminder_retry.reminder.lead_id, plan_reminder_retry.reminder.user_id,
            plan_reminder_retry.reminder.window_date
        )
        AND d.message_id = plan_reminder_retry.report.message_id;
    RETURN planned_at;
END;
$$;

COMMENT ON FUNCTION lead_protection.plan_reminder_retry(
    lead_protection.lead_reminders, lead_protection.reminder_deliveries, timestamptz
) IS
'Plans, after a report that is already recorded, when the pipeline repeats the reminder: a failed one after a pause, '
'up to the attempts in settings; one skipped ON_HOLD as soon as the clock runs again with the same window; not if it '
'makes no sense any more. A delivered one cancels what was planned. Returns when, or null. Internal: the caller holds '
'the lead''s lock.';
