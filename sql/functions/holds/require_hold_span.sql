CREATE OR REPLACE FUNCTION lead_protection.require_hold_span(start_at timestamptz, end_at timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM lead_protection.require_instant(require_hold_span.start_at, 'start_at', may_be_ahead => true);
    PERFORM lead_protection.require_instant(require_hold_span.end_at, 'end_at', may_be_ahead => true);
    IF require_hold_span.end_at <= coalesce(require_hold_span.start_at, clock_timestamp()) THEN
        RAISE EXCEPTION 'a hold must end after it starts'
            USING ERRCODE = 'LP006',
            DETAIL = format(
                'Given: from %s to %s.',
                coalesce(lead_protection.instant_text(require_hold_span.start_at), 'now'),
                coalesce(lead_protection.instant_text(require_hold_span.end_at), 'open')
            ),
            HINT = 'Check the order of the two instants and their time zones.';
    END IF;
    IF require_hold_span.end_at IS NULL AND lead_protection.exceeds_clock_skew(require_hold_span.start_at) THEN
        RAISE EXCEPTION 'a hold without an end cannot start in the future'
            USING ERRCODE = 'LP007',
            DETAIL = format(
                'Given: %s. It is now %s.', lead_protection.instant_text(require_hold_span.start_at),
                lead_protection.instant_text(clock_timestamp())
            ),
            HINT = 'Leave start_at out to stop the clock now, or give end_at to plan a hold.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_hold_span(timestamptz, timestamptz) IS
'Refuses a hold outside the years 1900 to 2999 (LP005), that ends before it starts (LP006), or that is open and starts '
'more than 5 minutes in the future (LP007). start_at null: now; end_at null: open. Internal.';
