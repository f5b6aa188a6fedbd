-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
-- Every branch gives the one row of its check: what was measured (in the unit of health_checks; null: nothing to
-- measure), how many, what was found, since when. Each reads a few rows through an index, or a bounded number of them:
-- it must answer at once, above all when things are bad.
-- As a function, with JIT off at its door: its parts look dear to the planner, the more so where nothing was analysed
-- yet, and to compile them takes ten times as long as to answer, and seconds under load. It runs with the rights of
-- whoever asks: what they may see of sessions is told.
CREATE OR REPLACE FUNCTION lead_protection.health_now()
RETURNS TABLE (
    check_name text, status text, found text, since timestamptz, runbook text, amount bigint, first_command text
)
LANGUAGE sql STABLE ROWS 23 SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
WITH jobs AS MATERIALIZED (
    SELECT
        -- Whether adopted tables are followed is seen in what waits.
        CASE j.job_name
            WHEN 'lead-protection-reminders' THEN 'pipeline'
            WHEN 'lead-protection-nightly' THEN 'nightly'
        END AS check_name,
        j.job_name,
        j.last_sign_of_life_at,
        j.failures_in_a_row,
        j.failing_since,
        j.last_error
    FROM lead_protection.v_kpi_jobs AS j
),

installation AS (
    SELECT min(m.recorded_at) AS installed_at
    FROM lead_protection.migration_checksums AS m
),

-- Runs that the schedule began. Where pg_cron does that, a run by hand is none of them.
scheduled AS (
    SELECT
        r.started_at,
        coalesce(r.application_name = 'pg_cron', false) AS by_pg_cron
    FROM lead_protection.job_runs AS r
    WHERE
        r.job_name = 'lead-protection-reminders' AND r.started_at <= clock_timestamp()
        AND (
            r.application_name = 'pg_cron'
            OR NOT EXISTS (
                SELECT
                FROM lead_protection.job_runs AS o
                WHERE
                    o.job_name = 'lead-protection-reminders' AND o.started_at > now() - INTERVAL '2 days'
                    AND o.application_name = 'pg_cron'
            )
        )
    ORDER BY r.started_at DESC
    LIMIT 1
),

-- Only superusers and members of pg_read_all_stats see what a process is; others must wait for the runs to stay away.
launcher AS (
    SELECT
        NOT pg_is_in_recovery()
        AND coalesce(bool_or(a.backend_type = 'checkpointer'), false)
        AND NOT coalesce(bool_or(a.backend_type = 'pg_cron launcher'), false) AS is_gone
    FROM pg_stat_activity AS a
),

-- A run that has not come back; and a session that is no run and holds the lock of a job, which is told at once.
hanging AS (
    SELECT
        r.started_at AS since,
        false AS at_once,
        format(
            'run %s of %s has been running for %s, %s', r.id, r.job_name,
            lead_protection.elapsed_text(date_trunc('second', now() - r.started_at)),
            CASE
                WHEN pg_is_in_recovery() THEN 'on the primary'
                WHEN lead_protection.is_at_work(r) THEN 'in process ' || r.backend_pid
                WHEN
                    r.backend_pid IN (SELECT a.pid FROM pg_stat_activity AS a)
                    THEN 'says the table, but process ' || r.backend_pid || ' is not at it'
                ELSE 'says the table, but its process ' || r.backend_pid || ' is gone'
            END
        ) AS found
    FROM jobs AS j
    INNER JOIN lead_protection.job_runs AS r ON j.job_name = r.job_name
    WHERE r.outcome = 'running'
    UNION ALL
    SELECT
        coalesce(least(a.xact_start, s.since), now()),
        true,
        format(
            'process %s of role %s (%s) holds the lock of %s, whose runs leave at once',
            coalesce(t.pid::text, 'unknown'), coalesce(a.usename, 'unknown'),
            coalesce(nullif(a.application_name, ''), 'no application name'), j.job_name
        )
    FROM jobs AS j
    INNER JOIN lead_protection.lock_rows AS w ON j.job_name = w.lock_name
    -- The row bears the transaction that has it locked.
    INNER JOIN pg_locks AS t ON w.xmax = t.transactionid AND t.locktype = 'transactionid' AND t.granted
    LEFT JOIN pg_stat_activity AS a ON t.pid = a.pid
    CROSS JOIN LATERAL (
        SELECT min(r.started_at) AS since
        FROM lead_protection.job_runs AS r
        WHERE
            r.job_name = j.job_name AND r.outcome = 'skipped' AND NOT r.result ? 'waiting'
            AND r.started_at > coalesce(
                (
                    SELECT max(o.started_at)
                    FROM lead_protection.job_runs AS o
                    WHERE
                        o.job_name = j.job_name AND o.outcome <> 'running'
                        AND (o.outcome <> 'skipped' OR o.result ? 'waiting')
                ),
                '-infinity'
            )
    ) AS s
    WHERE NOT EXISTS (
        SELECT
        FROM lead_protection.job_runs AS r
        WHERE r.job_name = j.job_name AND r.outcome = 'running' AND r.backend_pid = t.pid
    )
),

