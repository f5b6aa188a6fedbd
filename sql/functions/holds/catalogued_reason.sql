CREATE OR REPLACE FUNCTION lead_protection.catalogued_reason(reason text)
RETURNS lead_protection.hold_reasons
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    only_letters text;
    catalogued lead_protection.hold_reasons;
BEGIN
    SELECT r.* INTO catalogued FROM lead_protection.hold_reasons AS r WHERE r.code = catalogued_reason.reason;
    IF catalogued.code IS NULL THEN
        only_letters := upper(regexp_replace(catalogued_reason.reason, '[^[:alnum:]]+', '', 'g'));
        SELECT r.* INTO catalogued
        FROM lead_protection.hold_reasons AS r
        WHERE replace(r.code, '_', '') = only_letters
        -- Of two codes that differ in underscores only, the one that does not stop the clock.
        ORDER BY r.stops_clock, r.code
        LIMIT 1;
    END IF;
    RETURN catalogued;
END;
$$;

COMMENT ON FUNCTION lead_protection.catalogued_reason(text) IS
'The row of hold_reasons whose code a reason is: what equals a code but for case and all that is neither letter nor '
'digit (blanks, hyphens, underscores) is that code. All null: it is free text. Internal.';
