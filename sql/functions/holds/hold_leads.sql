CREATE OR REPLACE FUNCTION lead_protection.hold_leads(
    request_key text,
    reason text,
    actor_id bigint,
    lead_ids bigint[] DEFAULT NULL,
    user_id bigint DEFAULT NULL,
    start_at timestamptz DEFAULT NULL,
    end_at timestamptz DEFAULT NULL
)
RETURNS SETOF lead_protection.bulk_hold_results
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- A plan must not be one for the empty tables that the statistics may speak of, nor for fewer leads than there are: it
-- would take the square of the time. So each list is an array, whose length a plan of its own sees.
SET enable_seqscan = off SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    reason_code text;
    given bigint [];
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection [];
    answers lead_protection.bulk_hold_results [];
    made bigint [];
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('actor_id', hold_leads.actor_id));
    reason_code := lead_protection.hold_reason_code(hold_leads.reason);
    IF reason_code <> 'OTHER' THEN
        hold_leads.reason := reason_code;
    END IF;
    PERFORM lead_protection.require_hold_span(hold_leads.start_at, hold_leads.end_at);

    SELECT r.lead_ids, r.decided_at, r.before INTO given, decided_at, before
    FROM lead_protection.begin_bulk_request(
        hold_leads.request_key,
        jsonb_build_object(
            'action', 'hold', 'reason', hold_leads.reason,
            'start_at', lead_protection.instant_text(hold_leads.start_at),
            'end_at', lead_protection.instant_text(hold_leads.end_at)
        ),
        hold_leads.lead_ids, hold_leads.user_id, hold_leads.actor_id
    ) AS r;
    IF before IS NULL THEN
        RETURN QUERY SELECT a.* FROM lead_protection.bulk_answers(
            hold_leads.request_key, CASE WHEN hold_leads.user_id IS NULL THEN given END
        ) AS a;
        RETURN;
    END IF;
    hold_leads.start_at := coalesce(hold_leads.start_at, decided_at);

    WITH candidate AS (
        SELECT
            g.lead_id,
            b.user_id,
            b,
            (
                SELECT h.id
                FROM (
                    SELECT f.*
                    FROM lead_protection.lead_holds AS f
                    WHERE f.lead_id = g.lead_id AND f.user_id = b.user_id
                    -- Lead by lead through its index: without statistics that of all open holds looks as cheap.
                    OFFSET 0
                ) AS h
                WHERE
                    h.voided_at IS NULL
                    AND CASE
                        WHEN hold_leads.end_at IS NULL THEN h.end_at IS NULL
                        ELSE
                            h.start_at = hold_leads.start_at AND h.end_at = hold_leads.end_at
                            AND h.released_by IS NULL AND h.overrun_at IS NULL
                    END
            ) AS existing_id,
            (
                SELECT l.limit_at
                FROM (
                    SELECT
                        jsonb_populate_record(
                            NULL::lead_protection.lead_holds,
                            jsonb_build_object(
                                'lead_id', g.lead_id, 'user_id', b.user_id,
                                'start_at', hold_leads.start_at, 'end_at', hold_leads.end_at
                            )
                        ) AS hold
                    -- Made once, and not in each place of hold_limit() that uses it.
                    OFFSET 0
                ) AS planned
                CROSS JOIN LATERAL lead_protection.hold_limit(planned.hold, decided_at) AS l
            ) AS limit_at
        FROM unnest(given) AS g (lead_id)
        LEFT JOIN unnest(before) AS b ON g.lead_id = b.lead_id
    ),

    verdict AS (
        SELECT
            c.lead_id,
            c.user_id,
            c.existing_id,
            CASE
                WHEN (c.b).lead_id IS NULL THEN 'LP002'
                WHEN c.user_id IS NULL THEN 'LP064'
                WHEN (c.b).state = 'CLOSED' THEN 'LP009'
                WHEN (c.b).state = 'EXPIRED' THEN 'LP008'
                WHEN c.existing_id IS NOT NULL THEN NULL
                WHEN coalesce(hold_leads.end_at > c.limit_at, decided_at >= c.limit_at) THEN 'LP032'
            END AS sqlstate
        FROM candidate AS c
    )

    SELECT
        array_agg(
            (
                hold_leads.request_key, w.lead_id, w.user_id, 'hold',
                CASE
                    WHEN w.sqlstate IS NOT NULL THEN 'refused'
                    WHEN w.existing_id IS NOT NULL THEN 'already'
                    ELSE 'done'
                END,
                w.sqlstate,
                CASE w.sqlstate
                    WHEN 'LP002' THEN 'the lead is unknown'
                    WHEN 'LP008' THEN 'its protection has expired'
                    WHEN 'LP009' THEN 'the lead is closed'
                    WHEN 'LP032' THEN 'the hold would pass the limit of its policy'
                    WHEN 'LP064' THEN 'the lead is nobody''s'
                END,
                CASE WHEN w.sqlstate IS NULL THEN w.existing_id END, decided_at, hold_leads.actor_id
            )::lead_protection.bulk_hold_results
            ORDER BY w.lead_id
        )
    INTO answers
    FROM verdict AS w;

    WITH hold AS (
        INSERT INTO lead_protection.lead_holds AS h (
            lead_id, user_id, reason, reason_code, start_at, end_at, created_by
        )
        SELECT
            a.lead_id, a.user_id, hold_leads.reason, reason_code, hold_leads.start_at, hold_leads.end_at,
            hold_leads.actor_id
        FROM unnest(answers) AS a
        WHERE a.outcome = 'done'
        -- Under REPEATABLE READ: one that was made since the transaction began, which is an error 40001.
        ON CONFLICT DO NOTHING
        RETURNING h.id
    )

    SELECT array_agg(hold.id) INTO made FROM hold;

    INSERT INTO lead_protection.bulk_hold_results (
        request_key, lead_id, user_id, action, outcome, sqlstate, why, hold_id, decided_at, actor_id
    )
    SELECT
        a.request_key, a.lead_id, a.user_id, a.action, a.outcome, a.sqlstate, a.why, coalesce(a.hold_id, h.id),
        a.decided_at, a.actor_id
    FROM unnest(answers) AS a
    LEFT JOIN (
        SELECT f.id, f.lead_id
        FROM unnest(made) AS m (hold_id)
        INNER JOIN lead_protection.lead_holds AS f ON m.hold_id = f.id
    ) AS h ON a.lead_id = h.lead_id
    -- That a lead was unknown follows from the request.
    WHERE a.sqlstate IS DISTINCT FROM 'LP002';

    PERFORM lead_protection.log_lead_changes(
        'lead.hold.created', before, decided_at, hold_leads.actor_id, array_agg(h.lead_id), array_agg(h.reason),
        array_agg(lead_protection.hold_details(h) || jsonb_build_object('request_key', hold_leads.request_key))
    )
    FROM unnest(made) AS m (hold_id)
    INNER JOIN lead_protection.lead_holds AS h ON m.hold_id = h.id;

    RETURN QUERY SELECT a.* FROM lead_protection.bulk_answers(
        hold_leads.request_key, CASE WHEN hold_leads.user_id IS NULL THEN given END
    ) AS a;
END;
$$;

COMMENT ON FUNCTION lead_protection.hold_leads(text, text, bigint, bigint[], bigint, timestamptz, timestamptz) IS
'Stops the clocks of many leads at once, each for its protected user: of a list (lead_ids) or all open ones of a user '
'(user_id); one of the two. reason, start_at and end_at as for create_lead_hold(). request_key: the caller''s key of '
'this request, 1 to 255 characters.
Returns a row for each lead, in their order: outcome done, already (there was such a hold) or refused, with the '
'SQLSTATE that create_lead_hold() would have raised for it (LP002 unknown, LP008 expired, LP009 closed, LP032 over the '
'limit, LP064 nobody''s) and why. One bad lead does not spoil the rest. Repeated with the same request_key: returns '
'the rows of the first call and changes nothing.
Errors, with nothing done: LP001 actor_id null, LP004 reason or request_key blank or too long, LP005, LP006, LP007 '
'wrong start or end, LP020 the key was used for another request, LP030 unknown reason, LP031 the reason does not stop '
'the clock, LP037 both or neither of lead_ids and user_id, or a null in the list.
Logs and publishes lead.hold.created for each lead done, in the same transaction.';
