CREATE OR REPLACE FUNCTION lead_protection.waits_for_notice(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN waits_for_notice.clock.owed_notice_days IS NOT NULL
AND waits_for_notice.clock.reminder_due_at <= waits_for_notice.as_of
AND NOT coalesce(waits_for_notice.clock.closed_at <= waits_for_notice.as_of, false)
AND NOT lead_protection.is_on_hold(waits_for_notice.clock, waits_for_notice.as_of);

COMMENT ON FUNCTION lead_protection.waits_for_notice(lead_protection.lead_clocks, timestamptz) IS
'True if the policy requires a notice, the reminder is due at as_of and was not sent: the expiry waits for it. Never '
'null.';
