CREATE OR REPLACE FUNCTION lead_protection.count_passed_over(run lead_protection.job_runs)
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- Of those that an earlier run passed over this one has found nothing left to do, or has done it.
DELETE FROM lead_protection.passed_over_leads AS o
WHERE o.job_name = count_passed_over.run.job_name AND o.last_at < count_passed_over.run.started_at;

SELECT count(*) FROM lead_protection.passed_over_leads AS o WHERE o.job_name = count_passed_over.run.job_name
$$;

COMMENT ON FUNCTION lead_protection.count_passed_over(lead_protection.job_runs) IS
'Takes those leads out of passed_over_leads that this run of the job did not pass over, and counts the others. '
'Internal: a run that has done all its steps ends with it.';
