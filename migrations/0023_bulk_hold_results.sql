-- What bulk calls were asked and answered, lead by lead, so that a repeated call answers the same and does nothing.
-- depends: 0004_lead_holds

CREATE TABLE lead_protection.bulk_hold_requests (
    request_key text CONSTRAINT bulk_hold_requests_pkey PRIMARY KEY
    CONSTRAINT bulk_hold_requests_request_key_sensible CHECK (
        request_key ~ '[^[:space:]]' AND length(request_key) <= 255
    ),
    asked jsonb NOT NULL CONSTRAINT bulk_hold_requests_asked_object CHECK (jsonb_typeof(asked) = 'object'),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE lead_protection.bulk_hold_requests IS
'The requests to hold_leads() and release_leads(): what makes them idempotent, also those that found no lead.';
COMMENT ON COLUMN lead_protection.bulk_hold_requests.request_key IS 'The caller''s key of the request.';
COMMENT ON COLUMN lead_protection.bulk_hold_requests.asked IS 'What was asked for: action, user_id or leads (SHA-256 of the list), reason, start_at, end_at.';
COMMENT ON COLUMN lead_protection.bulk_hold_requests.asked_at IS 'When it was first asked.';

CREATE TABLE lead_protection.bulk_hold_results (
    request_key text NOT NULL,
    lead_id bigint NOT NULL,
    user_id bigint,
    action text NOT NULL CONSTRAINT bulk_hold_results_action_known CHECK (action IN ('hold', 'release')),
    outcome text NOT NULL CONSTRAINT bulk_hold_results_outcome_known CHECK (outcome IN ('done', 'already', 'refused')),
    sqlstate text,
    why text,
    hold_id bigint,
    decided_at timestamptz NOT NULL CONSTRAINT bulk_hold_results_decided_at_finite CHECK (isfinite(decided_at)),
    actor_id bigint NOT NULL,
    CONSTRAINT bulk_hold_results_pkey PRIMARY KEY (lead_id, request_key),
    CONSTRAINT bulk_hold_results_request_key_sensible CHECK (
        request_key ~ '[^[:space:]]' AND length(request_key) <= 255
    ),
    CONSTRAINT bulk_hold_results_refused_says_why CHECK (
        (outcome = 'refused') = (sqlstate IS NOT NULL AND why IS NOT NULL)
    )
);

CREATE INDEX bulk_hold_results_request ON lead_protection.bulk_hold_results (request_key, lead_id);

COMMENT ON TABLE lead_protection.bulk_hold_results IS
'The answers of hold_leads() and release_leads(), a row for each lead of a request. No foreign keys: a refused lead may be unknown.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.request_key IS 'The caller''s key of the request.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.user_id IS 'Its protected user; null if the lead is unknown.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.action IS 'hold or release.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.outcome IS 'done; already: nothing was to be done; refused: see sqlstate and why.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.sqlstate IS 'The error that the call for this lead alone would have raised; null unless refused.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.why IS 'That error in words; null unless refused.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.hold_id IS 'The hold made, found standing, or released; null if there is none.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.decided_at IS 'When it was decided.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.actor_id IS 'Who asked for it.';
COMMENT ON INDEX lead_protection.bulk_hold_results_request IS 'The answers to one request, in the order of the leads.';
