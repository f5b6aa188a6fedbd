CREATE OR REPLACE FUNCTION lead_protection.pause_protection(reason text, actor_id bigint)
RETURNS lead_protection.pause_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    paused lead_protection.pause_result;
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('actor_id', pause_protection.actor_id));
    IF coalesce(pause_protection.reason !~ '[^[:space:]]' OR length(pause_protection.reason) > 255, true) THEN
        RAISE EXCEPTION 'a pause needs a reason of 1 to 255 characters'
            USING ERRCODE = 'LP060',
            DETAIL = format('Given: %s characters.', coalesce(length(pause_protection.reason), 0)),
            HINT = 'Say what you wait for: whoever is to resume will read it in health.';
    END IF;

    UPDATE lead_protection.settings AS s
    SET
        paused_at = clock_timestamp(), paused_by = pause_protection.actor_id, pause_reason = pause_protection.reason
    WHERE s.paused_at IS NULL;
    paused.changed := FOUND;
    IF paused.changed THEN
        INSERT INTO lead_protection.pause_log (action, actor_id, reason)
        VALUES ('paused', pause_protection.actor_id, pause_protection.reason);
    END IF;
    SELECT s.paused_at, s.paused_by, s.pause_reason
    INTO paused.paused_at, paused.paused_by, paused.pause_reason
    FROM lead_protection.settings AS s;
    RETURN paused;
END;
$$;

COMMENT ON FUNCTION lead_protection.pause_protection(text, bigint) IS
'Pauses both jobs, for operators: from its commit on they send, record and delete nothing until resume_protection(); a '
'run under way stops after the batch at work. The scheduler goes on to start them: they leave at once, with outcome '
'skipped. Clocks run on, and the functions that change a lead work as ever. reason: what is waited for, 1 to 255 '
'characters; actor_id: who decides it. Recorded in pause_log.
Returns changed = true and the pause. Repeated while paused: changed = false and the pause that stands, which keeps '
'its reason.
Errors: LP001 no actor_id, LP060 no reason.';
