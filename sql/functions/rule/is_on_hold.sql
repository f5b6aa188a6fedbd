-- A stop in force that begins too late to count never makes it here: runs_from knows only those that count, and of
-- stops in order, none before the last that counts begins too late. A clock without stops runs from its start: that
-- line adds nothing but the predicate of lead_clocks_stopped.
CREATE OR REPLACE FUNCTION lead_protection.is_on_hold(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN clock.runs_from > as_of
AND clock.runs_from > clock.started_at
AND (coalesce(clock.open_hold_from <= as_of, false) OR clock.stops @> as_of)
AND NOT coalesce(clock.closed_at <= as_of, false);

COMMENT ON FUNCTION lead_protection.is_on_hold(lead_protection.lead_clocks, timestamptz) IS
'True if the clock stands still at as_of: a hold is in force, it began before the expiry, and the lead is not closed. '
'Never null.';
