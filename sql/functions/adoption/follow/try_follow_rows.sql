CREATE OR REPLACE FUNCTION lead_protection.try_follow_rows(
    adoption lead_protection.adoptions, row_keys text[], lead_keys text[], backfill boolean DEFAULT false
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    half CONSTANT integer := cardinality(try_follow_rows.row_keys) / 2;
    row_error text;
    -- A lock that others hold is no fault of the row.
    is_held boolean;
BEGIN
    BEGIN
        PERFORM lead_protection.follow_adopted_rows(
            try_follow_rows.adoption, try_follow_rows.row_keys, try_follow_rows.lead_keys, try_follow_rows.backfill
        );
        RETURN 0::bigint;
    EXCEPTION
        -- Not a cancellation, which OTHERS leaves out.
        WHEN OTHERS THEN
            is_held := SQLSTATE IN ('55P03', '40P01', '40001');
            row_error := format('%s: %s', SQLSTATE, SQLERRM);
    END;

    IF half = 0 THEN
        INSERT INTO lead_protection.adoption_queue AS q (
            adoption_id, row_key, lead_key, error, backfill, attempts, tried_at
        )
        VALUES (
            try_follow_rows.adoption.id, try_follow_rows.row_keys[1], try_follow_rows.lead_keys[1],
            CASE WHEN NOT is_held THEN row_error END, try_follow_rows.backfill, (NOT is_held)::integer,
            clock_timestamp()
        )
        ON CONFLICT ON CONSTRAINT adoption_queue_pkey DO UPDATE
        SET
            attempts = q.attempts + excluded.attempts, error = coalesce(excluded.error, q.error),
            tried_at = clock_timestamp(), backfill = q.backfill OR excluded.backfill;
        RETURN 1::bigint;
    END IF;
    -- Which of them was it? Each half by itself, so that a few bad ones among many cost little.
    RETURN lead_protection.try_follow_rows(
        try_follow_rows.adoption, try_follow_rows.row_keys[:half], try_follow_rows.lead_keys[:half],
        try_follow_rows.backfill
    ) + lead_protection.try_follow_rows(
        try_follow_rows.adoption, try_follow_rows.row_keys[half + 1:], try_follow_rows.lead_keys[half + 1:],
        try_follow_rows.backfill
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.try_follow_rows(lead_protection.adoptions, text[], text[], boolean) IS
'follow_adopted_rows(), which does not fail because of a row: one that cannot be followed waits in adoption_queue with '
'the reason, the others are followed. Returns how many wait. Internal.';
