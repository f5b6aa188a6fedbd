CREATE OR REPLACE FUNCTION lead_protection.announce_hold_limits(
    ahead interval DEFAULT INTERVAL '7 days', batch_size integer DEFAULT 1000
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    until_at CONSTANT timestamptz := lead_protection.plus_elapsed(
        -- Within what an instant can be.
        now(), least(greatest(announce_hold_limits.ahead, INTERVAL '0'), INTERVAL '1000 years')
    );
    found_leads bigint [];
    lead_ids bigint [];
    passed_over bigint [] := '{}'::bigint [];
    announced bigint [];
    details jsonb [];
BEGIN
    PERFORM lead_protection.require_job_arguments(NULL, announce_hold_limits.batch_size);
    -- Locked first, then looked at once more, and only at those.
    LOOP
        found_leads := ARRAY(
            SELECT DISTINCT a.lead_id
            FROM lead_protection.v_active_holds AS a
            INNER JOIN lead_protection.lead_holds AS h ON a.hold_id = h.id
            WHERE
                a.end_at IS NULL AND h.limit_noticed_at IS NULL AND a.limit_at > now() AND a.limit_at <= until_at
                AND a.lead_id <> ALL(passed_over)
            ORDER BY a.lead_id
            LIMIT announce_hold_limits.batch_size
        );
        lead_ids := lead_protection.lock_free_leads(found_leads, 'lead-protection-nightly', 'hold_limits_announced');
        EXIT WHEN lead_ids <> '{}' OR found_leads = '{}';
        passed_over := passed_over || found_leads;
    END LOOP;
    decided_at := clock_timestamp();
    WITH near AS (
        UPDATE lead_protection.lead_holds AS h
        SET limit_noticed_at = decided_at
        FROM lead_protection.v_active_holds AS a
        WHERE
            a.hold_id = h.id AND a.lead_id = ANY(lead_ids) AND a.end_at IS NULL AND h.limit_noticed_at IS NULL
            AND a.limit_at > decided_at AND a.limit_at <= until_at
        RETURNING h.*, a.limit_at
    )

    SELECT
        array_agg(n.lead_id),
        array_agg(
            jsonb_build_object(
                'hold_id', n.id,
                'hold_start_at', lead_protection.instant_text(n.start_at),
                'limit_at', lead_protection.instant_text(n.limit_at)
            )
        )
    INTO announced, details
    FROM near AS n;
    PERFORM lead_protection.log_lead_changes(
        'lead.hold.limit_near',
        -- An announcement changes nothing.
        ARRAY(SELECT p FROM lead_protection.read_leads(announced, decided_at) AS p),
        decided_at, NULL, announced, NULL, details
    );
    RETURN coalesce(cardinality(announced), 0)::bigint;
END;
$$;

COMMENT ON FUNCTION lead_protection.announce_hold_limits(interval, integer) IS
'Publishes lead.hold.limit_near for open holds that reach the limit of their policy within ahead, once for each hold, '
'and once more after its limit was overridden or it was corrected. batch_size leads at most; those that others hold '
'locked are noted in passed_over_leads. Returns how many; 0: none is left. Error: LP016 batch_size. Internal: '
'run_nightly_maintenance() calls it.';
