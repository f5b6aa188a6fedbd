-- In PL/pgSQL, which evaluates only what a clock needs, like clock_at().
CREATE OR REPLACE FUNCTION lead_protection.time_left(
    clock lead_protection.lead_clocks, expires_at timestamptz, state text, as_of timestamptz
)
RETURNS interval
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN CASE
        WHEN time_left.state IN ('CLOSED', 'FREE') THEN NULL
        WHEN time_left.state = 'EXPIRED' THEN INTERVAL '0'
        WHEN time_left.clock.runs_from <= time_left.as_of THEN time_left.expires_at - time_left.as_of
        ELSE lead_protection.stopped_time_left(time_left.clock, time_left.as_of)
    END;
END;
$$;

COMMENT ON FUNCTION lead_protection.time_left(lead_protection.lead_clocks, timestamptz, text, timestamptz) IS
'For how long a protection has still to run at as_of: constant while its clock stands still; stops ahead do not count. '
'Zero once expired; null once closed, and if the lead is free. expires_at, state: as clock_at() shows them. '
'Internal.';
