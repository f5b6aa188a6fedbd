CREATE OR REPLACE FUNCTION lead_protection.require_reason(reason text, what text DEFAULT 'reason')
RETURNS void
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    -- Not \S, which a session with standard_conforming_strings off reads as S.
    IF coalesce(require_reason.reason !~ '[^[:space:]]' OR length(require_reason.reason) > 255, true) THEN
        RAISE EXCEPTION 'the % must have 1 to 255 characters and not be blank', require_reason.what
            USING ERRCODE = 'LP004',
            DETAIL = format('Given: %s characters.', coalesce(length(require_reason.reason), 0)),
            HINT = CASE require_reason.what
                WHEN 'reason' THEN 'Say why the clock changes: the protected user and an auditor will read it.'
                ELSE 'An auditor must find by it what it stands for.'
            END;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_reason(text, text) IS
'Refuses a reason, or another text named by what, that is null, blank or longer than 255 characters (LP004). Internal.';
