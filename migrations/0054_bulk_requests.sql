-- What the answers of a bulk call need to be told again without a row for each lead that was unknown.
-- depends: 0052_who_did_it

SET LOCAL search_path = pg_catalog, pg_temp;

ALTER TABLE lead_protection.bulk_hold_requests ADD COLUMN decided_at timestamptz, ADD COLUMN actor_id bigint;

COMMENT ON TABLE lead_protection.bulk_hold_requests IS
'The requests to hold_leads() and release_leads(): what makes them idempotent, also those that found no lead. Kept as '
'long as job history.';
COMMENT ON COLUMN lead_protection.bulk_hold_requests.decided_at IS
'When it was decided; null: before this was recorded.';
COMMENT ON COLUMN lead_protection.bulk_hold_requests.actor_id IS
'Who asked for it; null: before this was recorded.';
COMMENT ON TABLE lead_protection.bulk_hold_results IS
'The answers of hold_leads() and release_leads(), a row for each lead of a request that is known; what is told of the '
'others follows from the request. Kept as long as job history.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.user_id IS
'Its protected user; null if the lead is unknown, which is answered and not kept.';
