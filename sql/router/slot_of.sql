CREATE OR REPLACE FUNCTION lead_protection_router.slot_of(lead_id bigint)
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashint8(lead_id) & 63;

COMMENT ON FUNCTION lead_protection_router.slot_of(bigint) IS
'The slot of a lead, 0 to 63. It depends on nothing but the id.';
