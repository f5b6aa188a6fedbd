CREATE OR REPLACE FUNCTION lead_protection.require_sensible_instant(instant timestamptz, what text)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT tstzrange('1900-01-01 00:00:00+00', '3000-01-01 00:00:00+00') @> require_sensible_instant.instant THEN
        RAISE EXCEPTION '% must lie between the years 1900 and 2999', require_sensible_instant.what
            USING ERRCODE = 'LP005',
            DETAIL = format(
                'Given: %s.',
                coalesce(
                    lead_protection.instant_text(require_sensible_instant.instant),
                    require_sensible_instant.instant::text
                )
            ),
            HINT = 'Check the year.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_sensible_instant(timestamptz, text) IS
'Refuses an instant outside the years 1900 to 2999, such as infinity (LP005); null passes. what: its name in the '
'message. Internal.';
