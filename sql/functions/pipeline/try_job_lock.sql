-- A lock of the transaction, not of the session: whatever ends the run gives it back, even in an operator's psql.
-- It spares a queued run useless work. What keeps two runs from sending twice are the ledgers' keys.
CREATE OR REPLACE FUNCTION lead_protection.try_job_lock(job_name text)
RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_try_advisory_xact_lock(lead_protection.job_lock_key(try_job_lock.job_name)) $$;

COMMENT ON FUNCTION lead_protection.try_job_lock(text) IS
'True if this transaction is now the one that runs the job in this database. Internal: asked at the start of '
'each transaction of a job.';
