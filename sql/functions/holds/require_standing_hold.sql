CREATE OR REPLACE FUNCTION lead_protection.require_standing_hold(hold lead_protection.lead_holds)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_standing_hold.hold.voided_at IS NOT NULL THEN
        RAISE EXCEPTION 'hold % is void', require_standing_hold.hold.id
            USING ERRCODE = 'LP034',
            DETAIL = format(
                'It was voided at %s by %s.', lead_protection.instant_text(require_standing_hold.hold.voided_at),
                require_standing_hold.hold.voided_by
            ),
            HINT = 'Make a new hold.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_standing_hold(lead_protection.lead_holds) IS
'Refuses a hold that was declared void (LP034). Internal.';
