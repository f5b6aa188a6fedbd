DROP FUNCTION IF EXISTS lead_protection.preview_switch_on();
