DROP INDEX CONCURRENTLY IF EXISTS lead_protection.leads_request_key;
