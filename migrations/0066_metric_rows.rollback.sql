DROP FUNCTION IF EXISTS lead_protection.metric_samples(text[]);
