DROP INDEX CONCURRENTLY IF EXISTS lead_protection.protection_log_recorded;
