CREATE OR REPLACE FUNCTION lead_protection.next_log_row_hash(state bytea, before bytea, digest bytea)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lead_protection.log_row_hash(
    coalesce(next_log_row_hash.state, next_log_row_hash.before), next_log_row_hash.digest
);

COMMENT ON FUNCTION lead_protection.next_log_row_hash(bytea, bytea, bytea) IS
'A step of log_chain(). Internal.';
