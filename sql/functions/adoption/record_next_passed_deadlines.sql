CREATE OR REPLACE FUNCTION lead_protection.record_next_passed_deadlines(batch_size integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting CONSTANT bigint [] := ARRAY(
        SELECT p.lead_id
        FROM lead_protection.adopted_lead_status() AS p
        WHERE p.status IN ('expired', 'reminder overdue') AND NOT p.is_switched_on
        ORDER BY p.lead_id
        LIMIT record_next_passed_deadlines.batch_size
    );
BEGIN
    PERFORM lead_protection.record_passed_deadlines(waiting);
    RETURN cardinality(waiting);
END;
$$;

COMMENT ON FUNCTION lead_protection.record_next_passed_deadlines(integer) IS
'Records what lies in the past of the next batch_size adopted leads whose table is not switched on, and returns how '
'many there were. Internal: record_all_passed_deadlines() calls it.';
