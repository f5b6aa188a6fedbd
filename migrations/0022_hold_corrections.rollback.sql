ALTER TYPE lead_protection.lead_hold_result DROP ATTRIBUTE reason_code;
ALTER TYPE lead_protection.lead_hold_result DROP ATTRIBUTE version;

-- What is void must count for nothing where nothing can be void, and not stand in the way of what replaced it.
UPDATE lead_protection.lead_holds
SET end_at = start_at, released_by = voided_by
WHERE voided_at IS NOT NULL;
UPDATE lead_protection.lead_holds
SET released_by = created_by
WHERE overrun_at IS NOT NULL AND released_by IS NULL;

DROP INDEX lead_protection.lead_holds_one_open;
CREATE UNIQUE INDEX lead_holds_one_open
ON lead_protection.lead_holds (lead_id, user_id) WHERE end_at IS NULL;

DROP INDEX lead_protection.lead_holds_one_planned;
CREATE UNIQUE INDEX lead_holds_one_planned
ON lead_protection.lead_holds (lead_id, user_id, start_at, end_at)
WHERE end_at IS NOT NULL AND released_by IS NULL;

ALTER TABLE lead_protection.lead_holds
DROP COLUMN reason_code,
DROP COLUMN version,
DROP COLUMN limit_override_until,
DROP COLUMN limit_noticed_at,
DROP COLUMN overrun_at,
DROP COLUMN voided_at,
DROP COLUMN voided_by;
