CREATE OR REPLACE FUNCTION lead_protection.log_lead_steps(
    adoption lead_protection.adoptions,
    reason text,
    steps lead_protection.lead_step[],
    before lead_protection.v_user_lead_protection[]
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    after CONSTANT lead_protection.v_user_lead_protection [] := ARRAY(
        SELECT a
        FROM lead_protection.read_leads_at(
            ARRAY(SELECT s.lead_id FROM unnest(log_lead_steps.steps) AS s),
            ARRAY(SELECT s.at FROM unnest(log_lead_steps.steps) AS s)
        ) AS a
    );
BEGIN
    PERFORM lead_protection.write_log(
        array_agg(
            lead_protection.log_entry(
                a.lead_id, a.user_id, told.event_type, s.at, log_lead_steps.adoption.actor_id, log_lead_steps.reason,
                b.state, b.protection_expires_at, a.state, a.protection_expires_at,
                jsonb_strip_nulls(
                    told.details
                    || jsonb_build_object('missed_reminder_due_at', lead_protection.missed_reminder_due_at(b, a))
                )
            )
        )
    )
    FROM unnest(log_lead_steps.steps) AS s
    INNER JOIN unnest(log_lead_steps.before) AS b ON s.lead_id = b.lead_id
    INNER JOIN unnest(after) AS a ON s.lead_id = a.lead_id
    CROSS JOIN LATERAL (
        SELECT 'lead.protection.transferred' AS event_type, jsonb_build_object(
            'user_id_before', b.user_id, 'policy_id_before', b.policy_id, 'policy_id', a.policy_id
        ) AS details
        WHERE s.kind = 'owner' AND s.user_id IS NOT NULL
        UNION ALL
        SELECT 'lead.protection.given_back', jsonb_build_object('user_id_before', b.user_id)
        WHERE s.kind = 'owner' AND s.user_id IS NULL
        UNION ALL
        SELECT 'lead.protection.backdated', jsonb_build_object(
            'started_at_before', lead_protection.instant_text(b.created_at),
            'started_at', lead_protection.instant_text(a.created_at),
            'evidence', format('%s, row %s', log_lead_steps.adoption.source, coalesce(a.lead_key, a.lead_id::text))
        )
        WHERE s.kind = 'start' AND a.created_at < b.created_at
        UNION ALL
        SELECT 'lead.protection.moved', jsonb_build_object('policy_id_before', b.policy_id, 'policy_id', a.policy_id)
        WHERE s.kind = 'policy'
        UNION ALL
        SELECT 'lead.deleted', jsonb_build_object('outcome_before', s.outcome_before)
        WHERE s.kind = 'closed' AND s.outcome = 'DELETED'
        UNION ALL
        SELECT 'lead.closed', jsonb_build_object('outcome', s.outcome)
        WHERE s.kind = 'closed' AND s.outcome <> 'DELETED'
        UNION ALL
        -- One that was deleted is logged as a change by hand.
        SELECT 'lead.reopened', jsonb_build_object(
            'outcome', s.outcome_before, 'closed_at', lead_protection.instant_text(b.closed_at)
        )
        WHERE s.kind = 'opened' AND s.outcome_before IS DISTINCT FROM 'DELETED'
    ) AS told;
END;
$$;

COMMENT ON FUNCTION lead_protection.log_lead_steps(
    lead_protection.adoptions, text, lead_protection.lead_step[], lead_protection.v_user_lead_protection[]
) IS
'Logs, and by the log''s trigger publishes, steps that were taken; before: the leads as they were. Internal: '
'take_lead_steps() calls it.';
