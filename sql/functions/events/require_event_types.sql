CREATE OR REPLACE FUNCTION lead_protection.require_event_types(types text[])
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
BEGIN
    SELECT string_agg(coalesce(quote_literal(t.type), 'null'), ', ') INTO unknown
    FROM unnest(require_event_types.types) AS t (type)
    WHERE NOT EXISTS (SELECT FROM lead_protection.event_types AS e WHERE e.type = t.type);
    IF unknown IS NOT NULL OR cardinality(require_event_types.types) = 0 THEN
        RAISE EXCEPTION 'unknown event types'
            USING ERRCODE = 'LP039',
            DETAIL = format('Given and unknown: %s.', coalesce(unknown, 'none at all, an empty list')),
            HINT = 'lead_protection.event_types has all of them. Leave types out (null) for every type.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_event_types(text[]) IS
'Refuses an empty list and types that are not in event_types (LP039); null passes. Internal.';
