DROP TABLE lead_protection.policy_assignments;
