ALTER TABLE lead_protection.bulk_hold_requests DROP COLUMN decided_at, DROP COLUMN actor_id;
