DROP TABLE lead_protection.departed_slots;
DROP TABLE lead_protection.lead_moves;
