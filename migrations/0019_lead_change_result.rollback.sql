DROP TYPE lead_protection.lead_change_result;
