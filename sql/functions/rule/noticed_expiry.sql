CREATE OR REPLACE FUNCTION lead_protection.noticed_expiry(
    expires_at timestamptz, noticed_at timestamptz, notice_base_expires_at timestamptz, stops tstzmultirange
)
RETURNS TABLE (expires_at timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    -- greatest() passes over the notice where none is required.
    SELECT greatest(noticed_expiry.expires_at, notice.expires_at)
    FROM lead_protection.stop_clock(
        noticed_expiry.notice_base_expires_at,
        CASE
            WHEN noticed_expiry.noticed_at IS NOT NULL
                THEN noticed_expiry.stops * tstzmultirange(tstzrange(noticed_expiry.noticed_at, NULL))
        END
    ) AS notice;
END;

COMMENT ON FUNCTION lead_protection.noticed_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange) IS
'One row: the expiry by the rule, or, where a notice is required, the end of the grace days after the reminder if that '
'is later. Stops from noticed_at on move the latter.';
