-- The activities: what users did for their leads, and when.
-- depends: 0003_leads 0014_activity_kinds

CREATE TABLE lead_protection.lead_activities (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lead_activities_pkey PRIMARY KEY,
    lead_id bigint NOT NULL CONSTRAINT lead_activities_lead_id_fkey REFERENCES lead_protection.leads (id),
    user_id bigint NOT NULL,
    kind text NOT NULL CONSTRAINT lead_activities_kind_fkey REFERENCES lead_protection.activity_kinds (kind),
    occurred_at timestamptz NOT NULL,
    activity_key text NOT NULL,
    recorded_by bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    corrected_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT lead_activities_key_once UNIQUE (lead_id, activity_key),
    CONSTRAINT lead_activities_key_sensible CHECK (
        activity_key ~ '[^[:space:]]' AND length(activity_key) <= 255
    ),
    CONSTRAINT lead_activities_occurred_at_sensible CHECK (
        occurred_at >= '1900-01-01 00:00:00+00' AND occurred_at < '3000-01-01 00:00:00+00'
    ),
    CONSTRAINT lead_activities_corrected_at_finite CHECK (isfinite(corrected_at)),
    CONSTRAINT lead_activities_deleted_at_finite CHECK (isfinite(deleted_at))
);

CREATE INDEX lead_activities_lead_user_time ON lead_protection.lead_activities (lead_id, user_id, occurred_at)
WHERE deleted_at IS NULL;

COMMENT ON TABLE lead_protection.lead_activities IS
'What users did for their leads. Write it with record_lead_activity(), correct_lead_activity() and delete_lead_activity(). Only qualified activities of the protected user, from the start of the protection on, count, and only under the parallel rule.';
COMMENT ON COLUMN lead_protection.lead_activities.id IS 'The activity''s number.';
COMMENT ON COLUMN lead_protection.lead_activities.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_activities.user_id IS 'The user who was active; anybody may be, but only the protected user''s activities count.';
COMMENT ON COLUMN lead_protection.lead_activities.kind IS 'The kind, in activity_kinds.';
COMMENT ON COLUMN lead_protection.lead_activities.occurred_at IS 'When it took place. Never in the future (LP010).';
COMMENT ON COLUMN lead_protection.lead_activities.activity_key IS 'The caller''s key: the same key for a lead is the same activity.';
COMMENT ON COLUMN lead_protection.lead_activities.recorded_by IS 'The actor who recorded it.';
COMMENT ON COLUMN lead_protection.lead_activities.recorded_at IS 'When it was recorded, which may be much later than it took place.';
COMMENT ON COLUMN lead_protection.lead_activities.corrected_at IS 'When its kind or instant was last corrected; null: never. The log has the old ones.';
COMMENT ON COLUMN lead_protection.lead_activities.deleted_at IS 'When it was struck out: it counts no more. Null: it stands.';
COMMENT ON INDEX lead_protection.lead_activities_lead_user_time IS 'The last activities of a lead and user.';
