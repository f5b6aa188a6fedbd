-- Nobody could send it before the last hold ended, the lead was known, its table switched on, or a change made it due.
CREATE OR REPLACE FUNCTION lead_protection.reminder_waits_since(
    lead_id bigint, recorded_at timestamptz, reminder_due_at timestamptz, stops tstzmultirange, as_of timestamptz
)
RETURNS TABLE (waits_since timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        least(
            greatest(
                reminder_waits_since.reminder_due_at,
                -- The end of the last stop that has ended, which is the last of all unless one is planned.
                CASE
                    WHEN upper(reminder_waits_since.stops) <= reminder_waits_since.as_of
                        THEN upper(reminder_waits_since.stops)
                    WHEN NOT isempty(reminder_waits_since.stops)
                        THEN (
                            SELECT max(upper(stop))
                            FROM unnest(reminder_waits_since.stops) AS stop
                            WHERE upper(stop) <= reminder_waits_since.as_of
                        )
                END,
                reminder_waits_since.recorded_at,
                (
                    SELECT a.switched_on_at
                    FROM lead_protection.adopted_leads AS l
                    INNER JOIN lead_protection.adoptions AS a ON l.adoption_id = a.id
                    WHERE l.lead_id = reminder_waits_since.lead_id
                ),
                (
                    SELECT g.occurred_at
                    FROM lead_protection.protection_log AS g
                    WHERE
                        g.lead_id = reminder_waits_since.lead_id
                        AND g.occurred_at > reminder_waits_since.reminder_due_at
                        AND g.occurred_at <= reminder_waits_since.as_of
                        AND g.state_after = 'REMINDER_DUE' AND g.state_before <> 'REMINDER_DUE'
                    ORDER BY g.occurred_at DESC
                    LIMIT 1
                )
            ),
            reminder_waits_since.as_of
        );
END;

COMMENT ON FUNCTION lead_protection.reminder_waits_since(
    bigint, timestamptz, timestamptz, tstzmultirange, timestamptz
) IS
'One row: since when the reminder of a lead that waits at as_of could have been sent, from recorded_at of the lead, '
'reminder_due_at and stops of its clock. That is when it fell due by the rule, or later if only then a hold ended, the '
'lead was recorded, its adopted table was switched on or a change made it due; as_of at the latest. Internal.';
