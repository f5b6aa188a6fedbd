CREATE OR REPLACE FUNCTION lead_protection.require_known_reminder(lead_id bigint, user_id bigint, window_date date)
RETURNS lead_protection.lead_reminders
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reminder lead_protection.lead_reminders;
BEGIN
    SELECT r.* INTO reminder
    FROM lead_protection.lead_reminders AS r
    WHERE
        r.lead_id = require_known_reminder.lead_id AND r.user_id = require_known_reminder.user_id
        AND r.window_date = require_known_reminder.window_date;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no reminder of lead % was sent to user % for window %',
            require_known_reminder.lead_id, require_known_reminder.user_id,
            to_char(require_known_reminder.window_date, 'YYYY-MM-DD')
            USING ERRCODE = 'LP044',
            DETAIL = format('Windows sent for this lead and user: %s.', coalesce(
                (
                    SELECT string_agg(to_char(r.window_date, 'YYYY-MM-DD'), ', ' ORDER BY r.window_date)
                    FROM lead_protection.lead_reminders AS r
                    WHERE r.lead_id = require_known_reminder.lead_id AND r.user_id = require_known_reminder.user_id
                ),
                'none'
            )),
            HINT = 'Take lead_id, user_id and window_date from the event''s payload, unchanged.';
    END IF;
    RETURN reminder;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_known_reminder(bigint, bigint, date) IS
'Returns the reminder''s row in the ledger; refuses one that was never sent (LP044). Internal.';
