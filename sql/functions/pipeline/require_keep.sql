CREATE OR REPLACE FUNCTION lead_protection.require_keep(keep interval)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_keep.keep IS NULL OR require_keep.keep < INTERVAL '1 day' THEN
        RAISE EXCEPTION 'history must be kept for 1 day or longer'
            USING ERRCODE = 'LP016',
            DETAIL = format('Given: %s.', coalesce(require_keep.keep::text, 'null')),
            HINT = 'Leave keep out for 90 days.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_keep(interval) IS
'Refuses a null keep and one shorter than 1 day (LP016). Internal: the steps of the nightly job that delete call it.';
