-- What the cache needs for the parallel rule and for the notice. Null for all clocks that there were before.
-- depends: 0007_lead_clocks

ALTER TABLE lead_protection.lead_clocks
ADD COLUMN idle_from timestamptz,
ADD COLUMN idle_base_expires_at timestamptz,
ADD COLUMN noticed_at timestamptz,
ADD COLUMN notice_base_expires_at timestamptz,
ADD COLUMN owed_notice_days integer,
ADD COLUMN owed_notice_zone text,
-- Under the parallel rule the expiry may come before that of the base alone.
DROP CONSTRAINT lead_clocks_expires_after_start,
ADD CONSTRAINT lead_clocks_expires_after_start CHECK (
    protection_expires_at > started_at AND base_expires_at > started_at
    AND (protection_expires_at >= base_expires_at OR idle_from IS NOT NULL)
) NOT VALID,
ADD CONSTRAINT lead_clocks_idle_complete CHECK ((idle_from IS NULL) = (idle_base_expires_at IS NULL)) NOT VALID,
ADD CONSTRAINT lead_clocks_notice_complete CHECK ((noticed_at IS NULL) = (notice_base_expires_at IS NULL)) NOT VALID,
ADD CONSTRAINT lead_clocks_owed_notice_complete CHECK (
    (owed_notice_days IS NULL) = (owed_notice_zone IS NULL)
) NOT VALID;

CREATE INDEX lead_clocks_owing_notice ON lead_protection.lead_clocks (reminder_due_at)
WHERE owed_notice_days IS NOT NULL;

-- An expiry that stands recorded while a notice is owed did not come, either.
DROP INDEX lead_protection.lead_clocks_moved;
CREATE INDEX lead_clocks_moved ON lead_protection.lead_clocks (lead_id)
WHERE closed_at IS NULL
AND (
    expired_at < protection_expires_at
    OR (expired_at IS NOT NULL AND (open_hold_from IS NOT NULL OR owed_notice_days IS NOT NULL))
    OR reminded_window < window_date
);

COMMENT ON INDEX lead_protection.lead_clocks_moved IS 'What record_reactivations() has to look at.';
COMMENT ON COLUMN lead_protection.lead_clocks.base_expires_at IS 'The base clock before any stop: start plus the policy''s months, days (sequential rule) and granted extensions.';
COMMENT ON COLUMN lead_protection.lead_clocks.idle_from IS 'Parallel rule: the last qualified activity, or the start; null under the sequential rule.';
COMMENT ON COLUMN lead_protection.lead_clocks.idle_base_expires_at IS 'Parallel rule: the idle clock before any stop: idle_from plus the policy''s days and extensions granted since.';
COMMENT ON COLUMN lead_protection.lead_clocks.noticed_at IS 'Notice required: when the reminder that covers the present window was sent; null: not required, not yet sent, or sent before it was due.';
COMMENT ON COLUMN lead_protection.lead_clocks.notice_base_expires_at IS 'Notice required: noticed_at plus the grace days, before any stop. The protection does not end before.';
COMMENT ON COLUMN lead_protection.lead_clocks.owed_notice_days IS 'Notice required and the present window''s reminder not sent yet: the grace days that must follow it. Null otherwise.';
COMMENT ON COLUMN lead_protection.lead_clocks.owed_notice_zone IS 'The time zone in which owed_notice_days are counted.';
COMMENT ON COLUMN lead_protection.lead_clocks.reminded_window IS 'The present window if it was announced, or else the last one that was announced and not taken back by a reactivation.';
COMMENT ON COLUMN lead_protection.lead_clocks.window_date IS 'The reminder window: local date of the expiry by the rule, before a late reminder makes it wait.';
COMMENT ON INDEX lead_protection.lead_clocks_owing_notice IS 'Clocks whose expiry waits for a reminder that is due.';
