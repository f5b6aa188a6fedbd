CREATE OR REPLACE FUNCTION lead_protection.is_reactivated(clock lead_protection.lead_clocks, state text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN (is_reactivated.clock).expired_at IS NOT NULL
        THEN is_reactivated.state IN ('PROTECTED', 'REMINDER_DUE', 'GRACE')
    ELSE
        (is_reactivated.clock).reminded_window < (is_reactivated.clock).window_date
        AND is_reactivated.state = 'PROTECTED'
END;

COMMENT ON FUNCTION lead_protection.is_reactivated(lead_protection.lead_clocks, text) IS
'True if the end announced for this clock did not come. state: its present state. A recorded expiry: protected again '
'in any state; a reminder: before the reminder of a later window. Internal.';
