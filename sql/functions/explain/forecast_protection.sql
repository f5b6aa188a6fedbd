CREATE OR REPLACE FUNCTION lead_protection.forecast_protection(weeks integer DEFAULT 8)
RETURNS TABLE (week_start date, user_id bigint, expiries bigint, reminders bigint, warnings bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    IF forecast_protection.weeks IS NULL OR forecast_protection.weeks NOT BETWEEN 1 AND 520 THEN
        RAISE EXCEPTION 'weeks must be 1 to 520'
            USING ERRCODE = 'LP029',
            DETAIL = format('Given: %s.', coalesce(forecast_protection.weeks::text, 'null')),
            HINT = 'It is how many weeks to look ahead, the present one included; leave it out for 8.';
    END IF;

    RETURN QUERY
    WITH calendar AS (
        -- A week begins on Monday at midnight, in each zone at another instant.
        SELECT
            p.id AS policy_id,
            p.time_zone,
            p.reminder_time,
            p.grace_days,
            date_trunc('week', now() AT TIME ZONE p.time_zone) + make_interval(weeks => forecast_protection.weeks)
            AS ends_at
        FROM lead_protection.protection_policies AS p
    ),

    -- Any zone's last reminder or warning comes before this, and the expiry that it announces. Roughly, for the index.
    horizon AS (
        SELECT
            now() + make_interval(
                weeks => forecast_protection.weeks,
                days => greatest(
                    max(p.grace_days), (SELECT max(w.days_before) FROM lead_protection.policy_warnings AS w)
                ) + 7
            ) AS ends_at
        FROM lead_protection.protection_policies AS p
    ),

    lead AS (
        SELECT
            c.lead_id,
            c.user_id,
            c.policy_id,
            c.reminder_due_at,
            w.ends_at,
            w.time_zone,
            w.reminder_time,
            w.grace_days,
            greatest(
                c.window_date, ((s.protection_expires_at - INTERVAL '1 microsecond') AT TIME ZONE w.time_zone)::date
            ) AS window_date,
            s.protection_expires_at AT TIME ZONE w.time_zone AS expires_at,
            -- As it will be when it falls due: a reminder of that window is not repeated.
            CASE lead_protection.protection_state(c, greatest(c.reminder_due_at, now()), now())
                WHEN 'REMINDER_DUE' THEN greatest(c.reminder_due_at, now()) AT TIME ZONE w.time_zone
            END AS reminder_at
        FROM lead_protection.lead_clocks AS c
        INNER JOIN calendar AS w ON c.policy_id = w.policy_id
        CROSS JOIN LATERAL lead_protection.clock_at(c, now()) AS s
        WHERE
            c.protection_expires_at < (SELECT h.ends_at FROM horizon AS h)
            -- What expired long ago need not be read; a clock that owes a notice has not.
            AND (c.protection_expires_at > now() OR c.owed_notice_days IS NOT NULL)
            AND NOT lead_protection.is_on_hold(c, now())
            AND lead_protection.protection_state(c, now(), now()) NOT IN ('EXPIRED', 'CLOSED')
    ),

    -- Those that wait go out in this week, the others when they fall due.
    warning AS (
        SELECT l.user_id, now() AT TIME ZONE l.time_zone AS warning_at, l.ends_at
        FROM lead_protection.waiting_warnings(now()) AS w
        INNER JOIN lead AS l ON w.lead_id = l.lead_id
        UNION ALL
        SELECT l.user_id, d.due_at AT TIME ZONE l.time_zone, l.ends_at
        FROM lead_protection.policy_warnings AS w
        INNER JOIN lead AS l ON w.policy_id = l.policy_id
        CROSS JOIN LATERAL (
            SELECT (l.window_date - w.days_before + l.reminder_time) AT TIME ZONE l.time_zone AS due_at
        ) AS d
        WHERE
            d.due_at > now()
            AND (w.days_before <= l.grace_days OR l.reminder_due_at > d.due_at)
            AND NOT EXISTS (
                SELECT
                FROM lead_protection.lead_warnings AS s
                WHERE
                    s.lead_id = l.lead_id AND s.user_id = l.user_id AND s.window_date = l.window_date
                    AND s.days_before = w.days_before AND s.audience = w.audience
            )
    ),

    coming AS (
        SELECT
            l.user_id,
            l.expires_at AS local_time,
            l.ends_at,
            1 AS expiries,
            0 AS reminders,
            0 AS warnings
        FROM lead AS l
        UNION ALL
        SELECT
            l.user_id,
            l.reminder_at,
            l.ends_at,
            0,
            1,
            0
        FROM lead AS l
        UNION ALL
        SELECT
            w.user_id,
            w.warning_at,
            w.ends_at,
            0,
            0,
            1
        FROM warning AS w
    )

    SELECT
        date_trunc('week', a.local_time)::date,
        a.user_id,
        sum(a.expiries),
        sum(a.reminders),
        sum(a.warnings)
    FROM coming AS a
    WHERE a.local_time < a.ends_at
    GROUP BY 1, 2
    ORDER BY 1, 2;
END;
$$;

COMMENT ON FUNCTION lead_protection.forecast_protection(integer) IS
'What comes if nothing else happens: for each week and user, how many protections expire, and how many reminders and '
'early warnings, for whatever audience, fall due. week_start: the Monday, in the time zone of the policy; weeks: 1 to '
'520, the present one included (8 by default). Counts the leads that are neither closed nor expired nor on hold now; '
'a reminder that is overdue falls into the present week, as does a warning, and an expiry that waits for it is '
'counted where it is shown. Only rows with something in them. Reads the cache.
Errors: LP029 weeks null, below 1 or above 520.';
