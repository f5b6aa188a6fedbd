-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.record_all_passed_deadlines(
    batch_size integer, with_reminders boolean DEFAULT true
)
LANGUAGE plpgsql
AS $$
BEGIN
    -- Looked for anew until there is none: leads come in meanwhile.
    WHILE lead_protection.record_next_passed_deadlines(
        record_all_passed_deadlines.batch_size, record_all_passed_deadlines.with_reminders
    )
        OPERATOR(pg_catalog.>) 0
    LOOP
        COMMIT;
    END LOOP;
END;
$$;

COMMENT ON PROCEDURE lead_protection.record_all_passed_deadlines(integer, boolean) IS
'Records what lies in the past of the adopted leads, without log rows and events, reminders only with_reminders, '
'batch_size leads in a transaction, until nothing is left; the last look and what the caller does next are one '
'transaction. Commits. Internal.';
