CREATE OR REPLACE FUNCTION lead_protection.require_known_kind(kind text)
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM lead_protection.activity_kinds AS k WHERE k.kind = require_known_kind.kind) THEN
        RAISE EXCEPTION 'activity kind % is unknown', require_known_kind.kind
            USING ERRCODE = 'LP021',
            DETAIL = format(
                'The kinds are %s.',
                (SELECT string_agg(k.kind, ', ' ORDER BY k.kind) FROM lead_protection.activity_kinds AS k)
            ),
            HINT = 'Kinds are written in capitals. A new one is a row of lead_protection.activity_kinds.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_known_kind(text) IS
'Refuses an unknown activity kind (LP021). Internal.';
