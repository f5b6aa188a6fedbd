CREATE OR REPLACE FUNCTION lead_protection.noticed_expiry(
    expires_at timestamptz, noticed_at timestamptz, notice_base_expires_at timestamptz, stops tstzmultirange,
    day_policy_id bigint
)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN noticed_expiry.noticed_at IS NULL THEN noticed_expiry.expires_at
    ELSE greatest(
        noticed_expiry.expires_at,
        lead_protection.protection_end(
            lead_protection.stop_clock(
                noticed_expiry.notice_base_expires_at,
                noticed_expiry.stops * tstzmultirange(tstzrange(noticed_expiry.noticed_at, NULL)),
                noticed_expiry.day_policy_id
            ),
            noticed_expiry.day_policy_id
        )
    )
END;

COMMENT ON FUNCTION lead_protection.noticed_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange, bigint) IS
'The expiry by the rule, or, where a notice is required and was given (noticed_at), the end of the grace days after it '
'if that is later. Stops from noticed_at on move the latter. day_policy_id: of lead_clocks.';
