DROP TABLE lead_protection.hold_reasons;
