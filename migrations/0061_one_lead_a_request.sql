-- One lead for each request: what makes protect_lead() idempotent. Built while everybody works.
-- depends: 0060_entering_leads
-- transactional: false

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS leads_request_key ON lead_protection.leads (request_key)
WHERE request_key IS NOT NULL;
COMMENT ON INDEX lead_protection.leads_request_key IS
'One lead for each request: what makes protect_lead() idempotent.';
