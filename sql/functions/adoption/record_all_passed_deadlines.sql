-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.record_all_passed_deadlines(batch_size integer)
LANGUAGE plpgsql
AS $$
DECLARE
    waiting bigint [];
BEGIN
    LOOP
        -- Looked for anew until there is none: leads come in meanwhile.
        waiting := ARRAY(
            SELECT p.lead_id
            FROM lead_protection.adopted_lead_status() AS p
            WHERE p.status IN ('expired', 'reminder overdue')
            ORDER BY p.lead_id
        );
        EXIT WHEN waiting = '{}';
        WHILE waiting <> '{}' LOOP
            PERFORM lead_protection.record_passed_deadlines(waiting[1:record_all_passed_deadlines.batch_size]);
            waiting := waiting[record_all_passed_deadlines.batch_size + 1:];
            COMMIT;
        END LOOP;
    END LOOP;
END;
$$;

COMMENT ON PROCEDURE lead_protection.record_all_passed_deadlines(integer) IS
'Records what lies in the past of the adopted leads, without log rows and events, batch_size leads in a transaction, '
'until nothing is left; the last look and what the caller does next are one transaction. Commits. Internal.';
