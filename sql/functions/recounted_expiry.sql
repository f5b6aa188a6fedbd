-- A function of its own, called when it is needed: inlined, it would make the planner take every list for a long one.
CREATE OR REPLACE FUNCTION lead_protection.recounted_expiry(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT expiry.expires_at
    FROM lead_protection.protection_expiry(
        clock.base_expires_at, clock.stops + tstzmultirange(tstzrange(clock.open_hold_from, as_of))
    ) AS expiry;
END;

COMMENT ON FUNCTION lead_protection.recounted_expiry(lead_protection.lead_clocks, timestamptz) IS
'Expiry at as_of of a clock that an open hold stops, counted anew with all its stops, as if that hold ended at as_of. For clocks whose other stops reach into the open hold or lie ahead of it.';