passed_over AS (
    SELECT
        p.lead_id,
        min(p.since) AS since,
        coalesce(
            string_agg(
                DISTINCT format(
                    'process %s of role %s (%s)%s', p.pid, coalesce(p.session_role, 'unknown'),
                    coalesce(nullif(p.application_name, ''), 'no application name'),
                    ', in a transaction for ' || lead_protection.elapsed_text(
                        date_trunc('second', greatest(now() - p.in_transaction_since, INTERVAL '0'))
                    )
                ),
                ' or '
            ) FILTER (WHERE p.pid IS NOT NULL),
            'nobody any more'
        ) AS holder
    FROM lead_protection.v_passed_over_leads AS p
    WHERE p.since IN (
        SELECT f.since
        FROM lead_protection.passed_over_leads AS f
        ORDER BY f.since
        LIMIT 100
    )
    GROUP BY p.lead_id
),

unsent AS (
    SELECT w.waits_since
    FROM lead_protection.waiting_reminders(now()) AS w
    ORDER BY w.reminder_due_at, w.lead_id
    LIMIT 1000
),

-- What was taken back by now does not count.
expiries AS (
    SELECT
        count(*) AS recorded,
        min(x.recorded_at) AS since
    FROM lead_protection.lead_expiries AS x
    WHERE x.reactivated_at IS NULL AND NOT x.adopted AND x.recorded_at > now() - INTERVAL '1 day'
),

-- From what the pipeline said that it did in the four weeks before. Null: too new to say.
usual AS (
    SELECT
        CASE
            WHEN min(r.started_at) < now() - INTERVAL '3 days'
                THEN greatest(
                    20,
                    round(
                        sum((r.result ->> 'expiries')::bigint)
                        / (extract(EPOCH FROM now() - INTERVAL '1 day' - min(r.started_at)) / 86400)
                    )
                )
        END AS a_day
    FROM lead_protection.job_runs AS r
    WHERE
        r.job_name = 'lead-protection-reminders'
        AND r.started_at > now() - INTERVAL '29 days' AND r.started_at <= now() - INTERVAL '1 day'
),

dead AS (
    SELECT
        n.consumer_name,
        p.events,
        p.since
    FROM lead_protection.event_consumers AS n
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS events,
            min(d.settled_at) AS since
        FROM (
            SELECT x.settled_at
            FROM lead_protection.event_deliveries AS x
            WHERE x.consumer_name = n.consumer_name AND x.status = 'dead'
            ORDER BY x.sequence_number
            LIMIT 10000
        ) AS d
    ) AS p
    WHERE p.events > 0
),

-- Whether the cache is right only the nightly proof can say; that nothing keeps it right is seen at once.
triggers_off AS (
    SELECT string_agg(format('%s of %s', t.tgname, c.relname), ', ' ORDER BY c.relname, t.tgname) AS names
    FROM pg_trigger AS t
    INNER JOIN pg_class AS c ON t.tgrelid = c.oid
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE n.nspname = 'lead_protection' AND NOT t.tgisinternal AND t.tgenabled IN ('D', 'R')
),

