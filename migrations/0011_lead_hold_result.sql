-- What the hold functions answer.
-- depends: 0004_lead_holds

CREATE TYPE lead_protection.lead_hold_result AS (
    hold_id bigint,
    lead_id bigint,
    user_id bigint,
    reason text,
    start_at timestamptz,
    end_at timestamptz,
    created_by bigint,
    created_at timestamptz,
    released_by bigint,
    created boolean,
    released boolean
);

COMMENT ON TYPE lead_protection.lead_hold_result IS
'A hold and what the call did with it: created and released are true only if this very call did it.';
