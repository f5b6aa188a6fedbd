DROP TABLE lead_protection.lead_warnings;
DROP TABLE lead_protection.policy_warnings;
DELETE FROM lead_protection.metric_counters
WHERE metric = 'lead_warning_sent_total';
