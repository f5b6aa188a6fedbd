-- Ids of new leads are drawn here and nowhere else. A session takes 64 at a time: draw_lead_id() tries as many.
CREATE SEQUENCE IF NOT EXISTS lead_protection_router.lead_ids AS bigint CACHE 64;

COMMENT ON SEQUENCE lead_protection_router.lead_ids IS
'The ids of new leads. The first node that has leads already sets it beyond them.';
