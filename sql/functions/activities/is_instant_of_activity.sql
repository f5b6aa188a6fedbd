CREATE OR REPLACE FUNCTION lead_protection.is_instant_of_activity(
    activity lead_protection.lead_activities, instant timestamptz
)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN is_instant_of_activity.activity.occurred_at = is_instant_of_activity.instant
-- Or it was ahead when it was written, within the skew that is allowed between clocks, and was taken to be now.
OR (
    is_instant_of_activity.activity.occurred_at = coalesce(
        is_instant_of_activity.activity.corrected_at, is_instant_of_activity.activity.recorded_at
    )
    AND is_instant_of_activity.instant BETWEEN is_instant_of_activity.activity.occurred_at
    AND is_instant_of_activity.activity.occurred_at + INTERVAL '5 minutes'
);

COMMENT ON FUNCTION lead_protection.is_instant_of_activity(lead_protection.lead_activities, timestamptz) IS
'True if instant is the one that was given when the activity was recorded or, if it was corrected since, when it was '
'last corrected. Internal.';
