-- An older version has no such answers; they are kept for 90 days only.
DELETE FROM lead_protection.bulk_hold_results
WHERE action IN ('transfer', 'close');
DELETE FROM lead_protection.bulk_hold_requests
WHERE asked ->> 'action' IN ('transfer', 'close');
ALTER TABLE lead_protection.bulk_hold_results
DROP CONSTRAINT bulk_hold_results_action_known,
ADD CONSTRAINT bulk_hold_results_action_known CHECK (action IN ('hold', 'release'));

COMMENT ON TABLE lead_protection.bulk_hold_requests IS
'The requests to hold_leads() and release_leads(): what makes them idempotent, also those that found no lead. Kept as '
'long as job history.';
COMMENT ON COLUMN lead_protection.bulk_hold_requests.asked IS 'What was asked for: action, user_id or leads (SHA-256 of the list), reason, start_at, end_at.';
COMMENT ON TABLE lead_protection.bulk_hold_results IS
'The answers of hold_leads() and release_leads(), a row for each lead of a request that is known; what is told of the '
'others follows from the request. Kept as long as job history.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.user_id IS
'Its protected user; null if the lead is unknown, which is answered and not kept.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.action IS 'hold or release.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.hold_id IS 'The hold made, found standing, or released; null if there is none.';

ALTER TABLE lead_protection.leads
DROP CONSTRAINT leads_request_key_sensible,
DROP COLUMN created_by,
DROP COLUMN request_key;

COMMENT ON TABLE lead_protection.leads IS
'The leads, as they are now; lead_history has what they were before. Applications insert rows and change them with '
'transfer_lead(), give_back_lead(), backdate_lead(), close_lead(), reopen_lead() and delete_lead(). Triggers refuse bad '
'input and keep lead_clocks in step in the same transaction. A row is never deleted.';
COMMENT ON COLUMN lead_protection.leads.changed_at IS
'When one of our functions last changed the row. An update that leaves it as it is was made by hand, and is logged as lead.changed.';
COMMENT ON COLUMN lead_protection.leads.created_at IS
'When the protection of user_id started: when the lead was brought in, or transferred; of a free lead: since when it '
'is free. Never in the future (LP010).';
