CREATE OR REPLACE FUNCTION lead_protection.require_outcome(outcome text)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_outcome.outcome NOT IN ('CONVERTED', 'LOST') THEN
        RAISE EXCEPTION 'a lead cannot be closed as %', require_outcome.outcome
            USING ERRCODE = 'LP027',
            DETAIL = 'The outcomes are CONVERTED and LOST.',
            HINT = 'To delete a lead, use delete_lead().';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_outcome(text) IS
'Refuses an outcome with which a lead cannot be closed (LP027). Internal.';
