DROP TABLE lead_protection.bulk_hold_results;
DROP TABLE lead_protection.bulk_hold_requests;
