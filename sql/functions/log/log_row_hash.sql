CREATE OR REPLACE FUNCTION lead_protection.log_row_hash(before bytea, digest bytea)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(coalesce(log_row_hash.before, ''::bytea) || log_row_hash.digest);

COMMENT ON FUNCTION lead_protection.log_row_hash(bytea, bytea) IS
'The hash of a log row in its lead''s chain: SHA-256 of the hash of the row before it (null: there is none), and of '
'its own digest, as log_row_digest() gives it. Internal.';
