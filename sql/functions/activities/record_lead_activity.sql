CREATE OR REPLACE FUNCTION lead_protection.record_lead_activity(
    lead_id bigint, user_id bigint, kind text, occurred_at timestamptz, activity_key text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Its statements are short: to plan them anew each time would take as long as to run them. The one plan must not be one
-- for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    activity lead_protection.lead_activities;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', record_lead_activity.lead_id, 'user_id', record_lead_activity.user_id,
            'kind', record_lead_activity.kind, 'occurred_at', record_lead_activity.occurred_at,
            'activity_key', record_lead_activity.activity_key, 'actor_id', record_lead_activity.actor_id
        )
    );
    PERFORM lead_protection.require_reason(record_lead_activity.activity_key, 'activity_key');
    PERFORM lead_protection.require_instant(record_lead_activity.occurred_at, 'occurred_at', may_be_ahead => false);
    PERFORM lead_protection.require_known_kind(record_lead_activity.kind);

    PERFORM lead_protection.lock_leads(ARRAY[record_lead_activity.lead_id]);
    -- Not now(): the transaction may have begun before what was committed while it waited for the lock.
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(record_lead_activity.lead_id, decided_at);

    INSERT INTO lead_protection.lead_activities AS a (
        lead_id, user_id, kind, occurred_at, activity_key, recorded_by, recorded_at
    )
    VALUES (
        record_lead_activity.lead_id, record_lead_activity.user_id, record_lead_activity.kind,
        least(record_lead_activity.occurred_at, decided_at), record_lead_activity.activity_key,
        record_lead_activity.actor_id, decided_at
    )
    ON CONFLICT ON CONSTRAINT lead_activities_key_once DO NOTHING
    RETURNING a.* INTO activity;
    IF NOT FOUND THEN
        SELECT a.* INTO STRICT activity
        FROM lead_protection.lead_activities AS a
        WHERE a.lead_id = record_lead_activity.lead_id AND a.activity_key = record_lead_activity.activity_key;
        -- Once corrected or deleted, it may differ from what was first recorded: a replay is no new decision.
        IF
            activity.corrected_at IS NULL AND activity.deleted_at IS NULL
            AND NOT (
                activity.user_id = record_lead_activity.user_id AND activity.kind = record_lead_activity.kind
                AND lead_protection.is_instant_of_activity(activity, record_lead_activity.occurred_at)
            )
        THEN
            RAISE EXCEPTION 'key % of lead % is that of another activity', activity.activity_key, activity.lead_id
                USING ERRCODE = 'LP020',
                DETAIL = format(
                    'It is a %s of user %s at %s.', activity.kind, activity.user_id,
                    lead_protection.instant_text(activity.occurred_at)
                ),
                HINT = 'Give each activity a key of its own. To put a recorded one right, use correct_lead_activity().';
        END IF;
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;

    after := lead_protection.read_lead(activity.lead_id, decided_at);
    IF
        (after.state, after.on_hold, after.protection_expires_at, after.reminder_due_at)
        IS NOT DISTINCT FROM (before.state, before.on_hold, before.protection_expires_at, before.reminder_due_at)
    THEN
        RETURN lead_protection.lead_change(before, after, true, decided_at);
    END IF;
    RETURN lead_protection.log_lead_change(
        'lead.activity.recorded', before, after, decided_at, record_lead_activity.actor_id, NULL,
        jsonb_build_object(
            'activity_id', activity.id, 'activity_key', activity.activity_key, 'kind', activity.kind,
            'activity_user_id', activity.user_id,
            'activity_occurred_at', lead_protection.instant_text(activity.occurred_at)
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.record_lead_activity(bigint, bigint, text, timestamptz, text, bigint) IS
'Records what user_id did for a lead. Anybody may be active, also for a lead that is closed, expired or free; only '
'qualified activities of the protected user, from the start of the protection to the closing, count, and only under '
'the parallel rule. kind: in activity_kinds; occurred_at: when it took place, which may be long ago, and up to 5 '
'minutes ahead is taken to be now; activity_key: the caller''s key, 1 to 255 characters: the same key for a lead is '
'the same activity; actor_id: who records it.
Returns the lead before and after, with changed = true. Repeated with the same key: changed = false, and nothing '
'changes, also when the activity was corrected or deleted since.
Errors: LP001 null argument, LP002 unknown lead, LP004 activity_key blank or too long, LP005 occurred_at outside the '
'years 1900 to 2999, LP010 occurred_at more than 5 minutes in the future, LP020 the key was used for another user, '
'kind or instant, LP021 unknown kind.
Logs and publishes lead.activity.recorded in the same transaction if state, hold, expiry or reminder of the lead '
'changed by it.';
