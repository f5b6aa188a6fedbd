CREATE OR REPLACE VIEW lead_protection.v_hold_history AS
SELECT
    g.lead_id,
    g.user_id,
    (g.details ->> 'hold_id')::bigint AS hold_id,
    g.event_type,
    g.occurred_at,
    g.actor_id,
    g.reason,
    (g.details ->> 'hold_start_at')::timestamptz AS hold_start_at,
    (g.details ->> 'hold_end_at')::timestamptz AS hold_end_at,
    (g.details ->> 'hold_start_at_before')::timestamptz AS hold_start_at_before,
    (g.details ->> 'hold_end_at_before')::timestamptz AS hold_end_at_before,
    g.state_before,
    g.state_after,
    g.expires_before,
    g.expires_after
FROM lead_protection.protection_log AS g
WHERE g.event_type LIKE 'lead.hold.%';

COMMENT ON VIEW lead_protection.v_hold_history IS
'What happened to the holds of a lead, from protection_log: filter by lead_id, order by occurred_at.';
COMMENT ON COLUMN lead_protection.v_hold_history.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.v_hold_history.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_hold_history.hold_id IS 'The hold.';
COMMENT ON COLUMN lead_protection.v_hold_history.event_type IS 'What happened, such as lead.hold.corrected.';
COMMENT ON COLUMN lead_protection.v_hold_history.occurred_at IS 'When.';
COMMENT ON COLUMN lead_protection.v_hold_history.actor_id IS 'Who did it; null: the system.';
COMMENT ON COLUMN lead_protection.v_hold_history.reason IS 'Why, in the actor''s words.';
COMMENT ON COLUMN lead_protection.v_hold_history.hold_start_at IS 'The hold''s start afterwards.';
COMMENT ON COLUMN lead_protection.v_hold_history.hold_end_at IS 'The hold''s end afterwards; null: open.';
COMMENT ON COLUMN lead_protection.v_hold_history.hold_start_at_before IS
'A correction: the hold''s start before it; null otherwise.';
COMMENT ON COLUMN lead_protection.v_hold_history.hold_end_at_before IS
'A correction: the hold''s end before it; null otherwise, and if it was open.';
COMMENT ON COLUMN lead_protection.v_hold_history.state_before IS 'The lead''s state just before.';
COMMENT ON COLUMN lead_protection.v_hold_history.state_after IS 'The lead''s state just after.';
COMMENT ON COLUMN lead_protection.v_hold_history.expires_before IS 'The lead''s expiry just before.';
COMMENT ON COLUMN lead_protection.v_hold_history.expires_after IS 'The lead''s expiry just after.';
