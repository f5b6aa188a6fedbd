CREATE OR REPLACE VIEW lead_protection.v_active_holds AS
SELECT
    h.id AS hold_id,
    h.lead_id,
    h.user_id,
    h.reason_code,
    h.reason,
    h.start_at,
    h.end_at,
    now() - h.start_at AS age,
    l.limit_at,
    coalesce(h.end_at IS NULL AND l.limit_at <= now(), false) AS overrun,
    h.limit_override_until,
    h.version,
    h.created_by,
    h.created_at,
    coalesce(h.end_at, l.limit_at) AS ends_at
FROM lead_protection.lead_holds AS h
INNER JOIN lead_protection.lead_clocks AS c ON h.lead_id = c.lead_id AND h.user_id = c.user_id
LEFT JOIN LATERAL lead_protection.hold_limit(h, now()) AS l ON true
WHERE
    h.voided_at IS NULL AND c.closed_at IS NULL
    AND h.start_at <= now() AND (h.end_at IS NULL OR h.end_at > now());

COMMENT ON VIEW lead_protection.v_active_holds IS
'The holds in force now, of leads that are open and for their present user. Instants are timestamptz. A hold that '
'began after the expiry is in force and stops nothing: see on_hold of v_user_lead_protection.';
COMMENT ON COLUMN lead_protection.v_active_holds.hold_id IS 'The hold.';
COMMENT ON COLUMN lead_protection.v_active_holds.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.v_active_holds.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_active_holds.reason_code IS 'The reason, in hold_reasons.';
COMMENT ON COLUMN lead_protection.v_active_holds.reason IS 'The reason as it was given.';
COMMENT ON COLUMN lead_protection.v_active_holds.start_at IS 'Since when it is in force.';
COMMENT ON COLUMN lead_protection.v_active_holds.end_at IS 'Its planned end; null: open.';
COMMENT ON COLUMN lead_protection.v_active_holds.age IS 'For how long it has been in force.';
COMMENT ON COLUMN lead_protection.v_active_holds.limit_at IS
'When it reaches the limit of its policy, or of the override; null: no limit.';
COMMENT ON COLUMN lead_protection.v_active_holds.overrun IS
'True: it is open and has passed its limit; the nightly job will end it at limit_at.';
COMMENT ON COLUMN lead_protection.v_active_holds.limit_override_until IS
'Until when an operator allowed it to last; null: not.';
COMMENT ON COLUMN lead_protection.v_active_holds.version IS 'What a correction must name.';
COMMENT ON COLUMN lead_protection.v_active_holds.created_by IS 'The actor who made it.';
COMMENT ON COLUMN lead_protection.v_active_holds.created_at IS 'When it was made.';
COMMENT ON COLUMN lead_protection.v_active_holds.ends_at IS
'When it ends by itself: its planned end or, if it is open, its limit, where the nightly job ends it; null: neither.';
