CREATE OR REPLACE FUNCTION lead_protection.create_policy_version(
    OUT policy_id bigint,
    INOUT name text,
    actor_id bigint,
    rule text DEFAULT 'sequential',
    base_months integer DEFAULT 6,
    extension_days integer DEFAULT 60,
    grace_days integer DEFAULT 10,
    time_zone text DEFAULT 'Europe/Berlin',
    reminder_time time DEFAULT '08:00',
    notice_required boolean DEFAULT false,
    extension_limit_days integer DEFAULT 60,
    hold_limit_days integer DEFAULT NULL,
    hold_total_limit_days integer DEFAULT NULL,
    approval_by_another boolean DEFAULT false,
    period_end text DEFAULT 'instant',
    hold_unit text DEFAULT 'elapsed',
    calendar_id bigint DEFAULT NULL,
    expiry_on text DEFAULT 'any_day',
    remind_on text DEFAULT 'any_day',
    notice_counts_from text DEFAULT 'sent',
    warnings jsonb DEFAULT '[]',
    texts_kept_days integer DEFAULT NULL,
    OUT version integer,
    OUT created boolean
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
    allowed text;
    latest lead_protection.protection_policies;
    steps integer [];
    days integer [];
    audiences text [];
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'name', create_policy_version.name, 'actor_id', create_policy_version.actor_id,
            'rule', create_policy_version.rule, 'base_months', create_policy_version.base_months,
            'extension_days', create_policy_version.extension_days, 'grace_days', create_policy_version.grace_days,
            'time_zone', create_policy_version.time_zone, 'reminder_time', create_policy_version.reminder_time,
            'notice_required', create_policy_version.notice_required,
            'extension_limit_days', create_policy_version.extension_limit_days,
            'approval_by_another', create_policy_version.approval_by_another,
            'period_end', create_policy_version.period_end, 'hold_unit', create_policy_version.hold_unit,
            'expiry_on', create_policy_version.expiry_on, 'remind_on', create_policy_version.remind_on,
            'notice_counts_from', create_policy_version.notice_counts_from,
            'warnings', create_policy_version.warnings
        )
    );
    IF create_policy_version.calendar_id IS NOT NULL THEN
        PERFORM lead_protection.require_known_calendar(create_policy_version.calendar_id);
    END IF;
    SELECT
        string_agg(format('%s: %s', t.term, t.given), '; ' ORDER BY t.term),
        string_agg(format('%s: %s', t.term, t.allowed), '; ' ORDER BY t.term)
    INTO wrong, allowed
    FROM (
        VALUES
        (
            'name', format('%L', create_policy_version.name),
            create_policy_version.name ~ '[^[:space:]]' AND length(create_policy_version.name) <= 255,
            '1 to 255 characters, not blank'
        ),
        (
            'rule', create_policy_version.rule,
            create_policy_version.rule IN ('sequential', 'parallel'),
            'sequential or parallel'
        ),
        (
            'base_months', create_policy_version.base_months::text,
            create_policy_version.base_months BETWEEN 1 AND 1200,
            '1 to 1200'
        ),
        (
            'extension_days', create_policy_version.extension_days::text,
            create_policy_version.extension_days BETWEEN 1 AND 36500,
            '1 to 36500'
        ),
        (
            'grace_days', create_policy_version.grace_days::text,
            create_policy_version.grace_days BETWEEN 1 AND 36500
            -- Or the reminder would be due before the protection starts.
            AND (
                create_policy_version.rule = 'sequential'
                OR create_policy_version.grace_days < 28::bigint * create_policy_version.base_months
            ),
            '1 to 36500, and under the parallel rule less than base_months of 28 days'
        ),
        (
            'time_zone', create_policy_version.time_zone,
            -- The pattern of the table's constraint, which leaves out what is listed but no place: CET, Factory …
            create_policy_version.time_zone ~ '^(UTC|Etc/GMT[+-][0-9]{1,2}|[A-Z][A-Za-z]+(/[A-Za-z_-]+)+)$'
            -- Not AT TIME ZONE: it takes Etc/GMT+99 for a rule of its own. The list is read from files, which takes far
            -- longer than all else here: a zone that a policy has already was on it.
            AND (
                create_policy_version.time_zone IN (SELECT p.time_zone FROM lead_protection.protection_policies AS p)
                OR create_policy_version.time_zone IN (SELECT z.name FROM pg_timezone_names AS z)
            ),
            'a name of the time zone database, as in pg_timezone_names, such as Europe/Berlin or UTC'
        ),
        (
            'reminder_time', create_policy_version.reminder_time::text,
            create_policy_version.reminder_time < TIME '24:00',
            '00:00 to before 24:00'
        ),
        (
            'extension_limit_days', create_policy_version.extension_limit_days::text,
            create_policy_version.extension_limit_days BETWEEN 0 AND 36500,
            '0 to 36500'
        ),
        (
            'hold_limit_days', create_policy_version.hold_limit_days::text,
            create_policy_version.hold_limit_days BETWEEN 1 AND 36500,
            '1 to 36500, or null for no limit'
        ),
        (
            'hold_total_limit_days', create_policy_version.hold_total_limit_days::text,
            create_policy_version.hold_total_limit_days BETWEEN 1 AND 36500,
            '1 to 36500, or null for no limit'
        ),
        (
            'period_end', create_policy_version.period_end,
            create_policy_version.period_end IN ('instant', 'end_of_day'),
            'instant or end_of_day'
        ),
        (
            'hold_unit', create_policy_version.hold_unit,
            create_policy_version.hold_unit IN ('elapsed', 'day'),
            'elapsed or day'
        ),
        (
            'expiry_on', create_policy_version.expiry_on,
            create_policy_version.expiry_on = 'any_day'
            -- By the time of day, an end on a Saturday evening would come after one on the Sunday morning.
            OR (
                create_policy_version.expiry_on = 'working_day' AND create_policy_version.period_end = 'end_of_day'
                AND create_policy_version.calendar_id IS NOT NULL
            ),
            'any_day, or working_day with a calendar and period_end end_of_day'
        ),
        (
            'remind_on', create_policy_version.remind_on,
            create_policy_version.remind_on = 'any_day'
            OR (create_policy_version.remind_on = 'working_day' AND create_policy_version.calendar_id IS NOT NULL),
            'any_day, or working_day with a calendar'
        ),
        (
            'notice_counts_from', create_policy_version.notice_counts_from,
            create_policy_version.notice_counts_from = 'sent'
            OR (create_policy_version.notice_counts_from = 'delivered' AND create_policy_version.notice_required)
            OR (
                create_policy_version.notice_counts_from = 'delivered_working_day'
                AND create_policy_version.notice_required AND create_policy_version.calendar_id IS NOT NULL
            ),
            'sent; with notice_required delivered, and with a calendar, too, delivered_working_day'
        ),
        (
            'texts_kept_days', create_policy_version.texts_kept_days::text,
            create_policy_version.texts_kept_days BETWEEN 1 AND 36500,
            '1 to 36500, or null to keep them'
        )
    ) AS t (term, given, makes_sense, allowed)
    WHERE NOT t.makes_sense;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'such a policy makes no sense'
            USING ERRCODE = 'LP018',
            DETAIL = format('Given: %s.', wrong),
            HINT = format('Allowed: %s.', allowed);
    END IF;
    SELECT
        coalesce(array_agg(w.step ORDER BY w.step), '{}'), coalesce(array_agg(w.days_before ORDER BY w.step), '{}'),
        coalesce(array_agg(w.audience ORDER BY w.step), '{}')
    INTO steps, days, audiences
    FROM lead_protection.warnings_given(
        create_policy_version.warnings, create_policy_version.rule, create_policy_version.base_months,
        create_policy_version.extension_days, create_policy_version.grace_days
    ) AS w;

    -- Whoever comes second finds its number taken and looks again: it may want the very version that was just made.
    LOOP
        SELECT p.* INTO latest
        FROM lead_protection.protection_policies AS p
        WHERE p.name = create_policy_version.name
        ORDER BY p.version DESC
        LIMIT 1;
        created := false;
        EXIT WHEN (
            latest.rule, latest.base_months, latest.extension_days, latest.grace_days, latest.time_zone,
            latest.reminder_time, latest.notice_required, latest.extension_limit_days,
            latest.hold_limit_days, latest.hold_total_limit_days, latest.approval_by_another,
            latest.period_end, latest.hold_unit, latest.calendar_id, latest.expiry_on, latest.remind_on,
            latest.notice_counts_from, latest.texts_kept_days
        ) IS NOT DISTINCT FROM (
            create_policy_version.rule, create_policy_version.base_months, create_policy_version.extension_days,
            create_policy_version.grace_days, create_policy_version.time_zone, create_policy_version.reminder_time,
            create_policy_version.notice_required, create_policy_version.extension_limit_days,
            create_policy_version.hold_limit_days, create_policy_version.hold_total_limit_days,
            create_policy_version.approval_by_another,
            create_policy_version.period_end, create_policy_version.hold_unit, create_policy_version.calendar_id,
            create_policy_version.expiry_on, create_policy_version.remind_on, create_policy_version.notice_counts_from,
            create_policy_version.texts_kept_days
        )
        AND (
            SELECT
                coalesce(array_agg(w.days_before ORDER BY w.step), '{}') = days
                AND coalesce(array_agg(w.audience ORDER BY w.step), '{}') = audiences
            FROM lead_protection.policy_warnings AS w
            WHERE w.policy_id = latest.id
        );

        INSERT INTO lead_protection.protection_policies AS p (
            name, version, rule, base_months, extension_days, grace_days, time_zone, reminder_time,
            notice_required, extension_limit_days, hold_limit_days, hold_total_limit_days,
            approval_by_another, period_end, hold_unit, calendar_id, expiry_on, remind_on, notice_counts_from,
            texts_kept_days, created_by
        )
        VALUES (
            create_policy_version.name, coalesce(latest.version, 0) + 1, create_policy_version.rule,
            create_policy_version.base_months, create_policy_version.extension_days,
            create_policy_version.grace_days, create_policy_version.time_zone, create_policy_version.reminder_time,
            create_policy_version.notice_required, create_policy_version.extension_limit_days,
            create_policy_version.hold_limit_days, create_policy_version.hold_total_limit_days,
            create_policy_version.approval_by_another, create_policy_version.period_end,
            create_policy_version.hold_unit, create_policy_version.calendar_id, create_policy_version.expiry_on,
            create_policy_version.remind_on, create_policy_version.notice_counts_from,
            create_policy_version.texts_kept_days, create_policy_version.actor_id
        )
        ON CONFLICT ON CONSTRAINT protection_policies_version_unique DO NOTHING
        RETURNING p.* INTO latest;
        created := FOUND;
        EXIT WHEN created;
    END LOOP;
    IF created THEN
        INSERT INTO lead_protection.policy_warnings (policy_id, step, days_before, audience)
        SELECT latest.id, w.step, w.days_before, w.audience
        FROM unnest(steps, days, audiences) AS w (step, days_before, audience);
    END IF;
    policy_id := latest.id;
    name := latest.name;
    version := latest.version;
