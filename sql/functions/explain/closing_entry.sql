CREATE OR REPLACE FUNCTION lead_protection.closing_entry(lead_clock lead_protection.lead_clocks)
RETURNS TABLE (reason text, actor_id bigint, entered_at timestamptz)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT
        logged.reason,
        logged.actor_id,
        logged.entered_at
    -- One row, whatever is known.
    FROM (VALUES (1)) AS one_row (n)  -- noqa: ST11
    LEFT JOIN (
        SELECT
            g.reason,
            g.actor_id,
            g.occurred_at AS entered_at
        FROM lead_protection.protection_log AS g
        WHERE
            g.lead_id = (closing_entry.lead_clock).lead_id
            AND g.event_type IN ('lead.closed', 'lead.deleted', 'lead.created')
            AND (
                g.occurred_at = (closing_entry.lead_clock).closed_at
                OR g.details ->> 'closed_at' = lead_protection.instant_text((closing_entry.lead_clock).closed_at)
            )
        ORDER BY g.occurred_at DESC, g.recorded_at DESC
        LIMIT 1
    ) AS logged ON true;
END;

COMMENT ON FUNCTION lead_protection.closing_entry(lead_protection.lead_clocks) IS
'Who closed the lead of a clock, when that was entered and why: one row, of nulls where it is not known. Internal.';
