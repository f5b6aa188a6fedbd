-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.drain_adoption_queue()
LANGUAGE plpgsql
AS $$
DECLARE
    begun_at CONSTANT timestamptz := pg_catalog.clock_timestamp();
BEGIN
    WHILE lead_protection.retry_adoption_queue(begun_at) > 0 LOOP
        COMMIT;
    END LOOP;
    COMMIT;
END;
$$;

COMMENT ON PROCEDURE lead_protection.drain_adoption_queue() IS
'Tries all rows of adoption_queue once whose pause is over, 100 in a transaction. Commits. Internal: adopting and '
'switching on call it; the pipeline does the same in its own batches.';
