CREATE OR REPLACE FUNCTION lead_protection.release_leads(
    request_key text, actor_id bigint, lead_ids bigint[] DEFAULT NULL, user_id bigint DEFAULT NULL
)
RETURNS SETOF lead_protection.bulk_hold_results
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- A plan must not be one for the empty tables that the statistics may speak of, nor for fewer leads than there are: it
-- would take the square of the time. So each list is an array, whose length a plan of its own sees.
SET enable_seqscan = off SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    given bigint [];
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection [];
    released bigint [];
    ends_at timestamptz [];
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('actor_id', release_leads.actor_id));

    SELECT r.lead_ids, r.decided_at, r.before INTO given, decided_at, before
    FROM lead_protection.begin_bulk_request(
        release_leads.request_key, jsonb_build_object('action', 'release'), release_leads.lead_ids,
        release_leads.user_id, release_leads.actor_id
    ) AS r;
    IF before IS NULL THEN
        RETURN QUERY SELECT a.* FROM lead_protection.bulk_answers(
            release_leads.request_key, CASE WHEN release_leads.user_id IS NULL THEN given END
        ) AS a;
        RETURN;
    END IF;

    -- OFFSET 0: lead by lead through the index, even where the statistics know of no open hold.
    SELECT array_agg(h.id), array_agg(h.ends_at) INTO released, ends_at
    FROM unnest(before) AS b
    CROSS JOIN LATERAL (
        SELECT
            f.id,
            greatest(
                least(
                    decided_at, b.closed_at,
                    CASE WHEN f.end_at IS NULL
                        THEN (SELECT l.limit_at FROM lead_protection.hold_limit(f, decided_at) AS l)
                    END
                ),
                f.start_at
            ) AS ends_at
        FROM lead_protection.lead_holds AS f
        WHERE
            f.lead_id = b.lead_id AND f.user_id = b.user_id AND f.released_by IS NULL AND f.voided_at IS NULL
            AND (f.end_at IS NULL OR (f.start_at <= decided_at AND f.end_at > decided_at))
        OFFSET 0
    ) AS h;
    UPDATE lead_protection.lead_holds AS h
    SET end_at = u.ends_at, released_by = release_leads.actor_id
    FROM unnest(released, ends_at) AS u (hold_id, ends_at)
    WHERE h.id = u.hold_id;

    PERFORM lead_protection.log_lead_changes(
        'lead.hold.released', before, decided_at, release_leads.actor_id, array_agg(h.lead_id), array_agg(h.reason),
        array_agg(lead_protection.hold_details(h) || jsonb_build_object('request_key', release_leads.request_key))
    )
    FROM unnest(released) AS u (hold_id)
    INNER JOIN lead_protection.lead_holds AS h ON u.hold_id = h.id;

    INSERT INTO lead_protection.bulk_hold_results (
        request_key, lead_id, user_id, action, outcome, sqlstate, why, hold_id, decided_at, actor_id
    )
    SELECT
        release_leads.request_key, b.lead_id, b.user_id, 'release',
        CASE WHEN b.user_id IS NULL THEN 'refused' WHEN h.id IS NULL THEN 'already' ELSE 'done' END,
        CASE WHEN b.user_id IS NULL THEN 'LP064' END,
        CASE WHEN b.user_id IS NULL THEN 'the lead is nobody''s' END,
        h.id, decided_at, release_leads.actor_id
    -- Those that are known: that a lead was unknown follows from the request.
    FROM unnest(before) AS b
    LEFT JOIN (
        SELECT
            f.lead_id,
            min(f.id) AS id
        FROM unnest(released) AS u (hold_id)
        INNER JOIN lead_protection.lead_holds AS f ON u.hold_id = f.id
        GROUP BY f.lead_id
    ) AS h ON b.lead_id = h.lead_id;

    RETURN QUERY SELECT a.* FROM lead_protection.bulk_answers(
        release_leads.request_key, CASE WHEN release_leads.user_id IS NULL THEN given END
    ) AS a;
END;
$$;

COMMENT ON FUNCTION lead_protection.release_leads(text, bigint, bigint[], bigint) IS
'Lets the clocks of many leads run again at once: of a list (lead_ids) or all open ones of a user (user_id); one of '
'the two. Ends of each lead what release_lead_hold() would end. request_key: the caller''s key of this request, 1 to '
'255 characters.
Returns a row for each lead, in their order: outcome done, already (no hold was in force) or refused (LP002 unknown, '
'LP064 nobody''s). Repeated with the same request_key: returns the rows of the first call and changes nothing.
Errors, with nothing done: LP001 actor_id null, LP004 request_key blank or too long, LP020 the key was used for '
'another request, LP037 both or neither of lead_ids and user_id, or a null in the list.
Logs and publishes lead.hold.released for each hold ended, in the same transaction.';
