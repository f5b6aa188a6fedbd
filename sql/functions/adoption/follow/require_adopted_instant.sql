CREATE OR REPLACE FUNCTION lead_protection.require_adopted_instant(
    adoption lead_protection.adoptions, row_now lead_protection.adopted_row
)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_adopted_instant.row_now.started_at IS NULL THEN
        RAISE EXCEPTION 'row % of % has no instant', require_adopted_instant.row_now.row_key,
            require_adopted_instant.adoption.source
            USING ERRCODE = 'LP049',
            DETAIL = format(
                'Column %s is null.', coalesce(
                    require_adopted_instant.adoption.mapping ->> 'start_column',
                    require_adopted_instant.adoption.mapping ->> 'occurred_column'
                )
            ),
            HINT = 'Fill the column: a lead is protected from an instant on, and an activity took place at one.';
    END IF;
    PERFORM lead_protection.require_instant(
        require_adopted_instant.row_now.started_at,
        format('row %s of %s', require_adopted_instant.row_now.row_key, require_adopted_instant.adoption.source),
        may_be_ahead => true
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.require_adopted_instant(
    lead_protection.adoptions, lead_protection.adopted_row
) IS
'Refuses a row of an adopted table that has no instant (LP049), or one outside the years 1900 to 2999 (LP005). '
'Internal.';
