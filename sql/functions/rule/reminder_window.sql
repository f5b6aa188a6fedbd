-- The linter does not see that a SELECT without FROM has one row.
-- noqa: disable=AM09
CREATE OR REPLACE FUNCTION lead_protection.reminder_window(
    expires_at timestamptz, time_zone text, period_end text, grace_days integer, reminder_time time, remind_on text,
    calendar_id bigint
)
RETURNS TABLE (window_date date, due_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        d.window_date,
        (
            CASE reminder_window.remind_on
                -- Never later, or the grace that was promised would shrink.
                WHEN 'working_day'
                    THEN lead_protection.previous_working_day(
                        reminder_window.calendar_id, d.window_date - reminder_window.grace_days
                    )
                ELSE d.window_date - reminder_window.grace_days
            END + reminder_window.reminder_time
        ) AT TIME ZONE reminder_window.time_zone AS due_at
    FROM (
        SELECT
            (reminder_window.expires_at AT TIME ZONE reminder_window.time_zone)::date
            -- The last protected day ends when the next one begins.
            - CASE reminder_window.period_end WHEN 'end_of_day' THEN 1 ELSE 0 END AS window_date
    ) AS d
    LIMIT 1;
END;

COMMENT ON FUNCTION lead_protection.reminder_window(timestamptz, text, text, integer, time, text, bigint) IS
'The window of a reminder: the last protected day of a protection that ends at expires_at by the rule, and when its '
'reminder is due. The other arguments are of the policy. Null: the lead is free.';