-- Among the oldest open holds: the others are not over theirs yet. What overrun means is v_active_holds' to say; but to
-- ask that view would have all holds in force looked at.
overrun AS (
    SELECT
        count(*) AS holds,
        min(m.limit_at) AS since
    FROM (
        SELECT o.hold
        FROM (
            SELECT
                h AS hold,
                h.lead_id,
                h.user_id,
                h.start_at
            FROM lead_protection.lead_holds AS h
            WHERE
                h.end_at IS NULL AND h.voided_at IS NULL AND h.start_at <= now()
                AND EXISTS (
                    SELECT
                    FROM lead_protection.protection_policies AS q
                    WHERE q.hold_limit_days IS NOT NULL OR q.hold_total_limit_days IS NOT NULL
                )
            ORDER BY h.start_at
            LIMIT 10000
        ) AS o
        INNER JOIN lead_protection.leads AS l ON o.lead_id = l.id AND o.user_id = l.user_id
        INNER JOIN lead_protection.protection_policies AS p ON l.policy_id = p.id
        WHERE l.closed_at IS NULL AND (p.hold_limit_days IS NOT NULL OR p.hold_total_limit_days IS NOT NULL)
        ORDER BY o.start_at
        LIMIT 1000
    ) AS o
    CROSS JOIN LATERAL lead_protection.hold_limit(o.hold, now()) AS m
    WHERE m.limit_at <= now()
),

ahead AS (
    SELECT
        i.what,
        i.at
    FROM (
        SELECT
            'a run of ' || j.job_name || ' started' AS what,
            (
                SELECT max(r.started_at) FROM lead_protection.job_runs AS r
                WHERE r.job_name = j.job_name
            ) AS at
        FROM jobs AS j
        UNION ALL
        -- Those that somebody knows of do not count; a clock that runs ahead once more is seen by the runs meanwhile.
        SELECT
            'an event was written',
            (
                SELECT max(e."timestamp") FROM lead_protection.outbox_events AS e
                WHERE e."timestamp" > coalesce(s.events_ahead_until, '-infinity')
            )
        FROM lead_protection.settings AS s
        UNION ALL
        SELECT
            'an expiry was recorded',
            (
                SELECT max(x.recorded_at) FROM lead_protection.lead_expiries AS x
                WHERE x.reactivated_at IS NULL
            )
        UNION ALL
        SELECT
            'a reminder was sent',
            (SELECT max(r.sent_at) FROM lead_protection.lead_reminders AS r)
        UNION ALL
        SELECT
            'an early warning was sent',
            (SELECT max(w.sent_at) FROM lead_protection.lead_warnings AS w)
        UNION ALL
        -- Neither a lease nor a pause is longer than a day.
        SELECT
            'a delivery to ' || n.consumer_name || ' was put off',
            (
                SELECT max(d.available_at) - INTERVAL '1 day' FROM lead_protection.event_deliveries AS d
                WHERE d.consumer_name = n.consumer_name AND d.status = 'pending'
            )
        FROM lead_protection.event_consumers AS n
    ) AS i
    WHERE i.at > clock_timestamp()
    ORDER BY i.at DESC
    LIMIT 1
),

