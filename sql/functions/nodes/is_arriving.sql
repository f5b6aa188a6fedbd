CREATE OR REPLACE FUNCTION lead_protection.is_arriving(lead_id bigint)
RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT FROM lead_protection.lead_moves AS m
    WHERE m.lead_id = is_arriving.lead_id AND m.is_here AND m.packed IS NOT NULL
);

COMMENT ON FUNCTION lead_protection.is_arriving(bigint) IS
'Whether arrive_leads() is taking the lead in, in this very transaction: only then has a lead that is here a copy. '
'Internal: triggers call it, which neither log nor publish what comes. They ask first, which costs nothing, whether '
'the setting lead_protection.leads_arrive is on; anybody could set it, but not what this looks at.';
