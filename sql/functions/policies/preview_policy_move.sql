-- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
CREATE OR REPLACE FUNCTION lead_protection.preview_policy_move(
    lead_ids bigint[], policy_id bigint
)
RETURNS SETOF lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer lead_protection.lead_change_result [];
BEGIN
    BEGIN
        answer := ARRAY(
            SELECT m
            FROM lead_protection.move_leads_to_policy(
                preview_policy_move.lead_ids, preview_policy_move.policy_id, 'preview', 0
            ) AS m
        );
        RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a preview is undone';
    EXCEPTION
        WHEN SQLSTATE 'LP999' THEN
            NULL;
    END;
    RETURN QUERY SELECT a.* FROM unnest(answer) AS a;
END;
$$;

COMMENT ON FUNCTION lead_protection.preview_policy_move(bigint[], bigint) IS
'What move_leads_to_policy() would answer now, without doing it: its rows and its errors. Add WHERE expires_after IS '
'DISTINCT FROM expires_before for the leads whose expiry changes. Does it and undoes it: it needs a database that '
'takes writes and waits for, and for a moment holds, the leads'' locks.';
