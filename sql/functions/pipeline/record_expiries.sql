CREATE OR REPLACE FUNCTION lead_protection.record_expiries(as_of timestamptz, batch_size integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Planned for each batch: a plan for the tables as a session met them first, empty, may read an index through.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    lead_ids bigint [];
    decided_at timestamptz;
BEGIN
    decided_at := coalesce(record_expiries.as_of, clock_timestamp());
    SELECT array_agg(reached.lead_id) INTO lead_ids
    FROM (
        SELECT c.lead_id
        FROM lead_protection.lead_clocks AS c
        INNER JOIN lead_protection.leads AS l ON c.lead_id = l.id
        WHERE
            -- the predicate of lead_clocks_to_expire
            c.closed_at IS NULL AND c.expired_at IS NULL
            AND c.protection_expires_at <= decided_at
            -- A clock that stands still does not expire, and one that has expired has no stop left that counts.
            AND c.runs_from <= decided_at
            -- Nor does one whose user must be reminded first.
            AND c.owed_notice_days IS NULL
        ORDER BY c.protection_expires_at, c.lead_id
        LIMIT record_expiries.batch_size
        FOR NO KEY UPDATE OF l SKIP LOCKED
    ) AS reached;
    IF lead_ids IS NULL THEN
        -- Who still waits is locked by others: noted, and left to the next run.
        lead_ids := lead_protection.lock_free_leads(
            ARRAY(
                SELECT c.lead_id
                FROM lead_protection.lead_clocks AS c
                WHERE
                    c.closed_at IS NULL AND c.expired_at IS NULL
                    AND c.protection_expires_at <= decided_at AND c.runs_from <= decided_at
                    AND c.owed_notice_days IS NULL
                ORDER BY c.protection_expires_at, c.lead_id
                LIMIT record_expiries.batch_size
            ),
            'lead-protection-reminders', 'expiries'
        );
    END IF;

    -- Decided under the locks, at an instant after the last change that was committed before them.
    decided_at := coalesce(record_expiries.as_of, clock_timestamp());

    RETURN lead_protection.record_expiries_of(lead_ids, decided_at);
END;
$$;

COMMENT ON FUNCTION lead_protection.record_expiries(timestamptz, integer) IS
'Records protections that have ended at as_of, the longest ended first, batch_size leads at most: ledger row, log row '
'and event in one transaction. as_of null: at the instant at which the leads are locked. Leads locked by others are '
'left to the next run, and noted in passed_over_leads when no other is left. Returns how many it recorded; repeated, '
'it records none twice: the ledger''s index sees to it. Internal: run_job_step() calls it and has checked the '
'arguments.';
