-- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
CREATE OR REPLACE FUNCTION lead_protection.preview_hold_void(hold_id bigint)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer lead_protection.lead_change_result;
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('hold_id', preview_hold_void.hold_id));
    BEGIN
        answer := lead_protection.void_lead_hold(
            preview_hold_void.hold_id, (lead_protection.lock_hold(preview_hold_void.hold_id)).version, 'preview', 0
        );
        RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a preview is undone';
    EXCEPTION
        WHEN SQLSTATE 'LP999' THEN
            NULL;
    END;
    RETURN answer;
END;
$$;

COMMENT ON FUNCTION lead_protection.preview_hold_void(bigint) IS
'What void_lead_hold() would answer now, without doing it: its row and its errors. Does it and undoes it: it needs a '
'database that takes writes and waits for, and for a moment holds, the lead''s lock.';
