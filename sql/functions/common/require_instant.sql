CREATE OR REPLACE FUNCTION lead_protection.require_instant(instant timestamptz, what text, may_be_ahead boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT tstzrange('1900-01-01 00:00:00+00', '3000-01-01 00:00:00+00') @> require_instant.instant THEN
        RAISE EXCEPTION '% must lie between the years 1900 and 2999', require_instant.what
            USING ERRCODE = 'LP005',
            DETAIL = format(
                'Given: %s.',
                coalesce(lead_protection.instant_text(require_instant.instant), require_instant.instant::text)
            ),
            HINT = 'Check the year.';
    END IF;
    IF NOT require_instant.may_be_ahead AND lead_protection.exceeds_clock_skew(require_instant.instant) THEN
        RAISE EXCEPTION '% lies in the future', require_instant.what
            USING ERRCODE = 'LP010',
            DETAIL = format(
                'Given: %s. It is now %s.', lead_protection.instant_text(require_instant.instant),
                lead_protection.instant_text(clock_timestamp())
            ),
            HINT = 'Check the date and its time zone.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_instant(timestamptz, text, boolean) IS
'Refuses an instant outside the years 1900 to 2999, such as infinity (LP005), and, unless it may be ahead, one that '
'lies more than 5 minutes ahead (LP010); null passes. what: its name in the message. Internal.';
