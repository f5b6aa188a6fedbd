CREATE OR REPLACE FUNCTION lead_protection_router.slot_of_key(request_key text)
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- By its bytes, which no locale changes. A null is refused by the node.
RETURN coalesce(hashint8(('x' || left(md5(request_key), 16))::bit(64)::bigint) & 63, 0);

COMMENT ON FUNCTION lead_protection_router.slot_of_key(text) IS 'The slot that gets the lead which a request enters.';
