CREATE OR REPLACE FUNCTION lead_protection.reminder_obstacle(
    reminder lead_protection.lead_reminders, as_of timestamptz
)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT
        FROM lead_protection.reminder_deliveries AS d
        WHERE
            d.lead_id = reminder_obstacle.reminder.lead_id AND d.user_id = reminder_obstacle.reminder.user_id
            AND d.window_date = reminder_obstacle.reminder.window_date AND d.outcome = 'delivered'
    ) THEN
        RETURN 'DELIVERED';
    END IF;
    RETURN (
        SELECT
            CASE
                WHEN c.user_id <> reminder_obstacle.reminder.user_id THEN 'TRANSFERRED'
                WHEN s.state IN ('CLOSED', 'EXPIRED', 'FREE') THEN s.state
                WHEN s.state <> 'GRACE' OR c.window_date <> reminder_obstacle.reminder.window_date THEN 'MOVED'
                WHEN s.on_hold THEN 'ON_HOLD'
            END
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL lead_protection.clock_at(c, reminder_obstacle.as_of) AS s
        WHERE c.lead_id = reminder_obstacle.reminder.lead_id
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.reminder_obstacle(lead_protection.lead_reminders, timestamptz) IS
'Why a message with this reminder makes no sense at as_of: DELIVERED: one has arrived; TRANSFERRED: the lead is '
'another user''s; CLOSED; EXPIRED; FREE: it is nobody''s; MOVED: the expiry is another day, whose own reminder comes '
'when it is due; ON_HOLD: the clock stands still. Null: it makes sense. Internal.';
