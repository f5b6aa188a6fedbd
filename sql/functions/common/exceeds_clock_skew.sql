CREATE OR REPLACE FUNCTION lead_protection.exceeds_clock_skew(instant timestamptz)
RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN exceeds_clock_skew.instant > clock_timestamp() + INTERVAL '5 minutes';

COMMENT ON FUNCTION lead_protection.exceeds_clock_skew(timestamptz) IS
'True if instant is in the future by more than 5 minutes, the skew allowed between an application''s clock and the '
'database''s. Null if instant is null. Internal.';
