-- In PL/pgSQL, which keeps the plan: of many leads, to plan it for each would take most of the time.
CREATE OR REPLACE FUNCTION lead_protection.exported_facts(lead_id bigint)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- One plan for all leads, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
BEGIN
    RETURN (
        SELECT
            jsonb_build_object(
                'versions', (
                    SELECT
                        jsonb_agg(
                            jsonb_build_object(
                                'user_id', v.user_id,
                                'policy_id', v.policy_id,
                                'started_at', lead_protection.instant_text(v.created_at),
                                'closed_at', lead_protection.instant_text(v.closed_at),
                                'valid_until', lead_protection.instant_text(nullif(v.valid_until, 'infinity'))
                            )
                            ORDER BY v.valid_until
                        )
                    FROM (
                        SELECT h.user_id, h.policy_id, h.created_at, h.closed_at, h.valid_until
                        FROM lead_protection.lead_history AS h
                        WHERE h.lead_id = exported_facts.lead_id
                        UNION ALL
                        SELECT l.user_id, l.policy_id, l.created_at, l.closed_at, 'infinity'
                        FROM lead_protection.leads AS l
                        WHERE l.id = exported_facts.lead_id
                    ) AS v
                ),
                'holds', (
                    SELECT
                        jsonb_agg(
                            jsonb_build_object(
                                'id', h.id,
                                'user_id', h.user_id,
                                'start_at', lead_protection.instant_text(h.start_at),
                                'end_at', lead_protection.instant_text(h.end_at),
                                'voided_at', lead_protection.instant_text(h.voided_at)
                            )
                            ORDER BY h.id
                        )
                    FROM lead_protection.lead_holds AS h
                    WHERE h.lead_id = exported_facts.lead_id
                ),
                'activities', (
                    SELECT
                        jsonb_agg(
                            jsonb_build_object(
                                'id', a.id,
                                'user_id', a.user_id,
                                'kind', a.kind,
                                'occurred_at', lead_protection.instant_text(a.occurred_at),
                                'deleted_at', lead_protection.instant_text(a.deleted_at)
                            )
                            ORDER BY a.id
                        )
                    FROM lead_protection.lead_activities AS a
                    WHERE a.lead_id = exported_facts.lead_id
                ),
                'extensions', (
                    SELECT
                        jsonb_agg(
                            jsonb_build_object(
                                'id', x.id,
                                'user_id', x.user_id,
                                'days', x.days,
                                'granted_at', lead_protection.instant_text(x.granted_at)
                            )
                            ORDER BY x.id
                        )
                    FROM lead_protection.lead_extensions AS x
                    WHERE x.lead_id = exported_facts.lead_id
                ),
                'reminders', (
                    SELECT
                        jsonb_agg(
                            jsonb_build_object(
                                'user_id', r.user_id,
                                'window_date', to_char(r.window_date, 'YYYY-MM-DD'),
                                'sent_at', lead_protection.instant_text(r.sent_at),
                                'adopted', r.adopted,
                                'delivered_at', ARRAY(
                                    SELECT lead_protection.instant_text(d.occurred_at)
                                    FROM lead_protection.reminder_deliveries AS d
                                    WHERE
                                        d.lead_id = r.lead_id AND d.user_id = r.user_id AND d.window_date = r.window_date
                                        AND d.outcome = 'delivered'
                                    ORDER BY d.occurred_at
                                )
                            )
                            ORDER BY r.sent_at, r.user_id, r.window_date
                        )
                    FROM lead_protection.lead_reminders AS r
                    WHERE r.lead_id = exported_facts.lead_id
                )
            )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.exported_facts(bigint) IS
'The facts that the dates of a lead follow from, as data: what the lead is and was (versions), holds, activities, '
'extensions and reminders, each a list, null if there are none. Instants are text in UTC. Without reasons, keys and '
'other words. Internal.';
