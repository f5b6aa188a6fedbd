-- Of columns alone, so that it can be the condition of lead_clocks_held and lead_clocks_held_otherwise: inlined, the
-- view's is the same.
CREATE OR REPLACE FUNCTION lead_protection.is_plainly_held(clock lead_protection.lead_clocks)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN is_plainly_held.clock.runs_from = 'infinity'
AND (
    -- Another stop reaches into the open hold or lies ahead of it, or a clock was restarted during it, or it began
    -- after the expiry by the rule, while a notice was owed, or one is owed.
    greatest(
        upper(is_plainly_held.clock.stops), is_plainly_held.clock.idle_from, is_plainly_held.clock.noticed_at
    ) >= is_plainly_held.clock.open_hold_from
    OR is_plainly_held.clock.open_hold_from >= is_plainly_held.clock.protection_expires_at
    OR is_plainly_held.clock.owed_notice_days IS NOT NULL
) IS NOT TRUE;

COMMENT ON FUNCTION lead_protection.is_plainly_held(lead_protection.lead_clocks) IS
'True if an open hold stops the clock and nothing else moves it: what is left is what was when the hold began. Never '
'null.';
