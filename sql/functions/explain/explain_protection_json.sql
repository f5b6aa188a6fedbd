CREATE OR REPLACE FUNCTION lead_protection.explain_protection_json(lead_id bigint, as_of timestamptz DEFAULT now())
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    steps jsonb;
    shown record;
    terms lead_protection.protection_policies;
BEGIN
    SELECT
        jsonb_agg(
            jsonb_build_object(
                'step', s.step,
                'clock', s.clock,
                'item', s.item,
                'fact_id', s.fact_id,
                'from', lead_protection.instant_text(s.from_at),
                'until', lead_protection.instant_text(s.until_at),
                'moved_by_seconds', trim_scale(extract(EPOCH FROM s.moved_by)),
                'expires_at', lead_protection.instant_text(s.expires_at),
                'explanation', s.explanation,
                'reason', s.reason,
                'actor_id', s.actor_id,
                'entered_at', lead_protection.instant_text(s.entered_at),
                'sentences', s.sentences
            )
            ORDER BY s.step
        )
    INTO steps
    FROM lead_protection.explain_protection(
        explain_protection_json.lead_id, explain_protection_json.as_of
    ) AS s;

    SELECT p.user_id, p.policy_id, p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at INTO shown
    FROM lead_protection.protection_as_of(explain_protection_json.as_of) AS p
    WHERE p.lead_id = explain_protection_json.lead_id;
    SELECT p.* INTO terms
    FROM lead_protection.protection_policies AS p
    WHERE p.id = shown.policy_id;

    RETURN jsonb_build_object(
        'lead_id', explain_protection_json.lead_id,
        'lead_key', (
            SELECT l.lead_key FROM lead_protection.leads AS l WHERE l.id = explain_protection_json.lead_id
        ),
        'as_of', lead_protection.instant_text(explain_protection_json.as_of),
        'user_id', shown.user_id,
        'policy', CASE WHEN terms.id IS NOT NULL THEN jsonb_build_object(
            'id', terms.id,
            'name', terms.name,
            'version', terms.version,
            'rule', terms.rule,
            'base_months', terms.base_months,
            'extension_days', terms.extension_days,
            'grace_days', terms.grace_days,
            'time_zone', terms.time_zone,
            'reminder_time', terms.reminder_time,
            'notice_required', terms.notice_required,
            'extension_limit_days', terms.extension_limit_days,
            'period_end', terms.period_end,
            'hold_unit', terms.hold_unit,
            'calendar', (
                SELECT format('%s, %s', c.code, c.version)
                FROM lead_protection.calendars AS c
                WHERE c.id = terms.calendar_id
            ),
            'expiry_on', terms.expiry_on,
            'remind_on', terms.remind_on,
            'notice_counts_from', terms.notice_counts_from
        ) END,
        'steps', steps,
        'result', CASE WHEN terms.id IS NOT NULL THEN jsonb_build_object(
            'protection_expires_at', lead_protection.instant_text(shown.protection_expires_at),
            'state', shown.state,
            'on_hold', shown.on_hold,
            'reminder_due_at', lead_protection.instant_text(shown.reminder_due_at)
        ) END
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.explain_protection_json(bigint, timestamptz) IS
'explain_protection() as one object for an application: {lead_id, as_of, user_id, policy: {id, name, version, rule '
'and the other terms}, steps: [{step, clock, item, fact_id, from, until, moved_by_seconds, expires_at, explanation, '
'reason, actor_id, entered_at, sentences: [{code, parameters}]}], result: {protection_expires_at, state, on_hold, '
'reminder_due_at}}.
Instants are ISO 8601 text in UTC with microseconds, reminder_time is the local time of day, moved_by_seconds is '
'exact, calendar is the code and version of the one that is pinned. user_id, policy and result are null if the protection had not begun at as_of.
Errors: as explain_protection().';
