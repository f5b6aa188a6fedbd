CREATE OR REPLACE FUNCTION lead_protection.correct_lead_activity(
    lead_id bigint, activity_key text, kind text, occurred_at timestamptz, reason text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    activity lead_protection.lead_activities;
    corrected lead_protection.lead_activities;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', correct_lead_activity.lead_id, 'activity_key', correct_lead_activity.activity_key,
            'kind', correct_lead_activity.kind, 'occurred_at', correct_lead_activity.occurred_at,
            'actor_id', correct_lead_activity.actor_id
        )
    );
    PERFORM lead_protection.require_reason(correct_lead_activity.reason);
    PERFORM lead_protection.require_instant(correct_lead_activity.occurred_at, 'occurred_at', may_be_ahead => false);
    PERFORM lead_protection.require_known_kind(correct_lead_activity.kind);

    PERFORM lead_protection.lock_leads(ARRAY[correct_lead_activity.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(correct_lead_activity.lead_id, decided_at);
    activity := lead_protection.require_known_activity(
        correct_lead_activity.lead_id, correct_lead_activity.activity_key
    );
    IF activity.deleted_at IS NOT NULL THEN
        RAISE EXCEPTION 'activity % of lead % was deleted', activity.activity_key, activity.lead_id
            USING ERRCODE = 'LP022',
            DETAIL = format('It was deleted at %s.', lead_protection.instant_text(activity.deleted_at)),
            HINT = 'Record what took place as a new activity, with a key of its own.';
    END IF;
    IF
        activity.kind = correct_lead_activity.kind
        AND lead_protection.is_instant_of_activity(activity, correct_lead_activity.occurred_at)
    THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;

    UPDATE lead_protection.lead_activities AS a
    SET
        kind = correct_lead_activity.kind,
        occurred_at = least(correct_lead_activity.occurred_at, decided_at),
        corrected_at = decided_at
    WHERE a.id = activity.id
    RETURNING a.* INTO corrected;
    after := lead_protection.read_lead(before.lead_id, decided_at);

    RETURN lead_protection.log_lead_change(
        'lead.activity.corrected', before, after, decided_at, correct_lead_activity.actor_id,
        correct_lead_activity.reason,
        jsonb_build_object(
            'activity_id', activity.id, 'activity_key', activity.activity_key,
            'activity_user_id', activity.user_id,
            'kind_before', activity.kind, 'kind', corrected.kind,
            'activity_occurred_at_before', lead_protection.instant_text(activity.occurred_at),
            'activity_occurred_at', lead_protection.instant_text(corrected.occurred_at)
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.correct_lead_activity(bigint, text, text, timestamptz, text, bigint) IS
'Corrects kind and instant of a recorded activity: it counts as if it had always been so. Both must be given. kind: in '
'activity_kinds; occurred_at: up to 5 minutes ahead is taken to be now; reason: 1 to 255 characters; actor_id: who '
'corrects it. If it was another user''s, delete it and record it anew under another key.
Returns the lead before and after, with changed = true. Repeated, when it is so already: changed = false, and nothing '
'changes.
Errors: LP001 null argument, LP002 unknown lead, LP004 reason blank or too long, LP005 occurred_at outside the years '
'1900 to 2999, LP010 occurred_at more than 5 minutes in the future, LP021 unknown kind, LP022 unknown or deleted '
'activity.
Logs and publishes lead.activity.corrected, with the values before and after, in the same transaction.';
