CREATE OR REPLACE FUNCTION lead_protection.forecast_protection(weeks integer DEFAULT 8)
RETURNS TABLE (week_start date, user_id bigint, expiries bigint, reminders bigint)
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
            date_trunc('week', now() AT TIME ZONE p.time_zone) + make_interval(weeks => forecast_protection.weeks)
            AS ends_at
        FROM lead_protection.protection_policies AS p
    ),

    -- Any zone's last reminder comes before this, and the expiry that it announces. Roughly, for the index.
    horizon AS (
        SELECT now() + make_interval(weeks => forecast_protection.weeks, days => max(p.grace_days) + 7) AS ends_at
        FROM lead_protection.protection_policies AS p
    ),

    lead AS (
        SELECT
            c.user_id,
            w.ends_at,
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

    coming AS (
        SELECT
            l.user_id,
            l.expires_at AS local_time,
            l.ends_at,
            1 AS expiries,
            0 AS reminders
        FROM lead AS l
        UNION ALL
        SELECT
            l.user_id,
            l.reminder_at,
            l.ends_at,
            0,
            1
        FROM lead AS l
    )

    SELECT
        date_trunc('week', a.local_time)::date,
        a.user_id,
        sum(a.expiries),
        sum(a.reminders)
    FROM coming AS a
    WHERE a.local_time < a.ends_at
    GROUP BY 1, 2
    ORDER BY 1, 2;
END;
$$;

COMMENT ON FUNCTION lead_protection.forecast_protection(integer) IS
'What comes if nothing else happens: for each week and user, how many protections expire and how many reminders fall '
'due. week_start: the Monday, in the time zone of the policy; weeks: 1 to 520, the present one included (8 by '
'default). Counts the leads that are neither closed nor expired nor on hold now; a reminder that is overdue falls into '
'the present week, and an expiry that waits for it is counted where it is shown. Only rows with something in them. '
'Reads the cache.
Errors: LP029 weeks null, below 1 or above 520.';
