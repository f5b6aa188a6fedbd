CREATE OR REPLACE FUNCTION lead_protection.record_next_passed_deadlines(batch_size integer, with_reminders boolean)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting CONSTANT bigint [] := ARRAY(
        SELECT p.lead_id
        FROM lead_protection.adopted_lead_status() AS p
        WHERE (p.status = 'expired' OR (p.status = 'reminder overdue' AND record_next_passed_deadlines.with_reminders))
            AND NOT p.is_switched_on
        ORDER BY p.lead_id
        LIMIT record_next_passed_deadlines.batch_size
    );
BEGIN
    PERFORM lead_protection.record_passed_deadlines(waiting, record_next_passed_deadlines.with_reminders);
    RETURN cardinality(waiting)::bigint;
END;
$$;

COMMENT ON FUNCTION lead_protection.record_next_passed_deadlines(integer, boolean) IS
'Records what lies in the past of the next batch_size adopted leads whose table is not switched on, reminders only '
'with_reminders, and returns how many there were. Internal: record_all_passed_deadlines() calls it.';
