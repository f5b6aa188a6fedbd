DROP TABLE lead_protection.lead_activities;
