CREATE OR REPLACE FUNCTION lead_protection.adopted_activity_key(adoption_id bigint, row_key text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format('adoption %s row %s', adopted_activity_key.adoption_id, adopted_activity_key.row_key);

COMMENT ON FUNCTION lead_protection.adopted_activity_key(bigint, text) IS
'The activity_key of a row of an adopted table of activities. Not by the table''s name: that may change. Internal.';
