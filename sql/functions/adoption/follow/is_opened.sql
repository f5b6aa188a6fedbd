CREATE OR REPLACE FUNCTION lead_protection.is_opened(
    seen_outcome text, outcome text, closed_at timestamptz, closed_as text
)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN is_opened.seen_outcome IS DISTINCT FROM is_opened.outcome AND is_opened.closed_at IS NOT NULL
AND is_opened.outcome IS DISTINCT FROM 'DELETED' AND is_opened.outcome IS DISTINCT FROM is_opened.closed_as;

COMMENT ON FUNCTION lead_protection.is_opened(text, text, timestamptz, text) IS
'True if a lead, closed here as closed_as, is opened because its table says outcome and said seen_outcome before: be '
'it only to be closed in another way. Internal.';
