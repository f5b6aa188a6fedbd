-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.user_leads(
    user_id bigint, from_at timestamptz, until_at timestamptz, as_of timestamptz
)
RETURNS TABLE (
    lead_id bigint, lead_key text, started_at timestamptz, left_at timestamptz, closed_at timestamptz,
    closed_as text, policy_name text, policy_version integer, state text, on_hold boolean,
    protection_expires_at timestamptz, stopped interval, extended_days integer, reminded_at timestamptz,
    delivered_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Planned for this user, who may have one lead or all of them.
SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
BEGIN
    RETURN QUERY
    WITH span AS (
        -- A protection is told apart by its lead, its user and its start.
        SELECT h.lead_id, h.created_at AS started_at, max(h.valid_until) AS left_at
        FROM lead_protection.lead_history AS h
        WHERE h.user_id = user_leads.user_id
        GROUP BY h.lead_id, h.created_at
        UNION ALL
        SELECT c.lead_id, c.started_at, NULL
        FROM lead_protection.lead_clocks AS c
        WHERE c.user_id = user_leads.user_id
    ),

    protection AS (
        SELECT s.lead_id, s.started_at, nullif(max(coalesce(s.left_at, 'infinity')), 'infinity') AS left_at
        FROM span AS s
        WHERE s.started_at < user_leads.until_at
        GROUP BY s.lead_id, s.started_at
        HAVING max(coalesce(s.left_at, 'infinity')) > user_leads.from_at
    ),

    looked AS (
        SELECT
            p.*,
            -- The last instant at which it was the user's, as far as the statement looks.
            least(p.left_at - INTERVAL '1 microsecond', user_leads.as_of) AS seen_at
        FROM protection AS p
    )

    SELECT
        k.lead_id,
        c.lead_key,
        k.started_at,
        CASE WHEN k.left_at <= user_leads.as_of THEN k.left_at END,
        c.closed_at,
        CASE WHEN l.closed_at = c.closed_at THEN l.closed_as END,
        t.name,
        t.version,
        s.state,
        s.on_hold,
        s.protection_expires_at,
        CASE
            WHEN c.stops <> '{}' OR c.open_hold_from <= k.seen_at THEN
                lead_protection.stop_clock(
                    c.base_expires_at,
                    c.stops + CASE
                        WHEN c.open_hold_from < k.seen_at
                            THEN tstzmultirange(tstzrange(c.open_hold_from, k.seen_at))
                        ELSE '{}'
                    END,
                    c.day_policy_id
                ) - c.base_expires_at
            ELSE INTERVAL '0'
        END,
        x.days,
        r.sent_at,
        d.delivered_at
    FROM looked AS k
    INNER JOIN lead_protection.leads AS l ON k.lead_id = l.id
    CROSS JOIN LATERAL (
        SELECT q.*
        FROM lead_protection.derive_lead_clocks(k.seen_at) AS q
        WHERE q.lead_id = k.lead_id
    ) AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, k.seen_at) AS s
    INNER JOIN lead_protection.protection_policies AS t ON c.policy_id = t.id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(e.days), 0)::integer AS days
        FROM lead_protection.lead_extensions AS e
        WHERE
            e.lead_id = k.lead_id AND e.user_id = user_leads.user_id
            AND e.granted_at BETWEEN k.started_at AND k.seen_at
    ) AS x
    LEFT JOIN LATERAL (
        SELECT m.sent_at, m.window_date
        FROM lead_protection.lead_reminders AS m
        WHERE
            m.lead_id = k.lead_id AND m.user_id = user_leads.user_id
            AND m.sent_at BETWEEN k.started_at AND k.seen_at
        ORDER BY m.sent_at DESC
        LIMIT 1
    ) AS r ON true
    LEFT JOIN LATERAL (
        SELECT min(v.occurred_at) AS delivered_at
        FROM lead_protection.reminder_deliveries AS v
        WHERE
            v.lead_id = k.lead_id AND v.user_id = user_leads.user_id AND v.window_date = r.window_date
            AND v.outcome = 'delivered' AND v.occurred_at <= user_leads.as_of
    ) AS d ON true
    -- What had ended before the period is none of it.
    WHERE
        least(
            c.closed_at, CASE WHEN s.state = 'EXPIRED' THEN s.protection_expires_at END, 'infinity'
        ) > user_leads.from_at
    ORDER BY k.started_at, k.lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.user_leads(bigint, timestamptz, timestamptz, timestamptz) IS
'The protections of a user that ran at any time from from_at until before until_at, as they stood at as_of, or when '
'the lead ceased to be the user''s (left_at). stopped: by how much holds moved the base clock. reminded_at: the last '
'reminder of the user in that protection; delivered_at: when it was first delivered. By the facts known now. Internal.';
