CREATE OR REPLACE FUNCTION lead_protection.require_adopted_user(
    adoption lead_protection.adoptions, row_now lead_protection.adopted_row
)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_adopted_user.row_now.user_key IS NULL THEN
        RAISE EXCEPTION 'row % of % has no user', require_adopted_user.row_now.row_key,
            require_adopted_user.adoption.source
            USING ERRCODE = 'LP049',
            DETAIL = format(
                'Column %s is null or blank.', require_adopted_user.adoption.mapping ->> 'user_column'
            ),
            HINT = 'Fill the column: an activity is a user''s.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_adopted_user(
    lead_protection.adoptions, lead_protection.adopted_row
) IS 'Refuses a row of an adopted table that has no user (LP049). Internal.';
