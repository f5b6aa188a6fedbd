CREATE OR REPLACE FUNCTION lead_protection.delete_lead_activity(
    lead_id bigint, activity_key text, reason text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    activity lead_protection.lead_activities;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', delete_lead_activity.lead_id, 'activity_key', delete_lead_activity.activity_key,
            'actor_id', delete_lead_activity.actor_id
        )
    );
    PERFORM lead_protection.require_reason(delete_lead_activity.reason);

    PERFORM lead_protection.lock_leads(ARRAY[delete_lead_activity.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(delete_lead_activity.lead_id, decided_at);
    activity := lead_protection.require_known_activity(
        delete_lead_activity.lead_id, delete_lead_activity.activity_key
    );
    IF activity.deleted_at IS NOT NULL THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;

    UPDATE lead_protection.lead_activities AS a SET deleted_at = decided_at WHERE a.id = activity.id;
    after := lead_protection.read_lead(before.lead_id, decided_at);

    RETURN lead_protection.log_lead_change(
        'lead.activity.deleted', before, after, decided_at, delete_lead_activity.actor_id,
        delete_lead_activity.reason,
        jsonb_build_object(
            'activity_id', activity.id, 'activity_key', activity.activity_key, 'kind', activity.kind,
            'activity_user_id', activity.user_id,
            'activity_occurred_at', lead_protection.instant_text(activity.occurred_at)
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.delete_lead_activity(bigint, text, text, bigint) IS
'Strikes an activity out: it counts as if it had never been. Its row stays, and its key stays used. reason: 1 to 255 '
'characters; actor_id: who deletes it.
Returns the lead before and after, with changed = true. Repeated: changed = false, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP004 reason blank or too long, LP022 unknown activity.
Logs and publishes lead.activity.deleted in the same transaction.';
