CREATE OR REPLACE FUNCTION lead_protection.written_instant(instant timestamptz)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce('16:' || encode(timestamptz_send(written_instant.instant), 'hex'), ':');

COMMENT ON FUNCTION lead_protection.written_instant(timestamptz) IS
'An instant as a field of the log''s written form (docs/log-format.md): 16 hexadecimal digits, the microseconds since '
'2000 in UTC; null: a colon. Internal.';
