ALTER TABLE lead_protection.lead_clocks
DROP CONSTRAINT lead_clocks_expires_after_start,
DROP CONSTRAINT lead_clocks_idle_complete,
DROP CONSTRAINT lead_clocks_notice_complete,
DROP CONSTRAINT lead_clocks_owed_notice_complete;
DROP INDEX lead_protection.lead_clocks_owing_notice;
DROP INDEX lead_protection.lead_clocks_moved;
CREATE INDEX lead_clocks_moved ON lead_protection.lead_clocks (lead_id)
WHERE closed_at IS NULL
AND (
    expired_at < protection_expires_at
    OR (expired_at IS NOT NULL AND open_hold_from IS NOT NULL)
    OR reminded_window < window_date
);
ALTER TABLE lead_protection.lead_clocks
DROP COLUMN idle_from,
DROP COLUMN idle_base_expires_at,
DROP COLUMN noticed_at,
DROP COLUMN notice_base_expires_at,
DROP COLUMN owed_notice_days,
DROP COLUMN owed_notice_zone,
ADD CONSTRAINT lead_clocks_expires_after_start CHECK (
    protection_expires_at >= base_expires_at AND base_expires_at > started_at
) NOT VALID;
