CREATE OR REPLACE FUNCTION lead_protection.hold_reason_code(reason text)
RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    catalogued lead_protection.hold_reasons;
BEGIN
    PERFORM lead_protection.require_reason(hold_reason_code.reason);
    catalogued := lead_protection.catalogued_reason(hold_reason_code.reason);
    IF catalogued.code = 'OTHER' THEN
        RAISE EXCEPTION 'OTHER is no reason'
            USING ERRCODE = 'LP004',
            DETAIL = 'OTHER stands for free text.',
            HINT = 'Say the reason in your own words: they are filed under OTHER.';
    END IF;
    -- A slip in a code must not become free text.
    IF catalogued.code IS NULL AND hold_reason_code.reason ~ '^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$' THEN
        RAISE EXCEPTION 'reason % is unknown', hold_reason_code.reason
            USING ERRCODE = 'LP030',
            DETAIL = 'It looks like a code and is not in lead_protection.hold_reasons.',
            HINT = 'Use a code of the catalog, or words.';
    END IF;
    IF catalogued.code IS NULL THEN
        SELECT r.* INTO catalogued FROM lead_protection.hold_reasons AS r WHERE r.code = 'OTHER';
    END IF;
    IF catalogued.stops_clock IS NOT TRUE THEN
        RAISE EXCEPTION '% does not stop the clock', coalesce(catalogued.code, 'OTHER')
            USING ERRCODE = 'LP031',
            DETAIL = coalesce(catalogued.description, 'OTHER is not in the catalog.'),
            HINT = 'lead_protection.hold_reasons says which reasons do.';
    END IF;
    RETURN catalogued.code;
END;
$$;

COMMENT ON FUNCTION lead_protection.hold_reason_code(text) IS
'The code under which a hold''s reason is filed: that of hold_reasons which it is, see catalogued_reason(), OTHER if '
'it is free text. Errors: LP004 blank, too long or just OTHER, LP030 looks like a code and is unknown, LP031 may not '
'stop the clock (free text: OTHER may not). Internal.';
