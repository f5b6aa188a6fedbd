-- The stop-clock. A stop counts only if it begins before the expiry reached so far, and the first that does not ends
-- the count. Because the stops are disjoint and in order, one test for each is enough: once a stop begins too late,
-- the next begins later still by at least that stop's length, which is all that it could have added.
CREATE OR REPLACE FUNCTION lead_protection.stop_clock(base_expires_at timestamptz, stops tstzmultirange)
RETURNS TABLE (expires_at timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        lead_protection.plus_elapsed(
            stop_clock.base_expires_at,
            coalesce(
                sum(s.elapsed) FILTER (
                    WHERE s.begins_at < lead_protection.plus_elapsed(stop_clock.base_expires_at, s.elapsed_before)
                ),
                INTERVAL '0'
            )
        )
    FROM (
        SELECT
            lower(stop) AS begins_at,
            upper(stop) - lower(stop) AS elapsed,
            coalesce(
                sum(upper(stop) - lower(stop)) OVER (
                    ORDER BY lower(stop) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ),
                INTERVAL '0'
            ) AS elapsed_before
        FROM unnest(stop_clock.stops) AS stop
    ) AS s;
END;

COMMENT ON FUNCTION lead_protection.stop_clock(timestamptz, tstzmultirange) IS
'One row: the expiry of one clock after its stops, exact to the microsecond. base_expires_at: its expiry without stops '
'(null: null); stops: merged, bounded, none before its start (null: none).';
