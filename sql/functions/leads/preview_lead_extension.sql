-- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
CREATE OR REPLACE FUNCTION lead_protection.preview_lead_extension(
    lead_id bigint, user_id bigint, days integer
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer lead_protection.lead_change_result;
BEGIN
    BEGIN
        answer := lead_protection.extend_lead(
            preview_lead_extension.lead_id, preview_lead_extension.user_id, preview_lead_extension.days,
            'preview', 0, 0, 'preview ' || gen_random_uuid()
        );
        RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a preview is undone';
    EXCEPTION
        WHEN SQLSTATE 'LP999' THEN
            NULL;
    END;
    RETURN answer;
END;
$$;

COMMENT ON FUNCTION lead_protection.preview_lead_extension(bigint, bigint, integer) IS
'What extend_lead() would answer now, without doing it: its row and its errors. Does it and undoes it: it needs a '
'database that takes writes and waits for, and for a moment holds, the lead''s lock.';
