-- What the hold functions answer tells the lead before and after, as every function's answer does that changes a clock.
-- depends: 0022_hold_corrections

ALTER TYPE lead_protection.lead_hold_result
ADD ATTRIBUTE decided_at timestamptz,
ADD ATTRIBUTE state_before text,
ADD ATTRIBUTE on_hold_before boolean,
ADD ATTRIBUTE expires_before timestamptz,
ADD ATTRIBUTE reminder_due_before timestamptz,
ADD ATTRIBUTE state_after text,
ADD ATTRIBUTE on_hold_after boolean,
ADD ATTRIBUTE expires_after timestamptz,
ADD ATTRIBUTE reminder_due_after timestamptz;

COMMENT ON TYPE lead_protection.lead_hold_result IS
'A hold and what the call did with it: created and released are true only if this very call did it. Then the lead before and after the call, both as v_user_lead_protection shows it at decided_at.';
