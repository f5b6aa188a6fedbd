CREATE OR REPLACE FUNCTION lead_protection.protection_state(
    clock lead_protection.lead_clocks, at timestamptz, as_of timestamptz
)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN protection_state.clock.closed_at <= protection_state.as_of THEN 'CLOSED'
    WHEN
        protection_state.at >= protection_state.clock.protection_expires_at
        AND protection_state.clock.owed_notice_days IS NULL
        THEN 'EXPIRED'
    WHEN protection_state.at < protection_state.clock.reminder_due_at THEN 'PROTECTED'
    -- The second half: a new policy may move the due instant past the reminder of the window, which is never repeated.
    WHEN
        protection_state.clock.reminded_at >= protection_state.clock.reminder_due_at
        OR protection_state.clock.reminded_window = protection_state.clock.window_date
        THEN 'GRACE'
    -- Without a user there is no clock: all comparisons above are null.
    WHEN protection_state.clock.user_id IS NULL THEN 'FREE'
    ELSE 'REMINDER_DUE'
END;

COMMENT ON FUNCTION lead_protection.protection_state(lead_protection.lead_clocks, timestamptz, timestamptz) IS
'State of a clock: PROTECTED, REMINDER_DUE, GRACE, EXPIRED or CLOSED; FREE: the lead is nobody''s. as_of: the instant '
'of looking; at: the same, or where the clock stopped while it stands still. A clock that owes a notice does not '
'expire.';
