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
