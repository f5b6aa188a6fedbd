CREATE OR REPLACE FUNCTION lead_protection.try_sync_adopted_rows(
    adoption lead_protection.adoptions, row_keys text[], lead_ids bigint[], backfill boolean DEFAULT false
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    half CONSTANT integer := cardinality(try_sync_adopted_rows.row_keys) / 2;
    row_error text;
BEGIN
    BEGIN
        PERFORM lead_protection.sync_adopted_rows(
            try_sync_adopted_rows.adoption, try_sync_adopted_rows.row_keys, try_sync_adopted_rows.lead_ids,
            try_sync_adopted_rows.backfill
        );
        RETURN 0::bigint;
    EXCEPTION
        -- Not a cancellation, which OTHERS leaves out.
        WHEN OTHERS THEN
            -- A lock that others hold is no fault of the row: the backfill tries the batch again.
            IF try_sync_adopted_rows.backfill AND SQLSTATE IN ('55P03', '40P01') THEN
                RAISE;
            END IF;
            row_error := format('%s: %s', SQLSTATE, SQLERRM);
    END;

    IF half = 0 THEN
        INSERT INTO lead_protection.adoption_queue AS q (adoption_id, row_key, lead_id, error, backfill)
        VALUES (
            try_sync_adopted_rows.adoption.id, try_sync_adopted_rows.row_keys[1], try_sync_adopted_rows.lead_ids[1],
            row_error, try_sync_adopted_rows.backfill
        )
        ON CONFLICT ON CONSTRAINT adoption_queue_pkey DO UPDATE
        SET
            attempts = q.attempts + 1, tried_at = clock_timestamp(), error = excluded.error,
            backfill = q.backfill OR excluded.backfill;
        RETURN 1::bigint;
    END IF;
    -- Which of them was it? Each half by itself, so that a few bad ones among many cost little.
    RETURN lead_protection.try_sync_adopted_rows(
        try_sync_adopted_rows.adoption, try_sync_adopted_rows.row_keys[:half], try_sync_adopted_rows.lead_ids[:half],
        try_sync_adopted_rows.backfill
    ) + lead_protection.try_sync_adopted_rows(
        try_sync_adopted_rows.adoption, try_sync_adopted_rows.row_keys[half + 1:],
        try_sync_adopted_rows.lead_ids[half + 1:], try_sync_adopted_rows.backfill
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.try_sync_adopted_rows(lead_protection.adoptions, text[], bigint[], boolean) IS
'sync_adopted_rows(), which does not fail because of a row: one that cannot be followed goes to adoption_queue with '
'the reason, the others are followed. Returns how many went there. Internal.';
