-- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
CREATE OR REPLACE FUNCTION lead_protection.preview_lead_hold(
    lead_id bigint,
    user_id bigint,
    start_at timestamptz DEFAULT NULL,
    end_at timestamptz DEFAULT NULL
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    hold lead_protection.lead_hold_result;
    answer lead_protection.lead_change_result;
BEGIN
    BEGIN
        PERFORM lead_protection.lock_leads(ARRAY[preview_lead_hold.lead_id]);
        decided_at := clock_timestamp();
        before := lead_protection.show_lead(preview_lead_hold.lead_id, decided_at);
        hold := lead_protection.create_lead_hold(
            preview_lead_hold.lead_id, preview_lead_hold.user_id, 'preview', 0,
            coalesce(preview_lead_hold.start_at, decided_at), preview_lead_hold.end_at
        );
        answer := lead_protection.lead_change(
            before, lead_protection.show_lead(preview_lead_hold.lead_id, decided_at), hold.created, decided_at
        );
        RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a preview is undone';
    EXCEPTION
        WHEN SQLSTATE 'LP999' THEN
            NULL;
    END;
    RETURN answer;
END;
$$;

COMMENT ON FUNCTION lead_protection.preview_lead_hold(bigint, bigint, timestamptz, timestamptz) IS
'What create_lead_hold() with these arguments would do now, without doing it: the lead before and after, and its '
'errors. An open hold changes the expiry only as time passes: see state and on_hold. Does it and undoes it: it needs a '
'database that takes writes and waits for, and for a moment holds, the lead''s lock.';
