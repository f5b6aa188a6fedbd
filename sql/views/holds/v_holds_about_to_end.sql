CREATE OR REPLACE VIEW lead_protection.v_holds_about_to_end AS
SELECT
    a.hold_id,
    a.lead_id,
    a.user_id,
    a.reason_code,
    coalesce(a.end_at, a.limit_at) AS ends_at,
    CASE WHEN a.end_at IS NOT NULL THEN 'end' ELSE 'limit' END AS ends_by,
    a.version
FROM lead_protection.v_active_holds AS a
WHERE coalesce(a.end_at, a.limit_at) < now() + INTERVAL '168 hours';

COMMENT ON VIEW lead_protection.v_holds_about_to_end IS
'The holds in force that end, or if they are open reach their limit, within 7 days of 24 hours.';
COMMENT ON COLUMN lead_protection.v_holds_about_to_end.hold_id IS 'The hold.';
COMMENT ON COLUMN lead_protection.v_holds_about_to_end.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.v_holds_about_to_end.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_holds_about_to_end.reason_code IS 'The reason, in hold_reasons.';
COMMENT ON COLUMN lead_protection.v_holds_about_to_end.ends_at IS 'When it ends: its planned end or its limit.';
COMMENT ON COLUMN lead_protection.v_holds_about_to_end.ends_by IS
'end: as planned; limit: the nightly job will end it.';
COMMENT ON COLUMN lead_protection.v_holds_about_to_end.version IS 'What a correction must name.';
