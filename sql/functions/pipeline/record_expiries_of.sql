CREATE OR REPLACE FUNCTION lead_protection.record_expiries_of(lead_ids bigint[], decided_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Planned for each batch: a plan for the tables as a session met them first, empty, may read an index through.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    entries lead_protection.protection_log [];
    recorded bigint;
BEGIN
    WITH expiry AS (
        INSERT INTO lead_protection.lead_expiries AS x (lead_id, user_id, protection_expires_at, recorded_at)
        SELECT c.lead_id, c.user_id, s.protection_expires_at, record_expiries_of.decided_at
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL lead_protection.clock_at(c, record_expiries_of.decided_at) AS s
        WHERE c.lead_id = ANY(record_expiries_of.lead_ids) AND s.state = 'EXPIRED'
        ON CONFLICT (lead_id, user_id) WHERE reactivated_at IS NULL DO NOTHING
        RETURNING x.*
    )

    SELECT
        array_agg(
            lead_protection.log_entry(
                x.lead_id, x.user_id, 'lead.protection.expired', x.recorded_at, NULL, NULL,
                before.state, x.protection_expires_at, 'EXPIRED', x.protection_expires_at,
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'reminded_at',
                        CASE WHEN before.state = 'GRACE' THEN lead_protection.instant_text(c.reminded_at) END,
                        'missed_reminder_due_at',
                        CASE
                            -- Nobody missed the reminder of a lead that was recorded when it had expired already.
                            WHEN
                                before.state = 'REMINDER_DUE'
                                AND (l.recorded_at IS NULL OR l.recorded_at < x.protection_expires_at)
                                THEN lead_protection.instant_text(c.reminder_due_at)
                        END
                    )
                )
            )
        )
    INTO entries
    FROM expiry AS x
    INNER JOIN lead_protection.lead_clocks AS c ON x.lead_id = c.lead_id
    INNER JOIN lead_protection.leads AS l ON x.lead_id = l.id
    CROSS JOIN LATERAL lead_protection.protection_state(
        c, x.protection_expires_at - INTERVAL '1 microsecond', record_expiries_of.decided_at
    ) AS before (state);
    recorded := lead_protection.write_log(entries);
    PERFORM lead_protection.count_metric('lead_protection_expired_total', '{}', recorded);
    RETURN recorded;
END;
$$;

COMMENT ON FUNCTION lead_protection.record_expiries_of(bigint[], timestamptz) IS
'Records those of the leads whose protection has ended at decided_at and is not recorded yet: ledger row, log row and '
'event. Returns how many; repeated: 0. Internal: the caller has locked the leads.';
