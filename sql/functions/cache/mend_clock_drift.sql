CREATE OR REPLACE FUNCTION lead_protection.mend_clock_drift()
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- The log shows both rows as text, which must read the same whoever runs this.
SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
DECLARE
    drifted bigint [];
    mended bigint;
BEGIN
    -- Looked for without locks, then once more among the few under theirs.
    SELECT array_agg(f.lead_id) INTO drifted FROM lead_protection.find_clock_drift() AS f;
    drifted := lead_protection.lock_free_leads(drifted, 'lead-protection-nightly', 'clocks_mended');

    INSERT INTO lead_protection.protection_log (
        lead_id, user_id, event_type, occurred_at, reason,
        state_before, expires_before, state_after, expires_after, details
    )
    SELECT
        d.lead_id, d.user_id, 'lead.clock.mended', now(), 'the cached clock differed from the rule',
        b.state, b.protection_expires_at, a.state, a.protection_expires_at,
        jsonb_build_object('cached', to_jsonb(c), 'derived', to_jsonb(d))
    FROM lead_protection.derive_lead_clocks() AS d
    LEFT JOIN lead_protection.lead_clocks AS c ON d.lead_id = c.lead_id
    LEFT JOIN lead_protection.v_user_lead_protection AS b ON d.lead_id = b.lead_id
    CROSS JOIN LATERAL lead_protection.clock_at(d, now()) AS a
    WHERE d.lead_id = ANY(drifted) AND d IS DISTINCT FROM c;
    GET DIAGNOSTICS mended = ROW_COUNT;

    PERFORM lead_protection.refresh_lead_clocks(drifted);
    RETURN mended;
END;
$$;

COMMENT ON FUNCTION lead_protection.mend_clock_drift() IS
'Writes drifted cache rows anew and logs each as lead.clock.mended with both versions. Returns how many; '
'repeated: 0. A lead that another session holds locked is left, and noted in passed_over_leads.';
