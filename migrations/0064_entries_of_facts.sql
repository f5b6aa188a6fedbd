-- They say more now, and are made again by the load.
-- depends: 0061_neutral_reasons
-- squawk-ignore-file ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.explain_protection(bigint, timestamptz);
DROP FUNCTION IF EXISTS lead_protection.explain_steps(bigint, timestamptz);
DROP FUNCTION IF EXISTS lead_protection.explain_holds(lead_protection.lead_clocks, text, timestamptz);
DROP FUNCTION IF EXISTS lead_protection.explain_calendar(lead_protection.lead_clocks, text, timestamptz);
