CREATE OR REPLACE FUNCTION lead_protection.resume_protection(actor_id bigint)
RETURNS lead_protection.pause_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    resumed lead_protection.pause_result;
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('actor_id', resume_protection.actor_id));
    UPDATE lead_protection.settings AS s
    SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
    WHERE s.paused_at IS NOT NULL;
    resumed.changed := FOUND;
    IF resumed.changed THEN
        INSERT INTO lead_protection.pause_log (action, actor_id) VALUES ('resumed', resume_protection.actor_id);
    END IF;
    RETURN resumed;
END;
$$;

COMMENT ON FUNCTION lead_protection.resume_protection(bigint) IS
'Ends a pause, for operators: the next run of each job does all that is due. actor_id: who decides it. Recorded in '
'pause_log.
Returns changed = true. Repeated, or when nothing is paused: changed = false, and nothing is written.
Error: LP001 no actor_id.';
