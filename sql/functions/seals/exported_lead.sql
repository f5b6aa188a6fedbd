-- In PL/pgSQL, which keeps the plan: of many leads, to plan it for each would take most of the time.
CREATE OR REPLACE FUNCTION lead_protection.exported_lead(
    lead_id bigint, as_of timestamptz, path_to bigint, with_texts boolean
)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- One plan for all leads, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
BEGIN
    RETURN (
        SELECT
            jsonb_build_object(
                'lead_id', exported_lead.lead_id,
                'departed', (
                    SELECT jsonb_build_object('to', m.to_node, 'rows', m.log_rows)
                    FROM lead_protection.lead_moves AS m
                    WHERE m.lead_id = exported_lead.lead_id AND NOT m.is_here
                ),
                'facts', lead_protection.exported_facts(exported_lead.lead_id),
                'shown', (
                    SELECT
                        jsonb_build_object(
                            'user_id', p.user_id,
                            'protection_expires_at', lead_protection.instant_text(p.protection_expires_at),
                            'state', p.state,
                            'on_hold', p.on_hold,
                            'reminder_due_at', lead_protection.instant_text(p.reminder_due_at)
                        )
                    FROM lead_protection.user_lead_protection(exported_lead.as_of) AS p
                    WHERE p.lead_id = exported_lead.lead_id
                ),
                'log', coalesce(
                    (
                        SELECT
                            jsonb_agg(
                                jsonb_build_object(
                                    'log_number', g.log_number,
                                    'event_id', g.event_id,
                                    'event_type', g.event_type,
                                    'user_id', g.user_id,
                                    'actor_id', g.actor_id,
                                    'occurred_at', lead_protection.instant_text(g.occurred_at),
                                    'recorded_at', lead_protection.instant_text(g.recorded_at),
                                    'state_before', g.state_before,
                                    'expires_before', lead_protection.instant_text(g.expires_before),
                                    'state_after', g.state_after,
                                    'expires_after', lead_protection.instant_text(g.expires_after),
                                    'session_role', g.session_role,
                                    'application_name', g.application_name,
                                    'chained_at', lead_protection.instant_text(g.chained_at),
                                    'details', g.details - 'evidence'
                                )
                                || CASE
                                    WHEN
                                        exported_lead.with_texts
                                        AND (g.reason IS NOT NULL OR g.details ? 'evidence')
                                        THEN jsonb_build_object(
                                            'texts_salt', encode(g.texts_salt, 'hex'),
                                            'reason', g.reason,
                                            'evidence', g.details ->> 'evidence'
                                        )
                                    ELSE jsonb_build_object('texts_hash', encode(lead_protection.log_texts_hash(g), 'hex'))
                                END
                                || CASE
                                    WHEN g.texts_hash IS NULL THEN jsonb '{}'
                                    WHEN g.reason IS NOT NULL OR g.details ? 'evidence' THEN '{"texts": "added"}'
                                    ELSE '{"texts": "erased"}'
                                END
                                ORDER BY g.log_number, g.occurred_at, g.event_id
                            )
                        FROM lead_protection.protection_log AS g
                        WHERE g.lead_id = exported_lead.lead_id
                    ),
                    '[]'
                ),
                'leaves', coalesce(
                    (
                        SELECT
                            jsonb_agg(
                                jsonb_build_array(f.leaf, f.log_number, encode(f.row_hash, 'hex'))
                                || CASE
                                    WHEN f.leaf < exported_lead.path_to
                                        THEN jsonb_build_array(
                                            ARRAY(
                                                SELECT encode(s.hash, 'hex')
                                                FROM unnest(
                                                    (lead_protection.leaf_path(f.leaf, exported_lead.path_to)).path
                                                ) WITH ORDINALITY AS s (hash, step)
                                                ORDER BY s.step
                                            )
                                        )
                                    ELSE '[]'
                                END
                                ORDER BY f.leaf
                            )
                        FROM lead_protection.log_leaves AS f
                        WHERE f.lead_id = exported_lead.lead_id
                    ),
                    '[]'
                )
            )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.exported_lead(bigint, timestamptz, bigint, boolean) IS
'What export_log() says of one lead: its facts, what is shown of it at as_of, its log, and the leaves of its log rows, '
'each with its path to the root over the first path_to leaves (null: without paths); of a lead that has moved to '
'another node, which one. with_texts: with the reasons and '
'the evidence of the log, and not only what stands for them in the hashes. Internal.';
