CREATE OR REPLACE FUNCTION lead_protection.end_holds(
    before lead_protection.v_user_lead_protection, decided_at timestamptz, actor_id bigint, with_planned boolean
)
RETURNS SETOF lead_protection.lead_holds
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
-- Its statements are short: to plan them anew each time would take as long as to run them. The one plan must not be one
-- for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    -- The lead as the hold that was ended last left it.
    so_far lead_protection.v_user_lead_protection := end_holds.before;
    after lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
BEGIN
    FOR hold IN
        SELECT h.*
        FROM lead_protection.lead_holds AS h
        WHERE
            h.lead_id = end_holds.before.lead_id AND h.user_id = end_holds.before.user_id
            AND h.released_by IS NULL AND h.voided_at IS NULL
            AND (
                h.end_at IS NULL
                -- Planned holds count in full in what a closed lead shows: they stay.
                OR (
                    end_holds.before.closed_at IS NULL AND h.end_at > end_holds.decided_at
                    AND (end_holds.with_planned OR h.start_at <= end_holds.decided_at)
                )
            )
        ORDER BY h.start_at, h.id
    LOOP
        UPDATE lead_protection.lead_holds AS h
        -- Closing the lead ended its clock: an open hold that is tidied up later must not move it. And nobody gains by
        -- releasing a hold after its limit, before the nightly job comes.
        SET
            end_at = greatest(
                least(
                    end_holds.decided_at, end_holds.before.closed_at,
                    CASE WHEN h.end_at IS NULL THEN lead_protection.hold_limit_at(h, end_holds.decided_at) END
                ),
                h.start_at
            ),
            released_by = end_holds.actor_id
        WHERE h.id = hold.id
        RETURNING h.* INTO hold;
        after := lead_protection.read_lead(hold.lead_id, end_holds.decided_at);
        PERFORM lead_protection.log_lead_change(
            'lead.hold.released', so_far, after, end_holds.decided_at, end_holds.actor_id, hold.reason,
            lead_protection.hold_details(hold)
        );
        so_far := after;
        RETURN NEXT hold;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.end_holds(
    lead_protection.v_user_lead_protection, timestamptz, bigint, boolean
) IS
'Ends the holds in force of the lead and user of before, at decided_at, or at the closing or the open hold''s limit if '
'that came first; of a closed lead only the open one. with_planned: those that have not begun, too, which then stop '
'nothing. Logs and publishes lead.hold.released for each and returns them. Internal: the caller has locked the lead.';
