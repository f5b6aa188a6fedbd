CREATE OR REPLACE FUNCTION lead_protection.require_hold_version(hold lead_protection.lead_holds, version integer)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_hold_version.hold.version <> require_hold_version.version THEN
        RAISE EXCEPTION 'hold % was changed meanwhile', require_hold_version.hold.id
            USING ERRCODE = 'LP035',
            DETAIL = format(
                'It is at version %s, from %s to %s; given: version %s.', require_hold_version.hold.version,
                lead_protection.instant_text(require_hold_version.hold.start_at),
                coalesce(lead_protection.instant_text(require_hold_version.hold.end_at), 'open'),
                require_hold_version.version
            ),
            HINT = 'Look at it again, decide again, and name its present version.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_hold_version(lead_protection.lead_holds, integer) IS
'Refuses a change that was decided on another version of the hold (LP035). Internal.';
