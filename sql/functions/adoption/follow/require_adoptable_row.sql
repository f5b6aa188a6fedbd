CREATE OR REPLACE FUNCTION lead_protection.require_adoptable_row(
    adoption lead_protection.adoptions, row_key text, user_id bigint, instant timestamptz
)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_adoptable_row.user_id IS NULL OR require_adoptable_row.instant IS NULL THEN
        RAISE EXCEPTION 'row % of % has no %', require_adoptable_row.row_key, require_adoptable_row.adoption.source,
            CASE WHEN require_adoptable_row.user_id IS NULL THEN 'user' ELSE 'instant' END
            USING ERRCODE = 'LP049',
            DETAIL = format(
                'Column %s is null or blank.', require_adoptable_row.adoption.mapping ->> CASE
                    WHEN require_adoptable_row.user_id IS NULL THEN 'user_column'
                    WHEN require_adoptable_row.adoption.kind = 'leads' THEN 'start_column'
                    ELSE 'occurred_column'
                END
            ),
            HINT = 'Fill the column. A lead is protected for a user from an instant on; an activity is of a user and '
            'took place at an instant.';
    END IF;
    PERFORM lead_protection.require_instant(
        require_adoptable_row.instant,
        format('row %s of %s', require_adoptable_row.row_key, require_adoptable_row.adoption.source),
        may_be_ahead => true
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.require_adoptable_row(lead_protection.adoptions, text, bigint, timestamptz) IS
'Refuses a row of an adopted table that has no user or no instant (LP049), or one outside the years 1900 to 2999 '
'(LP005). Internal.';
