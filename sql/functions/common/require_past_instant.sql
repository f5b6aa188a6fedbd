CREATE OR REPLACE FUNCTION lead_protection.require_past_instant(instant timestamptz, what text)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF lead_protection.lies_ahead(require_past_instant.instant) THEN
        RAISE EXCEPTION '% lies in the future', require_past_instant.what
            USING ERRCODE = 'LP010',
            DETAIL = format(
                'Given: %s. It is now %s.',
                coalesce(
                    lead_protection.instant_text(require_past_instant.instant), require_past_instant.instant::text
                ),
                lead_protection.instant_text(clock_timestamp())
            ),
            HINT = 'Check the date and its time zone.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_past_instant(timestamptz, text) IS
'Refuses an instant that lies more than 5 minutes ahead (LP010); null passes. what: its name in the message. Internal.';
