CREATE OR REPLACE FUNCTION lead_protection.require_adoptable_source(source text, problems text[])
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF cardinality(require_adoptable_source.problems) > 0 THEN
        RAISE EXCEPTION '% cannot be taken as it is', require_adoptable_source.source
            USING ERRCODE = 'LP045',
            DETAIL = array_to_string(require_adoptable_source.problems, E'\n'),
            HINT = 'Mend these or give other arguments. Nothing was changed. lead_protection.check_source() tells the same '
            'at any time.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_adoptable_source(text, text[]) IS
'Refuses a table of the company''s own in which the check found problems (LP045). Internal.';
