-- The linter does not see that a SELECT without FROM has one row.
-- noqa: disable=AM09
CREATE OR REPLACE FUNCTION lead_protection.running_clock(
    started_at timestamptz, stops tstzmultirange, open_from timestamptz, expires_at timestamptz,
    owed_notice_days integer
)
RETURNS TABLE (open_hold_from timestamptz, runs_from timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        -- An open hold that begins at the expiry or later will never count.
        CASE WHEN running_clock.open_from < counting.ends_at THEN running_clock.open_from END AS open_hold_from,
        CASE
            WHEN running_clock.open_from < counting.ends_at THEN 'infinity'
            -- Stops that begin at the expiry or later do not count; those that count end before it.
            ELSE greatest(
                running_clock.started_at,
                upper(running_clock.stops * tstzmultirange(tstzrange(NULL, counting.ends_at)))
            )
        END AS runs_from
    FROM (
        -- While a notice is owed the protection does not end, and a hold can still begin.
        SELECT
            CASE
                WHEN running_clock.owed_notice_days IS NULL THEN running_clock.expires_at
                ELSE 'infinity'
            END AS ends_at
        LIMIT 1
    ) AS counting;
END;

COMMENT ON FUNCTION lead_protection.running_clock(timestamptz, tstzmultirange, timestamptz, timestamptz, integer) IS
'From when a clock stands still for its open hold (null: it does not), and from when it runs for good. stops, '
'open_from: of hold_stops(); owed_notice_days: of lead_clocks.';
