-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.statement_facts(lead_id bigint, as_of timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    explained jsonb;
BEGIN
    explained := lead_protection.explain_protection_json(statement_facts.lead_id, statement_facts.as_of);
    RETURN explained || jsonb_build_object(
        -- Without what only some may read: the same checksum for all.
        'steps', (
            SELECT jsonb_agg(s.step - 'explanation' - 'reason' ORDER BY s.ordinality)
            FROM jsonb_array_elements(explained -> 'steps') WITH ORDINALITY AS s (step, ordinality)
        ),
        'limits', (
            SELECT jsonb_build_object(
                'hold_limit_days', p.hold_limit_days, 'hold_total_limit_days', p.hold_total_limit_days
            )
            FROM lead_protection.protection_policies AS p
            WHERE p.id = (explained #>> '{policy,id}')::bigint
        ),
        'holds', (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'hold_id', h.id,
                    'user_id', h.user_id,
                    'from', lead_protection.instant_text(h.start_at),
                    'until', lead_protection.instant_text(h.end_at),
                    'reason_code', h.reason_code,
                    'reason', h.reason,
                    'reason_description', y.description,
                    'actor_id', h.created_by,
                    'entered_at', lead_protection.instant_text(h.created_at),
                    -- As long as clocks may differ, it was entered at once.
                    'after_the_fact', h.created_at > h.start_at + INTERVAL '5 minutes',
                    'counted', c.counted,
                    'changes', g.changes
                )
                ORDER BY h.start_at, h.id
            )
            FROM lead_protection.lead_holds AS h
            INNER JOIN lead_protection.hold_reasons AS y ON h.reason_code = y.code
            CROSS JOIN LATERAL (
                SELECT jsonb_agg(
                    jsonb_build_object('clock', s.step -> 'clock', 'sentences', s.step -> 'sentences')
                    ORDER BY s.ordinality
                ) AS counted
                FROM jsonb_array_elements(explained -> 'steps') WITH ORDINALITY AS s (step, ordinality)
                WHERE s.step ->> 'item' = 'HOLD' AND (s.step ->> 'fact_id')::bigint = h.id
            ) AS c
            CROSS JOIN LATERAL (
                SELECT jsonb_agg(
                    jsonb_build_object(
                        'event', x.event_type, 'at', lead_protection.instant_text(x.occurred_at), 'actor_id', x.actor_id
                    )
                    ORDER BY x.occurred_at, x.recorded_at
                ) AS changes
                FROM lead_protection.protection_log AS x
                WHERE
                    x.lead_id = h.lead_id AND x.details ->> 'hold_id' = h.id::text
                    AND x.event_type LIKE 'lead.hold.%'
                    AND x.event_type NOT IN ('lead.hold.created', 'lead.hold.limit_near')
            ) AS g
            -- A planned hold is told from when it was entered.
            WHERE
                h.lead_id = statement_facts.lead_id
                AND least(h.start_at, h.created_at) <= statement_facts.as_of
        ),
        'extensions', (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'extension_id', x.id,
                    'user_id', x.user_id,
                    'days', x.days,
                    'reason', x.reason,
                    'approved_by', x.approved_by,
                    'actor_id', x.granted_by,
                    'entered_at', lead_protection.instant_text(x.granted_at)
                )
                ORDER BY x.granted_at, x.id
            )
            FROM lead_protection.lead_extensions AS x
            WHERE x.lead_id = statement_facts.lead_id AND x.granted_at <= statement_facts.as_of
        ),
        'owners', (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'user_id', o.user_id,
                    'policy', p.name,
                    'version', p.version,
                    'from', lead_protection.instant_text(o.created_at),
                    'until', lead_protection.instant_text(nullif(o.valid_until, 'infinity'))
                )
                ORDER BY o.created_at
            )
            FROM (
                -- A protection is told apart by its user and its start; its last policy is the one that counts.
                SELECT
                    t.user_id,
                    t.created_at,
                    max(t.valid_until) AS valid_until,
                    (array_agg(t.policy_id ORDER BY t.valid_until DESC))[1] AS policy_id
                FROM (
                    SELECT h.user_id, h.created_at, h.valid_until, h.policy_id
                    FROM lead_protection.lead_history AS h
                    WHERE h.lead_id = statement_facts.lead_id
                    UNION ALL
                    SELECT l.user_id, l.created_at, 'infinity', l.policy_id
                    FROM lead_protection.leads AS l
                    WHERE l.id = statement_facts.lead_id
                ) AS t
                WHERE t.created_at <= statement_facts.as_of
                GROUP BY t.user_id, t.created_at
            ) AS o
            INNER JOIN lead_protection.protection_policies AS p ON o.policy_id = p.id
        ),
        'reminders', (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'user_id', r.user_id,
                    'window', to_char(r.window_date, 'YYYY-MM-DD'),
                    'due_at', lead_protection.instant_text(r.due_at),
                    'sent_at', lead_protection.instant_text(r.sent_at),
                    'adopted', r.adopted,
                    'deliveries', d.deliveries
                )
                ORDER BY r.sent_at, r.window_date
            )
            FROM lead_protection.lead_reminders AS r
            CROSS JOIN LATERAL (
                SELECT jsonb_agg(
                    jsonb_build_object('outcome', x.outcome, 'at', lead_protection.instant_text(x.occurred_at))
                    ORDER BY x.occurred_at, x.message_id
                ) AS deliveries
                FROM lead_protection.reminder_deliveries AS x
                WHERE
                    x.lead_id = r.lead_id AND x.user_id = r.user_id AND x.window_date = r.window_date
                    AND x.occurred_at <= statement_facts.as_of
            ) AS d
            WHERE r.lead_id = statement_facts.lead_id AND r.sent_at <= statement_facts.as_of
        ),
        'shown', lead_protection.shown_otherwise(statement_facts.lead_id, statement_facts.as_of),
        'log_rows', (
            SELECT count(*)
            FROM lead_protection.protection_log AS g
            WHERE g.lead_id = statement_facts.lead_id AND g.occurred_at <= statement_facts.as_of
        ),
        'log', (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'event_id', g.event_id,
                    'at', lead_protection.instant_text(g.occurred_at),
                    'event', g.event_type,
                    'user_id', g.user_id,
                    'actor_id', g.actor_id,
                    'state', g.state_after,
                    'expires_at', lead_protection.instant_text(g.expires_after)
                )
                ORDER BY g.occurred_at, g.recorded_at
            )
            FROM (
                SELECT x.*
                FROM lead_protection.protection_log AS x
                WHERE x.lead_id = statement_facts.lead_id AND x.occurred_at <= statement_facts.as_of
                ORDER BY x.occurred_at DESC, x.recorded_at DESC
                LIMIT 100
            ) AS g
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.statement_facts(bigint, timestamptz) IS
'What protection_statement() tells of a lead at as_of, as data, in no language: explain_protection_json(), and the '
'facts with who entered them. Without the reasons of the log. Errors: as explain_protection(). Internal.';
