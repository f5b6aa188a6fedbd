DROP TABLE lead_protection.adoption_queue;
DROP TABLE lead_protection.adopted_leads;
DROP TABLE lead_protection.adopted_users;
