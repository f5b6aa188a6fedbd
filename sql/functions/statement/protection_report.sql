-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.protection_report(language text DEFAULT 'de')
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    zone text;
    words jsonb;
    blocks jsonb;
    listed jsonb;
    bars jsonb;
    total bigint;
    wrong bigint;
    sums record;
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('language', protection_report.language));
    PERFORM lead_protection.require_statement_form(protection_report.language, 'html');
    SELECT p.time_zone INTO zone
    FROM lead_protection.protection_policies AS p
    WHERE p.is_default;
    zone := coalesce(zone, 'UTC');
    words := lead_protection.words_of(protection_report.language);

    blocks := jsonb_build_array(
        jsonb_build_object('kind', 'title', 'text', words ->> 'report.title'),
        jsonb_build_object('kind', 'text', 'text', lead_protection.statement_text(
            'report.made', words,
            jsonb_build_object('as_of', lead_protection.instant_text(now()), 'zone', zone), zone
        ))
    );

    -- What is wrong comes first.
    SELECT
        count(*),
        count(*) FILTER (WHERE h.status <> 'ok'),
        jsonb_agg(
            jsonb_build_array(
                CASE h.status WHEN 'ok' THEN '✓ ' WHEN 'warn' THEN '! ' ELSE '✗ ' END
                || coalesce(words ->> ('status.' || h.status), h.status),
                h.check_name, h.found,
                CASE WHEN h.status <> 'ok' THEN
                    coalesce(CASE protection_report.language WHEN 'de' THEN o.title_de END, h.runbook)
                END
            )
            ORDER BY array_position(ARRAY['critical', 'warn', 'ok'], h.status), h.check_name
        )
    INTO total, wrong, listed
    FROM lead_protection.health AS h
    LEFT JOIN lead_protection.help_operations AS o ON h.runbook = o.title;
    blocks := blocks || jsonb_build_array(
        jsonb_build_object('kind', 'heading', 'text', words ->> 'report.health'),
        jsonb_build_object('kind', 'lead', 'text', lead_protection.statement_text(
            CASE WHEN wrong = 0 THEN 'report.all_well' ELSE 'report.not_well' END, words,
            jsonb_build_object('count', total, 'wrong', wrong)
        )),
        lead_protection.table_block(
            ARRAY['head.state', 'head.check', 'head.found', 'head.runbook'], words, listed
        )
    );

    SELECT
        jsonb_agg(
            jsonb_build_array(words ->> ('state.' || k.state), jsonb_build_array(k.running, k.on_hold)) ORDER BY k.place
        ),
        jsonb_agg(
            jsonb_build_array(words ->> ('state.' || k.state), (k.running + k.on_hold)::text, k.on_hold::text)
            ORDER BY k.place
        )
        || jsonb_build_array(jsonb_build_array(
            words ->> 'user_statement.total', sum(k.running + k.on_hold)::text, sum(k.on_hold)::text
        ))
    INTO bars, listed
    FROM (
        SELECT
            v.state,
            sum(v.leads) FILTER (WHERE NOT v.on_hold) AS running,
            sum(v.leads) FILTER (WHERE v.on_hold) AS on_hold,
            array_position(
                ARRAY['PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'FREE'], v.state
            ) AS place
        FROM lead_protection.v_kpi_states AS v
        GROUP BY v.state
    ) AS k;
    blocks := blocks || jsonb_build_array(
        jsonb_build_object('kind', 'heading', 'text', words ->> 'report.states'),
        jsonb_build_object('kind', 'figure', 'svg', lead_protection.bar_figure(
            words ->> 'report.states', ARRAY[words ->> 'report.running', words ->> 'report.stopped'], bars, 1
        )),
        lead_protection.table_block(
            ARRAY['head.state', 'head.leads', 'head.of_them_on_hold'], words, listed
        ),
        jsonb_build_object('kind', 'heading', 'text', words ->> 'report.next'),
        jsonb_build_object('kind', 'text', 'text', words ->> 'report.next_days')
    );

    SELECT
        jsonb_agg(
            jsonb_build_array(to_char(d.day, words ->> 'form.day'), jsonb_build_array(coalesce(e.expiries, 0)))
            ORDER BY d.day
        ),
        coalesce(sum(e.expiries), 0)::bigint
    INTO bars, total
    FROM generate_series(
        (now() AT TIME ZONE zone)::date::timestamp, (now() AT TIME ZONE zone)::date + INTERVAL '30 days',
        INTERVAL '1 day'
    ) AS d (day)
    LEFT JOIN (
        SELECT
            (v.protection_expires_at AT TIME ZONE zone)::date AS day,
            count(*) AS expiries
        FROM lead_protection.v_user_lead_protection AS v
        WHERE
            NOT v.on_hold AND v.closed_at IS NULL
            AND v.protection_expires_at >= now() AND v.protection_expires_at < now() + INTERVAL '30 days'
        GROUP BY 1
    ) AS e ON d.day = e.day;
    SELECT jsonb_agg(
        jsonb_build_array(
            v.lead_id::text || coalesce(' (' || v.lead_key || ')', ''), v.user_id::text,
            words ->> ('state.' || v.state),
            lead_protection.value_text(
                lead_protection.instant_text(v.protection_expires_at), 'instant', words, zone
            ),
            lead_protection.value_text(
                lead_protection.instant_text(v.reminded_at), 'instant', words, zone
            )
        )
        ORDER BY v.protection_expires_at, v.lead_id
    )
    INTO listed
    FROM (
        SELECT p.*
        FROM lead_protection.v_user_lead_protection AS p
        WHERE
            NOT p.on_hold AND p.closed_at IS NULL
            AND p.protection_expires_at >= now() AND p.protection_expires_at < now() + INTERVAL '30 days'
        ORDER BY p.protection_expires_at, p.lead_id
        LIMIT 15
    ) AS v;
    blocks := blocks || CASE
        WHEN listed IS NULL THEN jsonb_build_array(
            jsonb_build_object('kind', 'text', 'text', words ->> 'report.next_none')
        )
        ELSE jsonb_build_array(
            jsonb_build_object('kind', 'figure', 'svg', lead_protection.bar_figure(
                words ->> 'report.next', ARRAY[words ->> 'report.expiring'], bars, 3
            )),
            jsonb_build_object('kind', 'text', 'text', lead_protection.statement_text(
                'report.next_first', words,
                jsonb_build_object('count', jsonb_array_length(listed), 'total', total)
            )),
            lead_protection.table_block(
                ARRAY['head.lead', 'head.user', 'head.state', 'head.protected_until', 'head.reminded'],
                words, listed
            )
        )
    END;

    SELECT count(*) INTO total
    FROM lead_protection.v_active_holds;
    SELECT jsonb_agg(
        jsonb_build_array(
            h.lead_id::text, h.user_id::text,
            lead_protection.reason_text(h.reason_code, h.reason, r.description, words),
            lead_protection.value_text(
                lead_protection.instant_text(h.start_at), 'instant', words, zone
            ),
            lead_protection.length_text(h.age, words),
            lead_protection.value_text(
                lead_protection.instant_text(h.ends_at), 'instant', words, zone
            )
        )
        ORDER BY h.start_at, h.hold_id
    )
    INTO listed
    FROM (
        SELECT a.*
        FROM lead_protection.v_active_holds AS a
        ORDER BY a.start_at, a.hold_id
        LIMIT 15
    ) AS h
    INNER JOIN lead_protection.hold_reasons AS r ON h.reason_code = r.code;
    blocks := blocks
        || jsonb_build_object('kind', 'heading', 'text', words ->> 'report.holds')
        || CASE
            WHEN listed IS NULL THEN jsonb_build_array(
                jsonb_build_object('kind', 'text', 'text', words ->> 'report.holds_none')
            )
            ELSE jsonb_build_array(
                jsonb_build_object('kind', 'text', 'text', lead_protection.statement_text(
                    'report.holds_first', words,
                    jsonb_build_object('count', jsonb_array_length(listed), 'total', total)
                )),
                lead_protection.table_block(
                    ARRAY['head.lead', 'head.user', 'head.reason', 'head.from', 'head.age', 'head.until'],
                    words, listed
                )
            )
        END;

    SELECT
        coalesce(sum(r.fell_due), 0) AS fell_due,
        coalesce(sum(r.sent_within), 0) AS sent_within,
        coalesce(sum(r.sent_beyond), 0) AS sent_beyond,
        coalesce(sum(r.waiting), 0) AS waiting,
        coalesce(sum(r.missed), 0) AS missed,
        jsonb_agg(
            jsonb_build_array(
                to_char(d.day, words ->> 'form.day'),
                jsonb_build_array(
                    coalesce(r.sent_within, 0), coalesce(r.sent_beyond, 0), coalesce(r.waiting, 0),
                    coalesce(r.missed, 0)
                )
            )
            ORDER BY d.day
        ) AS bars
    INTO sums
    FROM generate_series(
        (now() AT TIME ZONE 'UTC')::date - INTERVAL '30 days', (now() AT TIME ZONE 'UTC')::date::timestamp,
        INTERVAL '1 day'
    ) AS d (day)
    LEFT JOIN (
        SELECT s.*
        FROM lead_protection.v_reminder_sla AS s
        WHERE s.day >= (now() AT TIME ZONE 'UTC')::date - 30
    ) AS r ON d.day = r.day;
    blocks := blocks
        || jsonb_build_object('kind', 'heading', 'text', words ->> 'report.reminders')
        || CASE sums.fell_due
            WHEN 0 THEN jsonb_build_array(
                jsonb_build_object('kind', 'text', 'text', words ->> 'report.reminders_none')
            )
            ELSE jsonb_build_array(
                jsonb_build_object('kind', 'text', 'text', lead_protection.statement_text(
                    'report.reminders_sum', words,
                    jsonb_build_object(
                        'fell_due', sums.fell_due, 'within', sums.sent_within,
                        -- Never 100 where one was late.
                        'percent', trunc(100 * sums.sent_within / sums.fell_due),
                        'beyond', sums.sent_beyond, 'waiting', sums.waiting, 'missed', sums.missed
                    )
                )),
                jsonb_build_object('kind', 'figure', 'svg', lead_protection.bar_figure(
                    words ->> 'report.reminders',
                    ARRAY[
                        words ->> 'report.within', words ->> 'report.beyond', words ->> 'report.waiting',
                        words ->> 'report.missed'
                    ],
                    sums.bars, 3
                ))
            )
        END;

    RETURN lead_protection.page(
        blocks || jsonb_build_object('kind', 'note', 'text', words ->> 'report.foot'),
        protection_report.language, 'html'
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.protection_report(text) IS
'How it stands now, as one self-contained page of HTML for a browser and for A4, with plots: health, leads by state, '
'what expires within 30 days and for whom, holds in force with their age, the reminders of the last 30 days against '
'their 60 minutes. language: en or de; what health found is in English. Times are those of the default policy''s zone, '
'days of reminders those of UTC. Reads every lead: seconds for millions. Changes nothing.
Errors: LP001 null argument, LP062 unknown language.';
