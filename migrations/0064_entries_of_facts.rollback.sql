DROP FUNCTION IF EXISTS lead_protection.explain_protection(bigint, timestamptz);
DROP FUNCTION IF EXISTS lead_protection.explain_steps(bigint, timestamptz);
DROP FUNCTION IF EXISTS lead_protection.explain_holds(lead_protection.lead_clocks, text, timestamptz);
DROP FUNCTION IF EXISTS lead_protection.explain_calendar(lead_protection.lead_clocks, text, timestamptz);
