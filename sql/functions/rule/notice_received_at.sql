CREATE OR REPLACE FUNCTION lead_protection.notice_received_at(
    reminder lead_protection.lead_reminders, policy_id bigint, as_of timestamptz
)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        CASE
            WHEN p.notice_counts_from = 'delivered' OR lead_protection.is_working_day(p.calendar_id, arrival.day)
                THEN arrival.at
            ELSE
                lead_protection.next_working_day(p.calendar_id, arrival.day)::timestamp AT TIME ZONE p.time_zone
        END
    FROM lead_protection.protection_policies AS p
    CROSS JOIN LATERAL (
        SELECT
            min(d.occurred_at) AS at,
            (min(d.occurred_at) AT TIME ZONE p.time_zone)::date AS day
        FROM lead_protection.reminder_deliveries AS d
        WHERE
            d.lead_id = notice_received_at.reminder.lead_id AND d.user_id = notice_received_at.reminder.user_id
            AND d.window_date = notice_received_at.reminder.window_date
            AND d.outcome = 'delivered' AND d.occurred_at <= notice_received_at.as_of
    ) AS arrival
    WHERE p.id = notice_received_at.policy_id;
END;

COMMENT ON FUNCTION lead_protection.notice_received_at(lead_protection.lead_reminders, bigint, timestamptz) IS
'When the notice that a reminder is counts as received, by a policy whose notice_counts_from is not sent: at the first '
'delivery that was reported with an instant up to as_of; by delivered_working_day, one on no working day counts as one '
'at the beginning of the next. Null: none arrived.';
