-- Most policies limit no hold: hold_limit() is one large query, and is started only where there is something to find.
CREATE OR REPLACE FUNCTION lead_protection.hold_limit_at(hold lead_protection.lead_holds, as_of timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF
        EXISTS (
            SELECT
            FROM lead_protection.leads AS l
            INNER JOIN lead_protection.protection_policies AS p ON l.policy_id = p.id
            WHERE l.id = hold_limit_at.hold.lead_id AND num_nonnulls(p.hold_limit_days, p.hold_total_limit_days) > 0
        )
    THEN
        RETURN (SELECT l.limit_at FROM lead_protection.hold_limit(hold_limit_at.hold, hold_limit_at.as_of) AS l);
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.hold_limit_at(lead_protection.lead_holds, timestamptz) IS
'The same as hold_limit(), for one hold: until when it may last. Null: its lead''s policy sets no limit. Internal.';
