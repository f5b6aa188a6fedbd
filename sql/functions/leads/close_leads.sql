CREATE OR REPLACE FUNCTION lead_protection.close_leads(
    request_key text,
    outcome text,
    reason text,
    actor_id bigint,
    lead_ids bigint[] DEFAULT NULL,
    user_id bigint DEFAULT NULL
)
RETURNS SETOF lead_protection.bulk_hold_results
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Each list is an array, whose length a plan of its own sees: see hold_leads().
SET enable_seqscan = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    request record;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object('outcome', close_leads.outcome, 'actor_id', close_leads.actor_id)
    );
    PERFORM lead_protection.require_reason(close_leads.reason);
    PERFORM lead_protection.require_outcome(close_leads.outcome);

    SELECT r.* INTO STRICT request
    FROM lead_protection.begin_bulk_request(
        close_leads.request_key,
        jsonb_build_object('action', 'close', 'outcome', close_leads.outcome, 'reason', close_leads.reason),
        close_leads.lead_ids, close_leads.user_id, close_leads.actor_id
    ) AS r;
    IF request.before IS NOT NULL THEN
        -- Those that are closed already: as what, only the lead's row knows.
        INSERT INTO lead_protection.bulk_hold_results (
            request_key, lead_id, user_id, action, outcome, sqlstate, why, decided_at, actor_id
        )
        SELECT
            close_leads.request_key, b.lead_id, b.user_id, 'close',
            CASE
                WHEN b.state <> 'CLOSED' THEN 'done'
                WHEN l.closed_as = close_leads.outcome THEN 'already'
                ELSE 'refused'
            END,
            CASE WHEN b.state = 'CLOSED' AND l.closed_as IS DISTINCT FROM close_leads.outcome THEN 'LP009' END,
            CASE
                WHEN b.state = 'CLOSED' AND l.closed_as IS DISTINCT FROM close_leads.outcome
                    THEN 'the lead is closed with another outcome'
            END,
            request.decided_at, close_leads.actor_id
        FROM unnest(request.before) AS b
        INNER JOIN lead_protection.leads AS l ON b.lead_id = l.id;
        PERFORM lead_protection.close_leads_as(
            ARRAY(SELECT b FROM unnest(request.before) AS b WHERE b.state <> 'CLOSED' ORDER BY b.lead_id),
            close_leads.outcome, 'lead.closed', request.decided_at, close_leads.actor_id, close_leads.reason,
            jsonb_build_object('outcome', close_leads.outcome, 'request_key', close_leads.request_key)
        );
    END IF;

    RETURN QUERY SELECT a.* FROM lead_protection.bulk_answers(
        close_leads.request_key, CASE WHEN close_leads.user_id IS NULL THEN request.lead_ids END
    ) AS a;
END;
$$;

COMMENT ON FUNCTION lead_protection.close_leads(text, text, text, bigint, bigint[], bigint) IS
'Closes many leads at once, as outcome CONVERTED or LOST: those of a list (lead_ids), whoever has them, or all open '
'ones of a user (user_id); one of the two. For each lead it does what close_lead() does. request_key: the caller''s '
'key of this request, 1 to 255 characters.
Returns a row for each lead, in their order: outcome done, already (closed with that outcome) or refused, with the '
'SQLSTATE that close_lead() would have raised for it (LP002 unknown, LP009 closed with another outcome) and why. One '
'bad lead does not spoil the rest. Repeated with the same request_key: returns the rows of the first call and changes '
'nothing.
Errors, with nothing done: LP001 outcome or actor_id null, LP004 reason or request_key blank or too long, LP020 the '
'key was used for another request, LP027 unknown outcome, LP037 both or neither of lead_ids and user_id, or a null in '
'the list.
Logs and publishes lead.closed for each lead done, and before it what close_lead() does, in the same transaction.';
