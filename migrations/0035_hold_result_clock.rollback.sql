ALTER TYPE lead_protection.lead_hold_result
DROP ATTRIBUTE decided_at,
DROP ATTRIBUTE state_before,
DROP ATTRIBUTE on_hold_before,
DROP ATTRIBUTE expires_before,
DROP ATTRIBUTE reminder_due_before,
DROP ATTRIBUTE state_after,
DROP ATTRIBUTE on_hold_after,
DROP ATTRIBUTE expires_after,
DROP ATTRIBUTE reminder_due_after;

COMMENT ON TYPE lead_protection.lead_hold_result IS
'A hold and what the call did with it: created and released are true only if this very call did it.';
