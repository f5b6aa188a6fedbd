CREATE OR REPLACE FUNCTION lead_protection.erase_old_texts(lead_ids bigint[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    erased bigint;
BEGIN
    -- Looked for once more under the locks: one may have been opened again.
    SELECT count(*) INTO erased
    FROM lead_protection.erase_texts_of(
        lead_protection.leads_with_old_texts(
            lead_protection.lock_free_leads(erase_old_texts.lead_ids, 'lead-protection-nightly', 'texts_erased')
        ),
        NULL, NULL, 'kept for as long as the policy says', NULL
    );
    RETURN erased;
END;
$$;

COMMENT ON FUNCTION lead_protection.erase_old_texts(bigint[]) IS
'Erases the texts of those of the leads whose policy does not keep them any longer, see leads_with_old_texts(). A lead '
'that another session holds locked is left to the next night, and noted in passed_over_leads. Returns of how many '
'leads; repeated: 0. Internal: run_job_step() calls it.';
