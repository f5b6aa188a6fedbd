CREATE OR REPLACE FUNCTION lead_protection.terms_of_node(to_compare boolean DEFAULT false)
RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
SELECT jsonb_object_agg(t.name, coalesce(t.rows, '[]'))
FROM (
    -- When each node was told is its own affair.
    SELECT
        'calendars' AS name,
        jsonb_agg(to_jsonb(c) - CASE WHEN terms_of_node.to_compare THEN 'created_at' ELSE '' END ORDER BY c.id) AS rows
    FROM lead_protection.calendars AS c
    UNION ALL
    -- Tens of thousands, which never change.
    SELECT
        'calendar_days',
        CASE
            WHEN terms_of_node.to_compare
                THEN (
                    SELECT to_jsonb(md5(string_agg(d::text, E'\n' ORDER BY d.calendar_id, d.date)))
                    FROM lead_protection.calendar_days AS d
                )
            ELSE (
                SELECT jsonb_agg(to_jsonb(d) ORDER BY d.calendar_id, d.date)
                FROM lead_protection.calendar_days AS d
            )
        END
    UNION ALL
    SELECT
        'protection_policies',
        jsonb_agg(to_jsonb(p) - CASE WHEN terms_of_node.to_compare THEN 'created_at' ELSE '' END ORDER BY p.id)
    FROM lead_protection.protection_policies AS p
    UNION ALL
    SELECT 'policy_warnings', jsonb_agg(to_jsonb(w) ORDER BY w.policy_id, w.step)
    FROM lead_protection.policy_warnings AS w
    UNION ALL
    SELECT
        'policy_assignments',
        jsonb_agg(to_jsonb(a) - CASE WHEN terms_of_node.to_compare THEN 'assigned_at' ELSE '' END ORDER BY a.id)
    FROM lead_protection.policy_assignments AS a
    UNION ALL
    SELECT 'hold_reasons', jsonb_agg(to_jsonb(h) ORDER BY h.code)
    FROM lead_protection.hold_reasons AS h
    UNION ALL
    SELECT 'activity_kinds', jsonb_agg(to_jsonb(k) ORDER BY k.kind)
    FROM lead_protection.activity_kinds AS k
    UNION ALL
    SELECT 'event_consumers', jsonb_agg(to_jsonb(e) - 'registered_at' ORDER BY e.consumer_name)
    FROM lead_protection.event_consumers AS e
    UNION ALL
    SELECT
        'settings',
        jsonb_build_object(
            'reminders_per_run', s.reminders_per_run, 'reminders_per_user', s.reminders_per_user,
            'delivery_attempts', s.delivery_attempts, 'delivery_retry_delay', s.delivery_retry_delay
        )
    FROM lead_protection.settings AS s
    UNION ALL
    SELECT 'code', to_jsonb(m.sha256)
    FROM lead_protection.migration_checksums AS m
    WHERE m.migration_id = 'sql/'
) AS t
$$;

COMMENT ON FUNCTION lead_protection.terms_of_node(boolean) IS
'What all nodes must have alike, for a router: policies with their warnings and who has which, calendars, reasons, '
'kinds, consumers, settings, and which version of the code this is. to_compare: true without what may differ, '
'false (the default) as take_terms_of_node() wants it. Internal.';
