-- Of the next numbers the first one of the slot that the request's key belongs to: the same key comes to the same node
-- again, and finds what it entered there. Of 64 numbers one fits.
CREATE OR REPLACE FUNCTION lead_protection_router.draw_lead_id(request_key text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    drawn bigint;
    wanted CONSTANT integer := lead_protection_router.slot_of_key(request_key);
BEGIN
    LOOP
        drawn := nextval('lead_protection_router.lead_ids');
        EXIT WHEN hashint8(drawn) & 63 = wanted;
    END LOOP;
    RETURN drawn;
END;
$$;

COMMENT ON FUNCTION lead_protection_router.draw_lead_id(text) IS
'The id of a new lead that a request enters. No two calls get the same one.';
