-- jsonb renders a timestamptz in the session's time zone; an event must read the same whoever wrote it.
CREATE OR REPLACE FUNCTION lead_protection.instant_text(instant timestamptz)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(instant_text.instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

COMMENT ON FUNCTION lead_protection.instant_text(timestamptz) IS
'An instant as ISO 8601 text in UTC with microseconds, whatever the session''s settings. Null if instant is null. '
'Internal.';
