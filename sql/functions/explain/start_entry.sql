CREATE OR REPLACE FUNCTION lead_protection.start_entry(lead_clock lead_protection.lead_clocks)
RETURNS TABLE (reason text, actor_id bigint, entered_at timestamptz)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT
        coalesce(logged.reason, entered.reason),
        coalesce(logged.actor_id, entered.actor_id),
        coalesce(logged.entered_at, entered.entered_at)
    -- One row, whatever is known.
    FROM (VALUES (1)) AS one_row (n)  -- noqa: ST11
    LEFT JOIN (
        SELECT
            g.reason,
            g.actor_id,
            g.occurred_at AS entered_at
        FROM lead_protection.protection_log AS g
        WHERE
            g.lead_id = (start_entry.lead_clock).lead_id
            AND g.user_id IS NOT DISTINCT FROM (start_entry.lead_clock).user_id
            AND (
                (
                    g.event_type IN ('lead.protection.transferred', 'lead.protection.given_back')
                    AND g.occurred_at = (start_entry.lead_clock).started_at
                )
                OR (
                    g.event_type IN ('lead.created', 'lead.protection.backdated')
                    AND g.details ->> 'started_at'
                    = lead_protection.instant_text((start_entry.lead_clock).started_at)
                )
            )
        ORDER BY g.occurred_at DESC, g.recorded_at DESC
        LIMIT 1
    ) AS logged ON true
    -- Leads of before the log of new ones, and those that came with an adoption: as long as they are their first
    -- user's.
    LEFT JOIN (
        SELECT
            NULL::text AS reason,
            l.created_by AS actor_id,
            l.recorded_at AS entered_at
        FROM lead_protection.leads AS l
        WHERE
            l.id = (start_entry.lead_clock).lead_id
            AND NOT EXISTS (
                SELECT
                FROM lead_protection.lead_history AS h
                WHERE
                    h.lead_id = l.id
                    AND h.created_at < (start_entry.lead_clock).started_at
            )
    ) AS entered ON logged.entered_at IS NULL;
END;

COMMENT ON FUNCTION lead_protection.start_entry(lead_protection.lead_clocks) IS
'Who had the protection of a clock begin, when that was entered and why: one row, of nulls where it is not known. '
'Internal.';
