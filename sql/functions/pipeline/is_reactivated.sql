CREATE OR REPLACE FUNCTION lead_protection.is_reactivated(clock lead_protection.lead_clocks, state text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN clock.expired_at IS NOT NULL THEN state IN ('PROTECTED', 'REMINDER_DUE', 'GRACE')
    ELSE clock.reminded_window < clock.window_date AND state = 'PROTECTED'
END;

COMMENT ON FUNCTION lead_protection.is_reactivated(lead_protection.lead_clocks, text) IS
'True if the end announced for this clock did not come. state: its present state. A recorded expiry: protected again '
'in any state; a reminder: before the reminder of a later window.';
