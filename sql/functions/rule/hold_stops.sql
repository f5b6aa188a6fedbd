CREATE OR REPLACE FUNCTION lead_protection.hold_stops(
    lead_id bigint, user_id bigint, started_at timestamptz, closed_at timestamptz
)
RETURNS TABLE (stops tstzmultirange, open_from timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        coalesce(
            range_agg(tstzrange(h.start_at, h.end_at)) FILTER (WHERE h.end_at IS NOT NULL)
            * tstzmultirange(tstzrange(hold_stops.started_at, NULL)),
            '{}'
        ) AS stops,
        min(greatest(h.start_at, hold_stops.started_at)) FILTER (WHERE h.end_at IS NULL) AS open_from
    FROM (
        -- Closing a lead ends its clock, and with it an open hold.
        SELECT
            f.start_at,
            CASE
                WHEN hold_stops.closed_at IS NULL THEN f.end_at
                ELSE coalesce(f.end_at, greatest(hold_stops.closed_at, f.start_at))
            END AS end_at
        FROM lead_protection.lead_holds AS f
        WHERE f.lead_id = hold_stops.lead_id AND f.user_id = hold_stops.user_id AND f.voided_at IS NULL
    ) AS h;
END;

COMMENT ON FUNCTION lead_protection.hold_stops(bigint, bigint, timestamptz, timestamptz) IS
'How the holds of a user stop the clock of a lead: stops (merged, bounded, none before the start), and where the open '
'hold begins, null if there is none. closed_at ends an open hold; null: the lead is open.';