END;
$$;

COMMENT ON FUNCTION lead_protection.create_policy_version(
    text, bigint, text, integer, integer, integer, text, time, boolean, integer, integer, integer, boolean,
    text, text, bigint, text, text, text, jsonb, integer
) IS
'Makes a policy, or the next version of the policy of that name. It moves no clock and is nobody''s policy yet: see '
'set_default_policy(), assign_user_policy() and move_leads_to_policy(). Terms that are left out are those of the '
'package and not those of the last version. rule: sequential or parallel; base_months: 1 to 1200; extension_days and '
'grace_days: 1 to 36500; time_zone: a name of the time zone database; reminder_time: local, before 24:00; '
'notice_required: true if nobody loses a lead unreminded; extension_limit_days: 0 to 36500; hold_limit_days (longest '
'length of one hold) and hold_total_limit_days (of all holds of a protection together): 1 to 36500, or null, the '
'default, for no limit; approval_by_another: true if whoever enters an extension must not be who approved it; '
'period_end: instant, or end_of_day: the protection ends with its last protected day; hold_unit: elapsed, or day: '
'each local day that a hold touches counts whole and once; calendar_id: the version of a calendar (calendars.id), '
'null: none; expiry_on: any_day, or working_day: a last protected day that is none moves on to the next; remind_on: '
'any_day, or working_day: the reminder moves back to the one before; notice_counts_from: sent, delivered (as the '
'mailer reports it), or delivered_working_day: a delivery on no working day counts as one at the beginning of the '
'next; warnings: the early warnings, an array of objects with days_before (1 or more, fewer than the shortest '
'protection by these terms has) and audience (a word such as user or manager), [] by default: none; texts_kept_days: 1 '
'to 36500, so long after a lead was closed, expired or given back the nightly job erases its texts; null, the default: '
'never.
Returns one row: policy_id, name, version, and created = true. Repeated, when the latest version of the name has the '
'same terms: returns that one with created = false, and makes none.
Errors: LP001 null argument, LP018 terms make no sense (the DETAIL names each, the HINT what is allowed), LP092 '
'unknown calendar, LP105 warnings are none, LP106 one is given twice, LP107 one would fall due before the protection '
'begins.';
