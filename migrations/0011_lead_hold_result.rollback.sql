DROP TYPE lead_protection.lead_hold_result CASCADE;
