-- What a process is at nobody but its own role sees, and its number may be another's by now. But whoever is in a step
-- holds the lock of the job, which all can see, and from one step to the next it is a moment.
CREATE OR REPLACE FUNCTION lead_protection.is_at_work(run lead_protection.job_runs)
RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
SELECT
    is_at_work.run.outcome = 'running'
    AND EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = is_at_work.run.backend_pid)
    AND (
        coalesce(is_at_work.run.stepped_at, is_at_work.run.started_at)
        BETWEEN clock_timestamp() - INTERVAL '1 minute' AND clock_timestamp() + INTERVAL '1 minute'
        OR EXISTS (
            SELECT
            FROM lead_protection.lock_rows AS w
            -- The row bears the transaction that has it locked.
            INNER JOIN pg_locks AS t ON w.xmax = t.transactionid AND t.locktype = 'transactionid' AND t.granted
            WHERE w.lock_name = is_at_work.run.job_name AND t.pid = is_at_work.run.backend_pid
        )
    )
$$;

COMMENT ON FUNCTION lead_protection.is_at_work(lead_protection.job_runs) IS
'True if a run that says running is at work: its process is there, and is in a step, which it tells by the lock of the '
'job, or ended one less than a minute ago. False: it was killed, or cancelled between two steps, or its process number '
'is another connection''s. On a standby it does not know. Internal: start_job_run() and health ask it.';
