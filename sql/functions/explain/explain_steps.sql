CREATE OR REPLACE FUNCTION lead_protection.explain_steps(lead_id bigint, as_of timestamptz)
RETURNS TABLE (
    clock text, item text, fact_id bigint, from_at timestamptz, until_at timestamptz, moved_by interval,
    expires_at timestamptz, sentences jsonb, reason text, actor_id bigint, entered_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lead_clock lead_protection.lead_clocks;
    terms lead_protection.protection_policies;
    shown record;
    entry record;
    stops tstzmultirange;
    base_reached timestamptz;
    reached timestamptz;
    rule_expires_at timestamptz;
    last_day date;
    calendar lead_protection.calendars;
    is_reminded boolean;
BEGIN
    SELECT c.* INTO lead_clock
    FROM lead_protection.derive_lead_clocks(explain_steps.as_of) AS c
    WHERE c.lead_id = explain_steps.lead_id;
    SELECT p.* INTO terms
    FROM lead_protection.protection_policies AS p
    WHERE p.id = lead_clock.policy_id;
    SELECT c.* INTO calendar
    FROM lead_protection.calendars AS c
    WHERE c.id = terms.calendar_id;
    SELECT p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at INTO shown
    FROM lead_protection.protection_as_of(explain_steps.as_of) AS p
    WHERE p.lead_id = explain_steps.lead_id;

    IF NOT FOUND THEN
        RETURN QUERY
        SELECT
            NULL::text, 'NOT_PROTECTED', NULL::bigint, lead_clock.started_at, NULL::timestamptz, NULL::interval,
            NULL::timestamptz,
            lead_protection.sentence(
                CASE WHEN lead_clock.user_id IS NULL THEN 'start.nobodys_later' ELSE 'start.later' END,
                jsonb_build_object(
                    'as_of', lead_protection.instant_text(explain_steps.as_of), 'user_id', lead_clock.user_id,
                    'from', lead_protection.instant_text(lead_clock.started_at), 'zone', terms.time_zone
                )
            ),
            e.reason, e.actor_id, e.entered_at
        FROM lead_protection.start_entry(lead_clock) AS e;
        RETURN;
    END IF;

    RETURN QUERY
    SELECT
        NULL::text, 'START', NULL::bigint, lead_clock.started_at, NULL::timestamptz, NULL::interval, NULL::timestamptz,
        lead_protection.sentence(
            CASE WHEN lead_clock.user_id IS NULL THEN 'start.nobodys' ELSE 'start.of_user' END,
            jsonb_build_object(
                'user_id', lead_clock.user_id, 'from', lead_protection.instant_text(lead_clock.started_at),
                'zone', terms.time_zone
            )
        )
        || lead_protection.sentence(
            CASE WHEN lead_clock.user_id IS NOT NULL THEN 'start.policy' END,
            jsonb_build_object('policy', terms.name, 'version', terms.version, 'rule', terms.rule)
        ),
        e.reason, e.actor_id, e.entered_at
    FROM lead_protection.start_entry(lead_clock) AS e;
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
        rule_expires_at := lead_protection.rule_expiry(
            lead_clock.base_expires_at, lead_clock.idle_from, lead_clock.idle_base_expires_at, stops,
            lead_clock.day_policy_id
        );
        base_reached := lead_protection.stop_clock(lead_clock.base_expires_at, stops, lead_clock.day_policy_id);
        reached := base_reached;

        IF terms.rule = 'parallel' THEN
            RETURN QUERY
            SELECT
                'idle', 'ACTIVITY', done.last_id, lead_clock.idle_from, NULL::timestamptz, NULL::interval,
                NULL::timestamptz,
                lead_protection.sentence(
                    'activity.count',
                    jsonb_build_object(
                        'user_id', lead_clock.user_id, 'activities', done.activities, 'qualified', done.qualified
                    )
                )
                || lead_protection.sentence(
                    CASE WHEN done.last_id IS NULL THEN 'activity.none' ELSE 'activity.last' END,
                    jsonb_build_object('kind', a.kind)
                ),
                NULL::text, a.recorded_by, a.recorded_at
            FROM (
                SELECT
                    count(*) AS activities,
                    count(*) FILTER (WHERE k.qualifies) AS qualified,
                    -- The first that was entered, where several took place at that instant.
                    min(q.id) FILTER (WHERE k.qualifies AND q.occurred_at = lead_clock.idle_from) AS last_id
                FROM lead_protection.lead_activities AS q
                INNER JOIN lead_protection.activity_kinds AS k ON q.kind = k.kind
                WHERE
                    q.lead_id = lead_clock.lead_id AND q.user_id = lead_clock.user_id AND q.deleted_at IS NULL
                    AND q.occurred_at >= lead_clock.started_at
                    AND q.occurred_at <= least(explain_steps.as_of, lead_clock.closed_at)
            ) AS done
            LEFT JOIN lead_protection.lead_activities AS a ON a.id = done.last_id AND a.lead_id = lead_clock.lead_id;
            RETURN QUERY
            SELECT 'idle', s.* FROM lead_protection.explain_calendar(lead_clock, 'idle', explain_steps.as_of) AS s;
            RETURN QUERY
            SELECT 'idle', s.* FROM lead_protection.explain_holds(lead_clock, 'idle', explain_steps.as_of) AS s;
            reached := least(
                base_reached,
                lead_protection.stop_clock(
                    lead_clock.idle_base_expires_at, stops * tstzmultirange(tstzrange(lead_clock.idle_from, NULL)),
                    lead_clock.day_policy_id
                )
            );
            RETURN QUERY VALUES (
                NULL::text, 'RULE', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval, reached,
                lead_protection.sentence(CASE WHEN reached < base_reached THEN 'rule.idle' ELSE 'rule.base' END),
                NULL::text, NULL::bigint, NULL::timestamptz
            );
        END IF;

        IF terms.period_end = 'end_of_day' THEN
            last_day := (reached AT TIME ZONE terms.time_zone)::date;
            RETURN QUERY VALUES (
                NULL::text, 'PERIOD_END', NULL::bigint, NULL::timestamptz, NULL::timestamptz, rule_expires_at - reached,
                rule_expires_at,
                lead_protection.sentence('end.of_day', jsonb_build_object('day', to_char(last_day, 'YYYY-MM-DD')))
                || lead_protection.sentence(
                    CASE WHEN last_day + 1 < (rule_expires_at AT TIME ZONE terms.time_zone)::date THEN 'end.moved' END,
                    jsonb_build_object(
                        'day',
                        to_char((rule_expires_at AT TIME ZONE terms.time_zone)::date - 1, 'YYYY-MM-DD'),
                        'calendar', calendar.code, 'version', calendar.version
                    )
                ),
                NULL::text, NULL::bigint, NULL::timestamptz
            );
        END IF;

        IF lead_clock.noticed_at IS NOT NULL THEN
            RETURN QUERY VALUES (
                'notice', 'NOTICE', NULL::bigint, lead_clock.noticed_at, NULL::timestamptz,
                lead_clock.notice_base_expires_at - lead_clock.noticed_at, lead_clock.notice_base_expires_at,
                lead_protection.sentence(
                    CASE terms.notice_counts_from WHEN 'sent' THEN 'notice.sent' ELSE 'notice.received' END,
                    jsonb_build_object(
                        'at', lead_protection.instant_text(lead_clock.noticed_at), 'days', terms.grace_days
                    )
                ),
                NULL::text, NULL::bigint, lead_clock.noticed_at
            );
            RETURN QUERY
            SELECT 'notice', s.* FROM lead_protection.explain_holds(lead_clock, 'notice', explain_steps.as_of) AS s;
            RETURN QUERY
            SELECT
                NULL::text, 'NOTICE', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval, e.expires_at,
                lead_protection.sentence(
                    CASE WHEN e.expires_at > rule_expires_at THEN 'notice.waited_for' ELSE 'notice.in_time' END
                ),
                NULL::text, NULL::bigint, NULL::timestamptz
            FROM lead_protection.noticed_expiry(
                rule_expires_at, lead_clock.noticed_at, lead_clock.notice_base_expires_at, stops,
                lead_clock.day_policy_id
            ) AS e (expires_at);
        ELSIF lead_clock.owed_notice_days IS NOT NULL THEN
            RETURN QUERY VALUES (
                NULL::text, 'NOTICE', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval,
                CASE
                    WHEN shown.state IN ('REMINDER_DUE', 'GRACE')
                        THEN lead_protection.awaited_expiry(lead_clock, rule_expires_at, explain_steps.as_of)
                    ELSE rule_expires_at
                END,
                lead_protection.sentence(
                    CASE shown.state
                        WHEN 'REMINDER_DUE' THEN 'notice.owed_and_due'
                        WHEN 'GRACE' THEN 'notice.not_received'
                        ELSE 'notice.owed'
                    END,
                    jsonb_build_object('days', lead_clock.owed_notice_days)
                ),
                NULL::text, NULL::bigint, NULL::timestamptz
            );
        END IF;
    END IF;

    IF lead_clock.closed_at IS NOT NULL THEN
        RETURN QUERY
        SELECT
            NULL::text, 'CLOSED', NULL::bigint, lead_clock.closed_at, NULL::timestamptz, NULL::interval,
            NULL::timestamptz,
            lead_protection.sentence(
                CASE
                    WHEN l.closed_at = lead_clock.closed_at AND l.closed_as IS NOT NULL THEN 'closed.as' ELSE 'closed'
                END,
                jsonb_build_object('at', lead_protection.instant_text(lead_clock.closed_at), 'outcome', l.closed_as)
            ),
            e.reason, e.actor_id, e.entered_at
        FROM lead_protection.leads AS l
        CROSS JOIN lead_protection.closing_entry(lead_clock) AS e
        WHERE l.id = explain_steps.lead_id;
    END IF;

    -- The state that the clock had at the due instant if nothing had closed the lead: GRACE if a reminder covers the
    -- window.
    is_reminded := lead_protection.protection_state(lead_clock, lead_clock.reminder_due_at, '-infinity') = 'GRACE';
    SELECT r.adopted INTO entry
    FROM lead_protection.lead_reminders AS r
    WHERE
        r.lead_id = explain_steps.lead_id AND r.user_id = lead_clock.user_id AND r.sent_at = lead_clock.reminded_at
    ORDER BY r.adopted DESC
    LIMIT 1;
    RETURN QUERY VALUES (
        NULL::text, 'REMINDER', NULL::bigint, shown.reminder_due_at,
        CASE WHEN is_reminded THEN lead_clock.reminded_at END, NULL::interval, NULL::timestamptz,
        lead_protection.sentence(
            CASE
                WHEN shown.state = 'CLOSED' THEN 'reminder.closed'
                WHEN shown.state = 'FREE' THEN 'reminder.nobodys'
                WHEN shown.on_hold THEN 'reminder.on_hold'
                ELSE 'reminder.due'
            END,
            jsonb_build_object(
                'at', lead_protection.instant_text(shown.reminder_due_at), 'days', terms.grace_days,
                'window', to_char(lead_clock.window_date, 'YYYY-MM-DD')
            )
        )
        || lead_protection.sentence(
            CASE
                WHEN
                    (shown.reminder_due_at AT TIME ZONE terms.time_zone)::date
                    < lead_clock.window_date - terms.grace_days
                    THEN 'reminder.moved_back'
            END,
            jsonb_build_object(
                'day', to_char(lead_clock.window_date - terms.grace_days, 'YYYY-MM-DD'),
                'calendar', calendar.code, 'version', calendar.version
            )
        )
        || lead_protection.sentence(
            CASE
                WHEN is_reminded THEN CASE WHEN entry.adopted THEN 'reminder.taken_over' ELSE 'reminder.sent' END
                WHEN lead_clock.user_id IS NULL THEN NULL
                WHEN lead_clock.reminded_at IS NOT NULL THEN 'reminder.of_another_date'
                ELSE 'reminder.not_sent'
            END,
            jsonb_build_object('at', lead_protection.instant_text(lead_clock.reminded_at))
        ),
        NULL::text, NULL::bigint, CASE WHEN is_reminded THEN lead_clock.reminded_at END
    );

    RETURN QUERY VALUES (
        NULL::text, 'RESULT', NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::interval,
        shown.protection_expires_at::timestamptz,
        lead_protection.sentence(
            CASE
                WHEN lead_clock.user_id IS NULL THEN 'result.nobodys'
                WHEN shown.on_hold THEN 'result.on_hold'
                ELSE 'result.state'
            END,
            jsonb_build_object(
                'as_of', lead_protection.instant_text(explain_steps.as_of), 'state', shown.state,
                'zone', terms.time_zone
            )
        )
        || lead_protection.sentence(
            CASE
                WHEN lead_clock.user_id IS NULL THEN NULL
                WHEN shown.state = 'CLOSED' THEN 'result.but_for_closing'
                WHEN shown.state = 'EXPIRED' THEN 'result.was_until'
                WHEN shown.on_hold THEN 'result.if_hold_ended'
                ELSE 'result.until'
            END,
            jsonb_build_object(
                'until', lead_protection.instant_text(shown.protection_expires_at), 'zone', terms.time_zone
            )
        ),
        NULL::text, NULL::bigint, NULL::timestamptz
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.explain_steps(bigint, timestamptz) IS
'The steps of explain_protection(), in order and without their numbers, their sentences as data. lead_id: a known '
'lead; as_of: a finite instant. Internal.';
