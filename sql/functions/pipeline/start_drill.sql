CREATE OR REPLACE FUNCTION lead_protection.start_drill(as_of timestamptz, batch_size integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    run_id bigint;
BEGIN
    IF NOT (SELECT s.for_drills FROM lead_protection.settings AS s) THEN
        RAISE EXCEPTION 'this database is not for drills'
            USING ERRCODE = 'LP080',
            DETAIL = format('settings.for_drills is false in database %s.', current_database()),
            HINT = 'CALL run_protection_pipeline(), which decides for now. For a drill take a copy, and set it there.';
    END IF;
    PERFORM lead_protection.require_arguments(jsonb_build_object('as_of', start_drill.as_of));
    PERFORM lead_protection.require_job_arguments(start_drill.as_of, start_drill.batch_size);
    run_id := lead_protection.start_job_run('lead-protection-reminders', start_drill.batch_size);
    UPDATE lead_protection.job_runs AS r SET as_of = start_drill.as_of WHERE r.id = run_id;
    RETURN run_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.start_drill(timestamptz, integer) IS
'Opens the run of a drill, see run_protection_drill(), whose errors it raises. Granted to nobody. Internal.';
