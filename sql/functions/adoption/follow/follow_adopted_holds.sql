CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_holds(
    adoption lead_protection.adoptions, row_keys text[], lead_keys text[], backfill boolean
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    rows_now lead_protection.adopted_row [];
    lead_ids bigint [];
    changed record;
BEGIN
    rows_now := ARRAY(
        SELECT r
        FROM lead_protection.read_adopted_rows(follow_adopted_holds.adoption, follow_adopted_holds.row_keys) AS r
    );
    PERFORM lead_protection.number_adopted_users(
        follow_adopted_holds.adoption.user_type, ARRAY(SELECT DISTINCT r.user_key FROM unnest(rows_now) AS r)
    );
    lead_ids := lead_protection.lead_ids_of(
        follow_adopted_holds.adoption, follow_adopted_holds.lead_keys, rows_now
    );
    FOR changed IN
        SELECT
            u.lead_id, u.row_key, r AS row_now, s AS seen, h AS hold,
            follow_adopted_holds.backfill OR coalesce(q.backfill, false) AS is_history,
            coalesce(
                (SELECT max(n.noted_at) FROM unnest(q.news) AS n), clock_timestamp()
            ) AS noted_at,
            coalesce(
                lead_protection.adopted_user_id(follow_adopted_holds.adoption.user_type, r.user_key), l.user_id
            ) AS user_id
        FROM unnest(
            follow_adopted_holds.row_keys, follow_adopted_holds.lead_keys, lead_ids
        ) AS u (row_key, lead_key, lead_id)
        INNER JOIN lead_protection.leads AS l ON u.lead_id = l.id
        LEFT JOIN unnest(rows_now) AS r ON u.row_key = r.row_key AND u.lead_key = r.lead_key
        LEFT JOIN lead_protection.adopted_holds AS s
            ON u.lead_id = s.lead_id AND u.row_key = s.row_key AND s.adoption_id = follow_adopted_holds.adoption.id
        LEFT JOIN lead_protection.lead_holds AS h ON s.hold_id = h.id
        LEFT JOIN lead_protection.adoption_queue AS q
            ON u.lead_key = q.lead_key AND u.row_key = q.row_key AND q.adoption_id = follow_adopted_holds.adoption.id
        WHERE
            (r.started_at, r.ended_at, r.label, r.user_key)
            IS DISTINCT FROM (s.started_at, s.ended_at, s.reason, s.user_key)
            OR (r.row_key IS NULL AND s.lead_id IS NOT NULL)
        ORDER BY u.lead_id, r.started_at, u.row_key
    LOOP
        PERFORM lead_protection.follow_adopted_hold(
            follow_adopted_holds.adoption, changed.lead_id, changed.row_key, changed.row_now, changed.seen, changed.hold,
            changed.user_id, changed.noted_at, changed.is_history
        );
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adopted_holds(
    lead_protection.adoptions, text[], text[], boolean
) IS
'Brings these rows of an adopted table of holds into step: made, ended, corrected or declared void. lead_keys: the '
'leads that the rows are, or were, about; backfill true: rows that are not known yet are recorded without log row or '
'event. Repeated: nothing changes. Errors: LP002 unknown lead, LP005, LP006, LP007, LP036 the lead has an open hold. '
'Internal: the caller has locked the leads.';
