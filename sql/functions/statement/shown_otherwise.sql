-- The linter cannot indent a SELECT of one nested call.
-- noqa: disable=LT02,LT09
CREATE OR REPLACE FUNCTION lead_protection.shown_otherwise(lead_id bigint, as_of timestamptz)
RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT jsonb_agg(
        jsonb_build_object(
            'at', lead_protection.instant_text(g.occurred_at),
            'event', g.event_type,
            'shown', jsonb_build_object(
                'state', g.state_after, 'expires_at', lead_protection.instant_text(g.expires_after)
            ),
            'known_now', jsonb_build_object(
                'state', n.state, 'expires_at', lead_protection.instant_text(n.protection_expires_at)
            )
        )
        ORDER BY g.occurred_at
    )
    FROM (
        -- Of several at one instant the last says what was shown.
        SELECT DISTINCT ON (x.occurred_at)
            x.occurred_at,
            x.event_type,
            x.state_after,
            x.expires_after
        FROM lead_protection.protection_log AS x
        WHERE x.lead_id = shown_otherwise.lead_id AND x.occurred_at <= shown_otherwise.as_of
        ORDER BY x.occurred_at DESC, x.recorded_at DESC
        LIMIT 100
    ) AS g
    LEFT JOIN LATERAL (
        SELECT
            p.state,
            p.protection_expires_at
        FROM lead_protection.protection_as_of(g.occurred_at) AS p
        WHERE p.lead_id = shown_otherwise.lead_id
    ) AS n ON true
    WHERE
        g.state_after IS NOT NULL
        AND (g.state_after, g.expires_after) IS DISTINCT FROM (n.state, n.protection_expires_at);
END;

COMMENT ON FUNCTION lead_protection.shown_otherwise(bigint, timestamptz) IS
'When a lead''s log, of its last 100 instants up to as_of, had another state or expiry than follows from the facts '
'known now: a list, oldest first; null: never. Internal.';
