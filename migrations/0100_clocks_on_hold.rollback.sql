CREATE INDEX lead_clocks_stopped ON lead_protection.lead_clocks (runs_from)
WHERE runs_from > started_at;
COMMENT ON INDEX lead_protection.lead_clocks_stopped IS
'The few clocks that stand still, will, or did: what is_on_hold() asks for.';
