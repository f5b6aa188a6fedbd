CREATE OR REPLACE FUNCTION lead_protection.record_passed_deadlines(
    lead_ids bigint[], with_reminders boolean DEFAULT true
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
BEGIN
    PERFORM lead_protection.lock_leads(record_passed_deadlines.lead_ids, follow_first => false);
    decided_at := clock_timestamp();

    INSERT INTO lead_protection.lead_expiries (lead_id, user_id, protection_expires_at, recorded_at, adopted)
    SELECT c.lead_id, c.user_id, s.protection_expires_at, decided_at, true
    FROM lead_protection.lead_clocks AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
    WHERE c.lead_id = ANY(record_passed_deadlines.lead_ids) AND s.state = 'EXPIRED'
    ON CONFLICT (lead_id, user_id) WHERE reactivated_at IS NULL DO NOTHING;

    INSERT INTO lead_protection.lead_reminders (
        lead_id, user_id, window_date, protection_expires_at, due_at, fell_due_at, sent_at, adopted
    )
    SELECT
        c.lead_id, c.user_id, c.window_date, s.protection_expires_at, s.reminder_due_at, s.reminder_due_at, decided_at,
        true
    FROM lead_protection.lead_clocks AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
    WHERE
        c.lead_id = ANY(record_passed_deadlines.lead_ids) AND s.state = 'REMINDER_DUE' AND NOT s.on_hold
        AND record_passed_deadlines.with_reminders
        -- Whom a policy promises a notice, gets one.
        AND c.owed_notice_days IS NULL
    ON CONFLICT DO NOTHING;
END;
$$;

COMMENT ON FUNCTION lead_protection.record_passed_deadlines(bigint[], boolean) IS
'Records of these leads, without log row or event, that their protection has ended or (with_reminders) their reminder '
'was due before the adoption was switched on. Repeated: nothing. Internal: switch_on_adoption() calls it.';
