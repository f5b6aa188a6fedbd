CREATE OR REPLACE FUNCTION lead_protection.require_valid_hold(hold lead_protection.lead_holds, version integer)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_valid_hold.hold.version <> require_valid_hold.version THEN
        RAISE EXCEPTION 'hold % was changed meanwhile', require_valid_hold.hold.id
            USING ERRCODE = 'LP035',
            DETAIL = format(
                'It is at version %s, from %s to %s; given: version %s.', require_valid_hold.hold.version,
                lead_protection.instant_text(require_valid_hold.hold.start_at),
                coalesce(lead_protection.instant_text(require_valid_hold.hold.end_at), 'open'),
                require_valid_hold.version
            ),
            HINT = 'Look at it again, decide again, and name its present version.';
    END IF;
    IF require_valid_hold.hold.voided_at IS NOT NULL THEN
        RAISE EXCEPTION 'hold % is void', require_valid_hold.hold.id
            USING ERRCODE = 'LP034',
            DETAIL = format(
                'It was voided at %s by %s.', lead_protection.instant_text(require_valid_hold.hold.voided_at),
                require_valid_hold.hold.voided_by
            ),
            HINT = 'Make a new hold.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_valid_hold(lead_protection.lead_holds, integer) IS
'Refuses a change that was decided on another version of the hold (LP035), and one of a hold that was declared void '
'(LP034). Internal.';
