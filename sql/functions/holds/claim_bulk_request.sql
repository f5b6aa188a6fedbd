-- The key of a request that is not committed yet makes the second one wait. It comes after the leads' locks, so that
-- whoever has the key has all that it needs.
CREATE OR REPLACE FUNCTION lead_protection.claim_bulk_request(request_key text, asked jsonb)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    earlier jsonb;
BEGIN
    INSERT INTO lead_protection.bulk_hold_requests AS r (request_key, asked)
    VALUES (claim_bulk_request.request_key, jsonb_strip_nulls(claim_bulk_request.asked))
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN true;
    END IF;
    SELECT r.asked INTO STRICT earlier
    FROM lead_protection.bulk_hold_requests AS r
    WHERE r.request_key = claim_bulk_request.request_key;
    IF earlier <> jsonb_strip_nulls(claim_bulk_request.asked) THEN
        RAISE EXCEPTION 'request % was another one', claim_bulk_request.request_key
            USING ERRCODE = 'LP020',
            DETAIL = format('It was a %s.', earlier - 'leads' - 'reason'),
            HINT = 'Give each request a key of its own; repeat one with the same arguments.';
    END IF;
    RETURN false;
END;
$$;

COMMENT ON FUNCTION lead_protection.claim_bulk_request(text, jsonb) IS
'True if this is the first bulk request of that key, false if the same request was answered before. asked: what was '
'asked for. Errors: LP020 the key was used for another request. Internal: the caller has locked the leads.';
