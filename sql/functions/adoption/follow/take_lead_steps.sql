-- One step of each lead at most, all at once: what transfer_lead(), give_back_lead(), backdate_lead(),
-- move_leads_to_policy(), close_lead(), reopen_lead() and delete_lead() do for one lead.
CREATE OR REPLACE FUNCTION lead_protection.take_lead_steps(
    adoption lead_protection.adoptions, steps lead_protection.lead_step[]
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    reason CONSTANT text := format('as in %s', take_lead_steps.adoption.source);
    lead_ids bigint [];
    instants timestamptz [];
    before lead_protection.v_user_lead_protection [];
    ended record;
BEGIN
    -- After what was done to the lead last, which is how a change of ours is told from one by hand; and nothing that is
    -- so already.
    take_lead_steps.steps := ARRAY(
        SELECT (
            s.lead_id, s.nth, s.kind,
            greatest(
                s.at, l.changed_at + INTERVAL '1 microsecond', l.created_at,
                -- A row that was closed when it was first followed was closed then, later than it was written.
                CASE WHEN s.kind IN ('opened', 'closed') THEN l.closed_at END
            ),
            s.user_id, s.started_at, s.outcome, l.closed_as, s.policy_id
        )::lead_protection.lead_step
        FROM unnest(take_lead_steps.steps) AS s
        INNER JOIN lead_protection.leads AS l ON s.lead_id = l.id
        WHERE CASE s.kind
            WHEN 'opened' THEN l.closed_at IS NOT NULL
            WHEN 'owner' THEN l.user_id IS DISTINCT FROM s.user_id
            WHEN 'start' THEN l.created_at <> s.started_at
            WHEN 'policy' THEN l.policy_id <> s.policy_id
            ELSE l.closed_as IS DISTINCT FROM s.outcome
        END
        ORDER BY s.lead_id
    );
    IF take_lead_steps.steps = '{}' THEN
        RETURN;
    END IF;
    SELECT array_agg(s.lead_id), array_agg(s.at) INTO lead_ids, instants FROM unnest(take_lead_steps.steps) AS s;
    -- What a lead was before it is switched on is no news: an expiry of then must not be told with the change of now.
    IF take_lead_steps.adoption.switched_on_at IS NULL THEN
        -- Of a protection that goes on the reminder may still be sent, if the switch-on says so.
        PERFORM lead_protection.record_passed_deadlines(
            array_agg(s.lead_id), with_reminders => s.kind IN ('owner', 'closed')
        )
        FROM unnest(take_lead_steps.steps) AS s
        GROUP BY s.kind IN ('owner', 'closed');
    END IF;

    -- An expiry that no run of the pipeline has seen yet must not be lost. There are few, of few instants.
    FOR ended IN
        SELECT s.at, array_agg(s.lead_id) AS lead_ids
        FROM unnest(take_lead_steps.steps) AS s
        INNER JOIN lead_protection.lead_clocks AS c ON s.lead_id = c.lead_id
        CROSS JOIN LATERAL lead_protection.clock_at(c, s.at) AS v
        WHERE s.kind IN ('owner', 'closed') AND v.state = 'EXPIRED' AND c.expired_at IS NULL
        GROUP BY s.at
    LOOP
        PERFORM lead_protection.record_expiries_of(ended.lead_ids, ended.at);
    END LOOP;
    FOR ended IN
        SELECT b AS protection, s.at, s.kind
        FROM unnest(take_lead_steps.steps) AS s
        INNER JOIN lead_protection.read_leads_at(lead_ids, instants) AS b ON s.lead_id = b.lead_id
        WHERE
            s.kind IN ('owner', 'closed', 'opened')
            AND EXISTS (
                SELECT FROM lead_protection.lead_holds AS h
                WHERE
                    h.lead_id = b.lead_id AND h.user_id = b.user_id AND h.released_by IS NULL AND h.voided_at IS NULL
                    AND (h.end_at IS NULL OR h.end_at > s.at)
            )
    LOOP
        PERFORM lead_protection.end_holds(
            ended.protection, ended.at, take_lead_steps.adoption.actor_id, with_planned => ended.kind = 'owner'
        );
    END LOOP;
    UPDATE lead_protection.lead_expiries AS x
    SET reactivated_at = greatest(s.at, x.recorded_at)
    FROM unnest(take_lead_steps.steps) AS s
    INNER JOIN lead_protection.leads AS l ON s.lead_id = l.id
    WHERE
        s.kind = 'owner' AND x.lead_id = s.lead_id AND x.user_id = l.user_id AND x.reactivated_at IS NULL;

    before := ARRAY(SELECT b FROM lead_protection.read_leads_at(lead_ids, instants) AS b);
    PERFORM lead_protection.change_leads_by_steps(take_lead_steps.steps);
    PERFORM lead_protection.log_lead_steps(take_lead_steps.adoption, reason, take_lead_steps.steps, before);
END;
$$;

COMMENT ON FUNCTION lead_protection.take_lead_steps(lead_protection.adoptions, lead_protection.lead_step[]) IS
'Does to leads what their adopted table says, one step of each lead at most, logged and published as by the function '
'that does the same for one lead. Internal: the caller has locked the leads.';
