CREATE OR REPLACE FUNCTION lead_protection.explain_steps(lead_id bigint, as_of timestamptz)
RETURNS TABLE (
    clock text, item text, fact_id bigint, from_at timestamptz, until_at timestamptz, moved_by interval,
    expires_at timestamptz, explanation text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lead_clock lead_protection.lead_clocks;
    terms lead_protection.protection_policies;
    shown record;
    stops tstzmultirange;
    rule_expires_at timestamptz;
    base_expires_at timestamptz;
    is_reminded boolean;
BEGIN
    SELECT c.* INTO lead_clock
    FROM lead_protection.derive_lead_clocks(explain_steps.as_of) AS c
    WHERE c.lead_id = explain_steps.lead_id;
    SELECT p.* INTO terms
    FROM lead_protection.protection_policies AS p
    WHERE p.id = lead_clock.policy_id;
    SELECT p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at INTO shown
    FROM lead_protection.protection_as_of(explain_steps.as_of) AS p
    WHERE p.lead_id = explain_steps.lead_id;

    IF NOT FOUND THEN
        RETURN QUERY VALUES (
            NULL::text, 'NOT_PROTECTED', NULL::bigint, lead_clock.started_at, NULL::timestamptz, NULL::interval,
            NULL::timestamptz,
            format(
                CASE
                    WHEN lead_clock.user_id IS NULL THEN 'Not known at %1$s: entered as nobody''s at %3$s %4$s.'
                    ELSE 'Not protected at %1$s: the protection for user %2$s began at %3$s %4$s.'
                END,
                lead_protection.local_text(explain_steps.as_of, terms.time_zone), lead_clock.user_id,
                lead_protection.local_text(lead_clock.started_at, terms.time_zone), terms.time_zone
            )
        );
        RETURN;
    END IF;

    RETURN QUERY VALUES (
        NULL::text, 'START', NULL::bigint, lead_clock.started_at, NULL::timestamptz, NULL::interval, NULL::timestamptz,
        format(
            CASE
                WHEN lead_clock.user_id IS NULL THEN 'Nobody''s from %2$s %3$s on: no clock runs.'
                ELSE 'For user %1$s from %2$s %3$s on. Policy %4$s, version %5$s, %6$s rule.'
            END,
            lead_clock.user_id, lead_protection.local_text(lead_clock.started_at, terms.time_zone), terms.time_zone,
            terms.name, terms.version, terms.rule
        )
    );
    IF lead_clock.user_id IS NOT NULL THEN
        RETURN QUERY
        SELECT 'base', s.* FROM lead_protection.explain_calendar(lead_clock, 'base', explain_steps.as_of) AS s;
        RETURN QUERY
        SELECT 'base', s.* FROM lead_protection.explain_holds(lead_clock, 'base', explain_steps.as_of) AS s;

        -- An open hold counts until the instant of looking, as in recounted_expiry().
        stops := lead_clock.stops;
        IF lead_clock.open_hold_from <= explain_steps.as_of THEN
            stops := stops + tstzmultirange(tstzrange(lead_clock.open_hold_from, explain_steps.as_of));
        END IF;
        SELECT e.expires_at INTO STRICT rule_expires_at
        FROM lead_protection.rule_expiry(
            lead_clock.base_expires_at, lead_clock.idle_from, lead_clock.idle_base_expires_at, stops
        ) AS e;

        IF terms.rule = 'parallel' THEN
            RETURN QUERY
            SELECT
                'idle', 'ACTIVITY', done.last_id, lead_clock.idle_from, NULL::timestamptz, NULL::interval,
                NULL::timestamptz,
                format(
                    'Activities of user %s from the start on: %s, of which %s qualified. %s',
                    lead_clock.user_id, done.activities, done.qualified,
                    CASE
                        WHEN done.last_id IS NULL THEN 'The idle clock starts with the protection.'
                        ELSE format('The idle clock starts with the last of them, %s.', done.last_kind)
                    END
                )
            FROM (
                SELECT
                    count(*) AS activities,
                    count(*) FILTER (WHERE k.qualifies) AS qualified,
                    -- The first that was entered, where several took place at that instant.
                    min(a.id) FILTER (WHERE k.qualifies AND a.occurred_at = lead_clock.idle_from) AS last_id,
                    (
                        array_agg(a.kind ORDER BY a.id)
                        FILTER (WHERE k.qualifies AND a.occurred_at = lead_clock.idle_from)
                    )[1] AS last_kind
                FROM lead_protection.lead_activities AS a
                INNER JOIN lead_protection.activity_kinds AS k ON a.kind = k.kind
                WHERE
                    a.lead_id = lead_clock.lead_id AND a.user_id = lead_clock.user_id AND a.deleted_at IS NULL
                    AND a.occurred_at >= lead_clock.started_at
                    AND a.occurred_at <= least(explain_steps.as_of, lead_clock.closed_at)
            ) AS done;
            RETURN QUERY
            SELECT 'idle', s.* FROM lead_protection.explain_calendar(lead_clock, 'idle', explain_steps.as_of) AS s;
            RETURN QUERY
            SELECT 'idle', s.* FROM lead_protection.explain_holds(lead_clock, 'idle', explain_steps.as_of) AS s;
            SELECT e.expires_at INTO STRICT base_expires_at
            FROM lead_protection.stop_clock(lead_clock.base_expires_at, stops) AS e;
            RETURN QUERY VALUES (
                NULL::text, 'RULE', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval, rule_expires_at,
                format(
                    'The earlier of the two clocks: the %s clock.',
                    CASE WHEN rule_expires_at < base_expires_at THEN 'idle' ELSE 'base' END
                )
            );
        END IF;

        IF lead_clock.noticed_at IS NOT NULL THEN
            RETURN QUERY VALUES (
                'notice', 'NOTICE', NULL::bigint, lead_clock.noticed_at, NULL::timestamptz,
                lead_clock.notice_base_expires_at - lead_clock.noticed_at, lead_clock.notice_base_expires_at,
                format(
                    'The reminder was sent at %s: + %s.',
                    lead_protection.local_text(lead_clock.noticed_at, terms.time_zone),
                    lead_protection.elapsed_text(make_interval(days => terms.grace_days))
                )
            );
            RETURN QUERY
            SELECT 'notice', s.* FROM lead_protection.explain_holds(lead_clock, 'notice', explain_steps.as_of) AS s;
            RETURN QUERY
            SELECT
                NULL::text, 'NOTICE', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval, e.expires_at,
                CASE
                    WHEN e.expires_at > rule_expires_at THEN 'The later of the two: the expiry waits for the notice.'
                    ELSE 'The later of the two: the expiry by the rule. The notice was in time.'
                END
            FROM lead_protection.noticed_expiry(
                rule_expires_at, lead_clock.noticed_at, lead_clock.notice_base_expires_at, stops
            ) AS e;
        ELSIF lead_clock.owed_notice_days IS NOT NULL THEN
            RETURN QUERY VALUES (
                NULL::text, 'NOTICE', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval,
                CASE shown.state
                    WHEN 'REMINDER_DUE'
                        THEN lead_protection.awaited_expiry(lead_clock, rule_expires_at, explain_steps.as_of)
                    ELSE rule_expires_at
                END,
                format(
                    'The reminder was not sent yet%s. The protection ends no earlier than %s after it%s.',
                    CASE shown.state WHEN 'REMINDER_DUE' THEN ' and is due' END,
                    lead_protection.elapsed_text(make_interval(days => lead_clock.owed_notice_days)),
                    CASE shown.state WHEN 'REMINDER_DUE' THEN ', as if it went out now' END
                )
            );
        END IF;
    END IF;

    IF lead_clock.closed_at IS NOT NULL THEN
        RETURN QUERY
        SELECT
            NULL::text, 'CLOSED', NULL::bigint, lead_clock.closed_at, NULL::timestamptz, NULL::interval,
            NULL::timestamptz,
            format(
                'Closed at %s%s: nothing falls due and nothing expires any more.',
                lead_protection.local_text(lead_clock.closed_at, terms.time_zone),
                CASE WHEN l.closed_at = lead_clock.closed_at THEN ' as ' || l.closed_as END
            )
        FROM lead_protection.leads AS l
        WHERE l.id = explain_steps.lead_id;
    END IF;

    -- The state that the clock had at the due instant if nothing had closed the lead: GRACE if a reminder covers the
    -- window.
    is_reminded := lead_protection.protection_state(lead_clock, lead_clock.reminder_due_at, '-infinity') = 'GRACE';
    RETURN QUERY VALUES (
        NULL::text, 'REMINDER', NULL::bigint, shown.reminder_due_at,
        CASE WHEN is_reminded THEN lead_clock.reminded_at END, NULL::interval, NULL::timestamptz,
        CASE
            WHEN shown.state = 'CLOSED' THEN 'None falls due: the lead is closed.'
            WHEN shown.state = 'FREE' THEN 'None falls due: the lead is nobody''s.'
            WHEN shown.on_hold THEN 'None falls due while the lead is on hold.'
            ELSE format(
                'Due at %s, %s before %s.',
                lead_protection.local_text(shown.reminder_due_at, terms.time_zone),
                lead_protection.elapsed_text(make_interval(days => terms.grace_days)),
                to_char(lead_clock.window_date, 'YYYY-MM-DD')
            )
        END
        || CASE
            WHEN is_reminded
                THEN format(
                    CASE
                        WHEN EXISTS (
                            SELECT
                            FROM lead_protection.lead_reminders AS r
                            WHERE
                                r.lead_id = explain_steps.lead_id AND r.user_id = lead_clock.user_id
                                AND r.sent_at = lead_clock.reminded_at AND r.adopted
                        )
                            THEN ' Taken over as sent at %s, and not sent by this system.'
                        ELSE ' Sent at %s.'
                    END,
                    lead_protection.local_text(lead_clock.reminded_at, terms.time_zone)
                )
            WHEN lead_clock.user_id IS NULL THEN ''
            WHEN lead_clock.reminded_at IS NOT NULL THEN format(
                ' Not sent; the one of %s was for another date.',
                lead_protection.local_text(lead_clock.reminded_at, terms.time_zone)
            )
            ELSE ' Not sent.'
        END
    );

    RETURN QUERY VALUES (
        NULL::text, 'RESULT', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval,
        shown.protection_expires_at::timestamptz,
        format(
            CASE
                WHEN lead_clock.user_id IS NULL THEN 'At %1$s %6$s: %2$s. The lead is nobody''s.'
                ELSE 'At %s: %s, %s. %s %s %s.'
            END,
            lead_protection.local_text(explain_steps.as_of, terms.time_zone),
            shown.state,
            CASE WHEN shown.on_hold THEN 'on hold' ELSE 'not on hold' END,
            CASE
                WHEN shown.state = 'CLOSED' THEN 'Without the closing, protected until'
                WHEN shown.state = 'EXPIRED' THEN 'Was protected until'
                WHEN shown.on_hold THEN 'If the hold ended then, protected until'
                ELSE 'Protected until'
            END,
            lead_protection.local_text(shown.protection_expires_at, terms.time_zone),
            terms.time_zone
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.explain_steps(bigint, timestamptz) IS
'The steps of explain_protection(), in order and without their numbers. lead_id: a known lead; as_of: a finite '
'instant. Internal.';
