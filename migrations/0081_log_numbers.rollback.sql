CREATE INDEX protection_log_lead_time ON lead_protection.protection_log (lead_id, occurred_at);
COMMENT ON INDEX lead_protection.protection_log_lead_time IS 'A lead''s history in order.';
DROP INDEX lead_protection.protection_log_numbers;
