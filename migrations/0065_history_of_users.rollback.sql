-- transactional: false

DROP INDEX CONCURRENTLY IF EXISTS lead_protection.lead_history_user;
