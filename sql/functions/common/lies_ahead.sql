CREATE OR REPLACE FUNCTION lead_protection.lies_ahead(instant timestamptz)
RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN instant > clock_timestamp() + INTERVAL '5 minutes';

COMMENT ON FUNCTION lead_protection.lies_ahead(timestamptz) IS
'True if instant is in the future by more than 5 minutes, the skew allowed between an application''s clock and the '
'database''s. Null if instant is null.';
