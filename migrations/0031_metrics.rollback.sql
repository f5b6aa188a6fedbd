DROP TABLE lead_protection.metric_values;
DROP TABLE lead_protection.metric_counts;
DROP TABLE lead_protection.metric_counters;
