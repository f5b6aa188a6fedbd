CREATE OR REPLACE FUNCTION lead_protection.written_instant(instant timestamptz)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    -- From 2001 to 2286 there are always 16 digits: they need not be counted, which would compute them twice.
    WHEN
        written_instant.instant >= timestamptz '2001-09-09 01:46:40+00'
        AND written_instant.instant < timestamptz '2286-11-20 17:46:40+00'
        THEN '16:' || (extract(EPOCH FROM written_instant.instant) * 1000000)::bigint
    WHEN isfinite(written_instant.instant)
        THEN
            concat(
                octet_length((extract(EPOCH FROM written_instant.instant) * 1000000)::bigint::text), ':',
                (extract(EPOCH FROM written_instant.instant) * 1000000)::bigint
            )
    ELSE concat(octet_length(written_instant.instant::text), ':', written_instant.instant)
END;

COMMENT ON FUNCTION lead_protection.written_instant(timestamptz) IS
'An instant as a field of the log''s written form (docs/log-format.md): its length in bytes, a colon, and the '
'microseconds since 1970 in UTC, or infinity, or -infinity; null: a colon. Internal.';
