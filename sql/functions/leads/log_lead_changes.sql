CREATE OR REPLACE FUNCTION lead_protection.log_lead_changes(
    event_type text,
    before lead_protection.v_user_lead_protection[],
    decided_at timestamptz,
    actor_id bigint,
    lead_ids bigint[],
    reasons text[],
    details jsonb[]
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Planned for the lists that are given: a plan for any list may take the square of the time.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    after CONSTANT lead_protection.v_user_lead_protection [] := ARRAY(
        SELECT a
        FROM lead_protection.read_leads(log_lead_changes.lead_ids, log_lead_changes.decided_at) AS a
    );
BEGIN
    PERFORM lead_protection.write_log(
        array_agg(
            lead_protection.log_entry(
                a.lead_id, a.user_id, log_lead_changes.event_type, log_lead_changes.decided_at,
                log_lead_changes.actor_id, change.reason,
                b.state, b.protection_expires_at, a.state, a.protection_expires_at,
                jsonb_strip_nulls(
                    change.details
                    || jsonb_build_object('missed_reminder_due_at', lead_protection.missed_reminder_due_at(b, a))
                )
            )
        )
    )
    FROM unnest(log_lead_changes.lead_ids, log_lead_changes.reasons, log_lead_changes.details)
        AS change (lead_id, reason, details)
    INNER JOIN unnest(log_lead_changes.before) AS b ON change.lead_id = b.lead_id
    INNER JOIN unnest(after) AS a ON change.lead_id = a.lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.log_lead_changes(
    text, lead_protection.v_user_lead_protection[], timestamptz, bigint, bigint[], text[], jsonb[]
) IS
'Logs, and by the log''s trigger publishes, what a call did to many leads at decided_at. lead_ids, reasons (null: '
'none) and details belong together, one for each log row; before: the leads as they were; as they are now is looked '
'up. Internal.';
