-- The linter does not see that a SELECT without FROM has one row.
-- noqa: disable=AM09
-- A function of its own, called when it is needed: inlined, it would make the planner take every list for a long one.
CREATE OR REPLACE FUNCTION lead_protection.recounted_expiry(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        lead_protection.noticed_expiry(
            lead_protection.rule_expiry(
                recounted_expiry.clock.base_expires_at,
                recounted_expiry.clock.idle_from,
                recounted_expiry.clock.idle_base_expires_at,
                hold.stops,
                recounted_expiry.clock.day_policy_id
            ),
            recounted_expiry.clock.noticed_at,
            recounted_expiry.clock.notice_base_expires_at,
            hold.stops,
            recounted_expiry.clock.day_policy_id
        )
    FROM (
        SELECT
            recounted_expiry.clock.stops
            + tstzmultirange(tstzrange(recounted_expiry.clock.open_hold_from, recounted_expiry.as_of)) AS stops
        LIMIT 1
    ) AS hold;
END;

COMMENT ON FUNCTION lead_protection.recounted_expiry(lead_protection.lead_clocks, timestamptz) IS
'Expiry at as_of of a clock that an open hold stops, counted anew with all its stops, as if that hold ended at as_of. '
'For clocks whose other stops reach into the open hold or lie ahead of it, which were restarted during it, or which '
'count by days.';
