-- The linter cannot indent JOIN LATERAL (…), and does not see that a SELECT without FROM has one row.
-- noqa: disable=LT02,AM09
CREATE OR REPLACE FUNCTION lead_protection.hold_limit(hold lead_protection.lead_holds, as_of timestamptz)
RETURNS TABLE (limit_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        greatest(
            hold_limit.hold.limit_override_until,
            least(
                lead_protection.plus_elapsed(hold_start.at, make_interval(days => policy.hold_limit_days)),
                all_holds.expires_at
            )
        ) AS limit_at
    FROM lead_protection.leads AS lead
    INNER JOIN lead_protection.protection_policies AS policy ON lead.policy_id = policy.id
    CROSS JOIN LATERAL (
        SELECT greatest(hold_limit.hold.start_at, lead.created_at) AS at
        LIMIT 1
    ) AS hold_start
    CROSS JOIN LATERAL (
        SELECT
            coalesce(range_agg(tstzrange(o.start_at, coalesce(o.end_at, hold_limit.as_of))), '{}')
            * tstzmultirange(
                tstzrange(
                    lead_protection.limits_count_from(
                        lead.id, hold_limit.hold.user_id, lead.created_at, policy.id
                    ),
                    NULL
                )
            ) AS stops
        FROM lead_protection.lead_holds AS o
        WHERE
            o.lead_id = hold_limit.hold.lead_id AND o.user_id = hold_limit.hold.user_id
            AND o.id IS DISTINCT FROM hold_limit.hold.id
            AND o.start_at < coalesce(o.end_at, hold_limit.as_of) AND o.voided_at IS NULL
            -- Nobody asked for the time for which the lead was closed by mistake.
            AND o.reason_code <> 'CLOSED_BY_MISTAKE'
            AND policy.hold_total_limit_days IS NOT NULL
    ) AS others
    CROSS JOIN LATERAL (
        -- A hold with an end shares with others what lies between its ends; an open one finds out as it lasts.
        SELECT coalesce(sum(upper(stop) - lower(stop)), INTERVAL '0') AS elapsed
        FROM unnest(
            CASE
                WHEN hold_limit.hold.end_at IS NULL THEN others.stops
                ELSE others.stops
                    - tstzmultirange(tstzrange(hold_start.at, greatest(hold_limit.hold.end_at, hold_start.at)))
            END
        ) AS stop
    ) AS used
    -- What the others leave, stretched where an open hold runs through one of them: a stop-clock of its own.
    CROSS JOIN LATERAL (
        SELECT
            lead_protection.stop_clock(
                -- Null without such a limit: greatest() would pass over the null.
                CASE WHEN policy.hold_total_limit_days IS NOT NULL
                    THEN lead_protection.plus_elapsed(
                        hold_start.at,
                        greatest(make_interval(days => policy.hold_total_limit_days) - used.elapsed, INTERVAL '0')
                    )
                END,
                CASE
                    WHEN hold_limit.hold.end_at IS NULL
                        THEN others.stops * tstzmultirange(tstzrange(hold_start.at, NULL))
                END,
                NULL
            ) AS expires_at
        LIMIT 1
    ) AS all_holds
    WHERE
        lead.id = hold_limit.hold.lead_id
        AND (policy.hold_limit_days IS NOT NULL OR policy.hold_total_limit_days IS NOT NULL);
END;

COMMENT ON FUNCTION lead_protection.hold_limit(lead_protection.lead_holds, timestamptz) IS
'The instant at which a hold reaches the limit that the lead''s policy sets for one hold, or for all holds of the '
'user together (planned ones in full, an open one until as_of, overlaps once; those of earlier protections that began '
'within the base period before this one, too), whichever comes first; or until when an operator allowed it to last, '
'if that is later. No row: no limit. Days of 24 hours, counted from where the hold stops the clock.';
