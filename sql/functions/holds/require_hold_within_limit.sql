CREATE OR REPLACE FUNCTION lead_protection.require_hold_within_limit(
    hold lead_protection.lead_holds, decided_at timestamptz
)
RETURNS void
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    limit_at CONSTANT timestamptz := lead_protection.hold_limit_at(
        require_hold_within_limit.hold, require_hold_within_limit.decided_at
    );
BEGIN
    -- An open hold must have some time left.
    IF
        require_hold_within_limit.hold.end_at > limit_at
        OR (require_hold_within_limit.hold.end_at IS NULL AND require_hold_within_limit.decided_at >= limit_at)
    THEN
        RAISE EXCEPTION 'the hold of lead % would pass its limit', require_hold_within_limit.hold.lead_id
            USING ERRCODE = 'LP032',
            DETAIL = format('It may last until %s.', lead_protection.instant_text(limit_at)),
            HINT = 'Choose an earlier end. An operator may allow more to a hold that is there, with '
                'override_hold_limit().';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_hold_within_limit(lead_protection.lead_holds, timestamptz) IS
'Refuses a hold that would pass the limit of its policy (LP032). Internal.';