measured (check_name, measured, amount, found, since) AS (
    SELECT
        j.check_name,
        extract(EPOCH FROM now() - coalesce(j.last_sign_of_life_at, i.installed_at)),
        NULL::bigint,
        CASE
            WHEN j.last_sign_of_life_at IS NULL
                THEN format('%s has not done its work since it was installed', j.job_name)
            ELSE format(
                '%s did its work %s ago', j.job_name,
                lead_protection.elapsed_text(
                    date_trunc('second', greatest(now() - j.last_sign_of_life_at, INTERVAL '0'))
                )
            )
        END,
        coalesce(j.last_sign_of_life_at, i.installed_at)
    FROM jobs AS j
    CROSS JOIN installation AS i
    WHERE j.check_name IS NOT NULL
    UNION ALL
    SELECT
        'scheduler',
        CASE
            WHEN s.by_pg_cron AND l.is_gone THEN 'Infinity'::numeric
            ELSE extract(EPOCH FROM now() - coalesce(s.started_at, i.installed_at))
        END,
        NULL,
        CASE
            WHEN s.started_at IS NULL THEN 'the schedule has begun no run since it was installed'
            ELSE format(
                '%s began a run %s ago%s', CASE WHEN s.by_pg_cron THEN 'pg_cron' ELSE 'a session' END,
                lead_protection.elapsed_text(date_trunc('second', greatest(now() - s.started_at, INTERVAL '0'))),
                CASE WHEN s.by_pg_cron AND l.is_gone THEN '; its launcher is gone' END
            )
        END,
        coalesce(s.started_at, i.installed_at)
    FROM installation AS i
    CROSS JOIN launcher AS l
    LEFT JOIN scheduled AS s ON true
    UNION ALL
    SELECT
        'reminders_overdue',
        extract(EPOCH FROM now() - min(u.waits_since)),
        count(*) FILTER (WHERE u.waits_since <= now() - make_interval(secs => k.warn_at)),
        CASE
            WHEN count(u.waits_since) = 0 THEN 'no reminder waits'
            ELSE format(
                '%s%s due and not sent, the first for %s', count(u.waits_since),
                CASE WHEN count(u.waits_since) = 1000 THEN ' or more' END,
                lead_protection.elapsed_text(date_trunc('second', now() - min(u.waits_since)))
            )
        END,
        min(u.waits_since)
    FROM lead_protection.health_checks AS k
    LEFT JOIN unsent AS u ON true
    WHERE k.check_name = 'reminders_overdue'
    UNION ALL
    SELECT
        'job_failed',
        max(j.failures_in_a_row),
        sum(j.failures_in_a_row)::bigint,
        coalesce(
            string_agg(
                format('%s failed %s times in a row, at last with %s', j.job_name, j.failures_in_a_row, j.last_error),
                '; '
            ) FILTER (WHERE j.failures_in_a_row > 0),
            'no run has failed since the last that succeeded'
        ),
        min(j.failing_since)
    FROM jobs AS j
    UNION ALL
    SELECT
        'job_hanging',
        greatest(extract(EPOCH FROM now() - min(h.since)), CASE WHEN bool_or(h.at_once) THEN max(k.warn_at) END),
        count(h.since),
        coalesce(string_agg(h.found, '; ' ORDER BY h.since), 'no run is at work'),
        min(h.since)
    FROM lead_protection.health_checks AS k
    LEFT JOIN hanging AS h ON true
    WHERE k.check_name = 'job_hanging'
    UNION ALL
    SELECT
        'leads_locked',
        extract(EPOCH FROM now() - min(p.since)),
        (SELECT count(*) FROM lead_protection.passed_over_leads),
        coalesce(
            (
                SELECT
                    string_agg(
                        format(
                            'lead %s was passed over for %s, held by %s', f.lead_id,
                            lead_protection.elapsed_text(
                                date_trunc('second', greatest(now() - f.since, INTERVAL '0'))
                            ),
                            f.holder
                        ),
                        '; ' ORDER BY f.since, f.lead_id
                    )
                FROM (
                    SELECT q.* FROM passed_over AS q
                    ORDER BY q.since, q.lead_id
                    LIMIT 5
                ) AS f
            ),
            'no lead was found locked'
        ),
        min(p.since)
    FROM passed_over AS p
    UNION ALL
    SELECT
        'old_snapshots',
        extract(EPOCH FROM now() - min(o.since)),
        count(*),
        coalesce(
            (
                array_agg(
                    format(
                        '%s has kept rows from being cleared away for %s', o.holder,
                        lead_protection.elapsed_text(date_trunc('second', greatest(now() - o.since, INTERVAL '0')))
                    ) ORDER BY o.since
                )
            )[1],
            'nobody keeps rows from being cleared away'
        ),
        min(o.since)
    FROM lead_protection.old_snapshots() AS o
    UNION ALL
    SELECT
        'cron_jobs',
        max(f.severity),
        count(f.severity),
        coalesce(string_agg(f.fault, '; ' ORDER BY f.fault), 'nothing is seen to be wrong'),
        NULL
    FROM lead_protection.cron_faults() AS f
    UNION ALL
    SELECT
        'log_sealed',
        coalesce(extract(EPOCH FROM now() - s.unsealed_since), 0),
        s.seal,
        CASE
            WHEN s.unsealed_since IS NULL THEN format('all is sealed, seal %s', coalesce(s.seal::text, 'none yet'))
            ELSE format(
                'log rows have waited for their seal for %s, seal %s',
                lead_protection.elapsed_text(date_trunc('second', greatest(now() - s.unsealed_since, INTERVAL '0'))),
                coalesce(s.seal::text, 'none yet')
            )
        END,
        s.unsealed_since
    FROM lead_protection.v_kpi_seals AS s
    UNION ALL
    SELECT
        'log_events',
        max(p.found),
        max(p.found),
        coalesce(
            max(
                format(
                    '%s published by the nightly run of %s ago', p.found,
                    lead_protection.elapsed_text(date_trunc('second', greatest(now() - p.proved_at, INTERVAL '0')))
                )
            ),
            'not proved yet'
        ),
        max(p.proved_at)
    FROM lead_protection.nightly_proofs AS p
    WHERE p.step = 'events_published'
    UNION ALL
    SELECT
        'log_integrity',
        max(p.found),
        max(p.found),
        coalesce(
            max(
                format(
                    '%s found by the nightly run of %s ago', p.found,
                    lead_protection.elapsed_text(date_trunc('second', greatest(now() - p.proved_at, INTERVAL '0')))
                )
            ),
            'not proved yet'
        ),
        max(p.proved_at)
    FROM lead_protection.nightly_proofs AS p
    WHERE p.step = 'log_problems'
    UNION ALL
    SELECT
        'expiry_spike',
        x.recorded / u.a_day,
        x.recorded,
        format('%s within a day, usual are %s', x.recorded, coalesce(u.a_day::text, 'not known yet')),
        x.since
    FROM expiries AS x
    CROSS JOIN usual AS u
    UNION ALL
    SELECT
        'outbox_lag',
        extract(EPOCH FROM now() - min(c.oldest_pending_at)),
        coalesce(sum(c.oldest_among)::bigint, 0),
        coalesce(
            string_agg(
                format(
                    '%s: %s%s, the oldest %s old', c.consumer_name, c.oldest_among,
                    CASE WHEN c.oldest_among = 1000 THEN ' or more' END,
                    lead_protection.elapsed_text(
                        date_trunc('second', greatest(now() - c.oldest_pending_at, INTERVAL '0'))
                    )
                ),
                '; ' ORDER BY c.oldest_pending_at
            ) FILTER (WHERE c.oldest_among > 0),
            'no event waits'
        ),
        min(c.oldest_pending_at)
    FROM lead_protection.v_event_consumers AS c
    UNION ALL
    SELECT
        'dead_letters',
        sum(d.events),
        coalesce(sum(d.events)::bigint, 0),
        coalesce(
            string_agg(format('%s: %s', d.consumer_name, d.events), '; ' ORDER BY d.consumer_name), 'no dead letter'
        ),
        min(d.since)
    FROM dead AS d
    UNION ALL
    SELECT
        'clock_drift',
        CASE WHEN t.names IS NOT NULL THEN 'Infinity'::numeric ELSE p.drifted END,
        p.drifted,
        concat_ws(
            '; ',
            'triggers are switched off: ' || t.names,
            CASE
                WHEN p.drifted IS NULL THEN 'not proved yet'
                ELSE format(
                    '%s mended by the nightly run of %s ago', p.drifted,
                    lead_protection.elapsed_text(date_trunc('second', greatest(now() - p.proved_at, INTERVAL '0')))
                )
            END
        ),
        p.proved_at
    FROM triggers_off AS t
    LEFT JOIN lead_protection.v_kpi_clock_drift AS p ON true
    UNION ALL
    SELECT
        'hold_overrun',
        CASE WHEN o.holds > 0 THEN greatest(1, extract(EPOCH FROM now() - o.since)) END,
        o.holds,
        CASE
            WHEN o.holds = 0 THEN 'no open hold has passed its limit'
            ELSE format(
                '%s open holds have passed their limit, the first %s ago', o.holds,
                lead_protection.elapsed_text(date_trunc('second', now() - o.since))
            )
        END,
        o.since
    FROM overrun AS o
    UNION ALL
    SELECT
        'policies',
        CASE WHEN count(*) FILTER (WHERE p.is_default) = 0 THEN 1 ELSE 0 END,
        count(*),
        coalesce(
            'the default is ' || max(format('%s, version %s', p.name, p.version)) FILTER (WHERE p.is_default),
            'there is no default: leads of users without a policy of their own are refused'
        ),
        NULL
    FROM lead_protection.protection_policies AS p
    UNION ALL
    SELECT
        'default_changed',
        count(c.policy_id),
        count(c.policy_id),
        coalesce(
            max(
                format(
                    'it became %s by %s, %s ago; before it was %s', c.policy, c.assigned_by,
                    lead_protection.elapsed_text(date_trunc('second', greatest(now() - c.assigned_at, INTERVAL '0'))),
                    c.policy_before
                )
            ),
            'the default policy is that of a day ago'
        ),
        max(c.assigned_at)
    FROM lead_protection.v_default_policy_change AS c
    UNION ALL
    SELECT
        'clock_skew',
        extract(EPOCH FROM a.at - c.now),
        NULL,
        CASE
            WHEN a.at IS NULL THEN 'nothing lies ahead'
            ELSE format(
                '%s in %s, by the clock of this server', a.what,
                lead_protection.elapsed_text(date_trunc('second', a.at - c.now))
            )
        END,
        NULL
    FROM (SELECT clock_timestamp() AS now) AS c
    LEFT JOIN ahead AS a ON true
    UNION ALL
    SELECT
        'adoption',
        CASE
            WHEN min(a.triggers) < 4 THEN 'Infinity'::numeric
            ELSE coalesce(extract(EPOCH FROM now() - min(a.oldest_queued_at)), 0)
        END,
        coalesce(sum(a.waiting)::bigint, 0),
        coalesce(
            string_agg(
                format(
                    '%s: %s', a.source,
                    concat_ws(
                        '; ', CASE WHEN a.triggers < 4 THEN 'triggers are missing or disabled' END,
                        CASE
                            WHEN a.waiting > 0 THEN format('%s rows wait, the first because of %s', a.waiting, a.error)
                        END
                    )
                ), '; ' ORDER BY a.source
            ) FILTER (WHERE a.triggers < 4 OR a.waiting > 0),
            CASE WHEN count(*) = 0 THEN 'no table is adopted' ELSE 'all adopted rows are in step' END
        ),
        min(a.oldest_queued_at)
    FROM lead_protection.v_kpi_adoption AS a
    UNION ALL
    SELECT
        'adoption_lag',
        coalesce(extract(EPOCH FROM now() - min(a.oldest_untried_at)), 0),
        coalesce(sum(a.untried + a.noted)::bigint, 0),
        coalesce(
            string_agg(
                format(
                    '%s: %s statements and %s rows, the oldest for %s', a.source, a.noted, a.untried,
                    lead_protection.elapsed_text(
                        date_trunc('second', greatest(now() - a.oldest_untried_at, INTERVAL '0'))
                    )
                ), '; ' ORDER BY a.source
            ) FILTER (WHERE a.oldest_untried_at IS NOT NULL),
            'all that was written was followed, or tried'
        ),
        min(a.oldest_untried_at)
    FROM lead_protection.v_kpi_adoption AS a
    UNION ALL
    SELECT
        'paused',
        CASE WHEN s.paused_at IS NOT NULL THEN greatest(0, extract(EPOCH FROM now() - s.paused_at)) END,
        NULL,
        CASE WHEN s.paused_at IS NULL THEN 'not paused' ELSE lead_protection.waiting_reason() END,
        s.paused_at
    FROM lead_protection.settings AS s
)

SELECT
    k.check_name,
    CASE
        WHEN m.measured >= k.critical_at THEN 'critical'
        WHEN m.measured >= k.warn_at THEN 'warn'
        ELSE 'ok'
    END AS status,
    m.found,
    CASE WHEN m.measured >= k.warn_at THEN m.since END AS since,
    k.runbook,
    m.amount,
    (
        SELECT s.step ->> 'code'
        FROM lead_protection.help_operations AS o
        CROSS JOIN LATERAL jsonb_array_elements(o.steps) WITH ORDINALITY AS s (step, nth)
        WHERE o.title = k.runbook AND s.step ->> 'language' = 'sql'
        ORDER BY s.nth
        LIMIT 1
    ) AS first_command
FROM lead_protection.health_checks AS k
INNER JOIN measured AS m ON k.check_name = m.check_name
ORDER BY k.position
$$;

COMMENT ON FUNCTION lead_protection.health_now() IS
'The rows of health, in the order of health_checks. Changes nothing, works on a standby. Internal: the view asks it.';
