CREATE OR REPLACE FUNCTION lead_protection.is_instant_of_activity(
    activity lead_protection.lead_activities, instant timestamptz
)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN activity.occurred_at = instant
-- Or it was ahead when it was written, within the skew that is allowed between clocks, and was taken to be now.
OR (
    activity.occurred_at = coalesce(activity.corrected_at, activity.recorded_at)
    AND instant BETWEEN activity.occurred_at AND activity.occurred_at + INTERVAL '5 minutes'
);

COMMENT ON FUNCTION lead_protection.is_instant_of_activity(lead_protection.lead_activities, timestamptz) IS
'True if instant is the one that was given when the activity was recorded or, if it was corrected since, when it was '
'last corrected. Internal.';
