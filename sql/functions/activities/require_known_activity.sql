CREATE OR REPLACE FUNCTION lead_protection.require_known_activity(lead_id bigint, activity_key text)
RETURNS lead_protection.lead_activities
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    activity lead_protection.lead_activities;
BEGIN
    SELECT a.* INTO activity
    FROM lead_protection.lead_activities AS a
    WHERE a.lead_id = require_known_activity.lead_id AND a.activity_key = require_known_activity.activity_key;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'lead % has no activity %', require_known_activity.lead_id, require_known_activity.activity_key
            USING ERRCODE = 'LP022',
            DETAIL = 'There is no such row in lead_protection.lead_activities.',
            HINT = 'Check the lead''s number and the key under which the activity was recorded.';
    END IF;
    RETURN activity;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_known_activity(bigint, text) IS
'Returns the activity of that key, deleted or not. Errors: LP022 unknown activity. Internal: what a function calls, '
'after lock_leads(), before it changes an activity.';
