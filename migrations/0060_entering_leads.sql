-- Who entered a lead, and by which request; bulk calls that close and transfer.
-- depends: 0057_reader_role

-- The check on the actions is replaced by a wider one.
-- squawk-ignore-file ban-drop-constraint, require-concurrent-index-creation

SET LOCAL search_path = pg_catalog, pg_temp;

-- What no row has yet, no row breaks.
ALTER TABLE lead_protection.leads
ADD COLUMN created_by bigint,
ADD COLUMN request_key text,
ADD CONSTRAINT leads_request_key_sensible CHECK (
    request_key ~ '[^[:space:]]' AND length(request_key) <= 255
) NOT VALID;

-- Not concurrently, which would have to come before the column is there, or be committed without the code that goes
-- with it. No row has a key yet: the leads are read once, and nothing is sorted or written.
CREATE UNIQUE INDEX leads_request_key ON lead_protection.leads (request_key) WHERE request_key IS NOT NULL;
COMMENT ON INDEX lead_protection.leads_request_key IS
'One lead for each request: what makes protect_lead() idempotent.';

COMMENT ON TABLE lead_protection.leads IS
'The leads, as they are now; lead_history has what they were before. Applications enter them with protect_lead(), or '
'insert rows, and change them with transfer_lead(), give_back_lead(), backdate_lead(), close_lead(), reopen_lead(), '
'delete_lead() and their like. Triggers refuse bad input, log and publish a new lead, and keep lead_clocks in step in '
'the same transaction. A row is never deleted.';
COMMENT ON COLUMN lead_protection.leads.created_by IS
'Who entered the lead, as protect_lead() was told; null: it was inserted as a row (by which role: session_role), or '
'comes from an adopted table.';
COMMENT ON COLUMN lead_protection.leads.request_key IS
'The caller''s key of the request to protect_lead(); null: it was none.';
COMMENT ON COLUMN lead_protection.leads.changed_at IS
'When one of our functions last changed the row. An update that leaves it as it is was made by hand, and is logged as '
'lead.changed. A row that is inserted with it was a lead before, here or elsewhere: it is no news, and not logged as '
'lead.created. For the owner only.';
COMMENT ON COLUMN lead_protection.leads.created_at IS
'When the protection of user_id started: when the lead was brought in, or transferred; of a free lead: since when it '
'is free. Null at the insert is now. Never in the future (LP010).';

-- Bulk calls also transfer and close. Rows that are there are of the two actions that were.
ALTER TABLE lead_protection.bulk_hold_results
DROP CONSTRAINT bulk_hold_results_action_known,
ADD CONSTRAINT bulk_hold_results_action_known CHECK (action IN ('hold', 'release', 'transfer', 'close')) NOT VALID;

COMMENT ON TABLE lead_protection.bulk_hold_requests IS
'The requests to hold_leads(), release_leads(), transfer_leads() and close_leads(): what makes them idempotent, also '
'those that found no lead. Kept as long as job history.';
COMMENT ON COLUMN lead_protection.bulk_hold_requests.asked IS
'What was asked for: action, user_id or leads (SHA-256 of the list), reason, and what else the action takes.';
COMMENT ON TABLE lead_protection.bulk_hold_results IS
'The answers of hold_leads(), release_leads(), transfer_leads() and close_leads(), a row for each lead of a request '
'that is known; what is told of the others follows from the request. Kept as long as job history.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.user_id IS
'Its protected user before the call; null if the lead is unknown, which is answered and not kept, or free.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.action IS 'hold, release, transfer or close.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.hold_id IS
'The hold made, found standing, or released; null if there is none, and for a transfer or a closing.';
