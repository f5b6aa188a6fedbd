-- A stop in force that begins too late to count never makes it here: runs_from knows only those that count, and of
-- stops in order, none before the last that counts begins too late. A clock without stops runs from its start: that
-- line adds nothing but the predicate of lead_clocks_held_otherwise.
CREATE OR REPLACE FUNCTION lead_protection.is_on_hold(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN is_on_hold.clock.runs_from > is_on_hold.as_of
AND is_on_hold.clock.runs_from > is_on_hold.clock.started_at
AND (
    coalesce(is_on_hold.clock.open_hold_from <= is_on_hold.as_of, false)
    OR is_on_hold.clock.stops @> is_on_hold.as_of
)
AND NOT coalesce(is_on_hold.clock.closed_at <= is_on_hold.as_of, false);

COMMENT ON FUNCTION lead_protection.is_on_hold(lead_protection.lead_clocks, timestamptz) IS
'True if the clock stands still at as_of: a hold is in force, it began before the expiry, and the lead is not closed. '
'Never null.';
