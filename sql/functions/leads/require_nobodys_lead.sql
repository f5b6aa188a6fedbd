CREATE OR REPLACE FUNCTION lead_protection.require_nobodys_lead(
    protection lead_protection.v_user_lead_protection, user_id bigint
)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_nobodys_lead.user_id IS NULL AND require_nobodys_lead.protection.user_id IS NOT NULL THEN
        RAISE EXCEPTION 'lead % is not nobody''s', require_nobodys_lead.protection.lead_id
            USING ERRCODE = 'LP003',
            DETAIL = format('It is user %s''s; given: user_id null.', require_nobodys_lead.protection.user_id),
            HINT = 'Name the user. A user_id of null is for a lead that is free: give_back_lead() makes it so.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_nobodys_lead(lead_protection.v_user_lead_protection, bigint) IS
'Refuses a call that names nobody (user_id null) for a lead that is somebody''s (LP003). Internal: for functions whose '
'user_id may be null, after require_lead().';
