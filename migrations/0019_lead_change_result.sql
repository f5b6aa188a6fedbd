-- What every function answers that may change a clock, and every preview of one.
-- depends: 0001_schema

CREATE TYPE lead_protection.lead_change_result AS (
    lead_id bigint,
    user_id bigint,
    changed boolean,
    decided_at timestamptz,
    state_before text,
    on_hold_before boolean,
    expires_before timestamptz,
    reminder_due_before timestamptz,
    state_after text,
    on_hold_after boolean,
    expires_after timestamptz,
    reminder_due_after timestamptz
);

COMMENT ON TYPE lead_protection.lead_change_result IS
'A lead before and after a call, both as v_user_lead_protection shows it at decided_at. changed is true only if this very call changed something; user_id is the protected user afterwards.';
