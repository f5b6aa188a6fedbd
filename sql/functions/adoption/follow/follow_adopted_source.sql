CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_source()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- The columns are quoted.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off
DECLARE
    adoption lead_protection.adoptions;
BEGIN
    SELECT a.* INTO adoption FROM lead_protection.adoptions AS a WHERE a.id = TG_ARGV[0]::bigint;
    IF adoption.disowned_at IS NULL THEN
        EXECUTE lead_protection.noting_sql(adoption, TG_OP);
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN OTHERS THEN
        -- A column that was dropped, say; or a snapshot that is older than the adoption.
        BEGIN
            INSERT INTO lead_protection.adoption_notes (adoption_id) VALUES (TG_ARGV[0]::bigint);
        EXCEPTION
            WHEN OTHERS THEN
                RAISE WARNING 'lead_protection has no note of a write to %: %', TG_RELID::regclass, SQLERRM
                    USING ERRCODE = SQLSTATE, DETAIL = 'The nightly job finds it.', HINT = 'Look at its health.';
        END;
        RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adopted_source() IS
'Trigger on a table that was adopted with 0.4.0: notes in adoption_notes which rows a statement wrote, and never '
'fails. A table that was adopted since has a function of its own, see make_note_taker(), which is quicker.';
