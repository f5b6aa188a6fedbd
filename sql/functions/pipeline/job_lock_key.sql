CREATE OR REPLACE FUNCTION lead_protection.job_lock_key(job_name text)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended('lead_protection job ' || job_lock_key.job_name, 0);

COMMENT ON FUNCTION lead_protection.job_lock_key(text) IS
'The number of the advisory lock that a job''s transactions take; health finds by it who holds it. Internal.';
