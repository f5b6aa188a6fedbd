CREATE OR REPLACE FUNCTION lead_protection.count_job_run()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.outcome IN ('failed', 'abandoned') THEN
        PERFORM lead_protection.count_metric(
            'lead_job_failures_total', jsonb_build_object('job', NEW.job_name), 1
        );
    END IF;
    -- One that left at once, or was killed at an unknown moment, processed nothing that could be timed.
    IF NEW.job_name = 'lead-protection-reminders' AND NEW.outcome IN ('succeeded', 'failed') THEN
        PERFORM lead_protection.observe_seconds(
            'lead_reminder_processing_seconds', ARRAY[NEW.finished_at - NEW.started_at]
        );
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.count_job_run() IS
'Trigger: counts failed and abandoned job runs, and times those of the pipeline, for v_metrics, whatever retention '
'later deletes.';

CREATE OR REPLACE TRIGGER count_job_run
AFTER UPDATE OF outcome ON lead_protection.job_runs
FOR EACH ROW WHEN (old.outcome = 'running' AND new.outcome <> 'running')
EXECUTE FUNCTION lead_protection.count_job_run();
