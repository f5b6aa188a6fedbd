CREATE OR REPLACE FUNCTION lead_protection.first_number_of_ours()
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Far above what a company counts, and below 2^53, up to which numbers are exact everywhere.
RETURN 4000000000000000;

COMMENT ON FUNCTION lead_protection.first_number_of_ours() IS
'The first number of leads that come from no table whose numbers are ours, while there is such a table. Internal.';
