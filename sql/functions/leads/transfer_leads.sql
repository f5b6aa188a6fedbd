CREATE OR REPLACE FUNCTION lead_protection.transfer_leads(
    request_key text,
    new_user_id bigint,
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
        jsonb_build_object('new_user_id', transfer_leads.new_user_id, 'actor_id', transfer_leads.actor_id)
    );
    PERFORM lead_protection.require_reason(transfer_leads.reason);

    SELECT r.* INTO STRICT request
    FROM lead_protection.begin_bulk_request(
        transfer_leads.request_key,
        jsonb_build_object(
            'action', 'transfer', 'new_user_id', transfer_leads.new_user_id, 'reason', transfer_leads.reason
        ),
        transfer_leads.lead_ids, transfer_leads.user_id, transfer_leads.actor_id
    ) AS r;
    IF request.before IS NOT NULL THEN
        PERFORM lead_protection.hand_over_leads(
            ARRAY(
                SELECT b
                FROM unnest(request.before) AS b
                WHERE b.state <> 'CLOSED' AND b.user_id IS DISTINCT FROM transfer_leads.new_user_id
                ORDER BY b.lead_id
            ),
            transfer_leads.new_user_id, 'lead.protection.transferred', request.decided_at, transfer_leads.actor_id,
            transfer_leads.reason, jsonb_build_object('request_key', transfer_leads.request_key)
        );
        INSERT INTO lead_protection.bulk_hold_results (
            request_key, lead_id, user_id, action, outcome, sqlstate, why, decided_at, actor_id
        )
        SELECT
            transfer_leads.request_key, b.lead_id, b.user_id, 'transfer',
            CASE
                WHEN b.state = 'CLOSED' THEN 'refused'
                WHEN b.user_id = transfer_leads.new_user_id THEN 'already'
                ELSE 'done'
            END,
            CASE WHEN b.state = 'CLOSED' THEN 'LP009' END,
            CASE WHEN b.state = 'CLOSED' THEN 'the lead is closed' END,
            request.decided_at, transfer_leads.actor_id
        FROM unnest(request.before) AS b;
    END IF;

    RETURN QUERY SELECT a.* FROM lead_protection.bulk_answers(
        transfer_leads.request_key, CASE WHEN transfer_leads.user_id IS NULL THEN request.lead_ids END
    ) AS a;
END;
$$;

COMMENT ON FUNCTION lead_protection.transfer_leads(text, bigint, text, bigint, bigint[], bigint) IS
'Gives many leads to new_user_id at once: those of a list (lead_ids), each from whoever has it or from nobody, or all '
'open ones of a user (user_id), those that have expired included; one of the two. For each lead it does what '
'transfer_lead() does: a new protection begins now, under the new user''s policy. request_key: the caller''s key of '
'this request, 1 to 255 characters.
Returns a row for each lead, in their order: outcome done, already (it is new_user_id''s) or refused, with the '
'SQLSTATE that transfer_lead() would have raised for it (LP002 unknown, LP009 closed) and why; user_id: whose it was. '
'One bad lead does not spoil the rest. Repeated with the same request_key: returns the rows of the first call and '
'changes nothing.
Errors, with nothing done: LP001 new_user_id or actor_id null, LP004 reason or request_key blank or too long, LP020 '
'the key was used for another request, LP037 both or neither of lead_ids and user_id, or a null in the list.
Logs and publishes lead.protection.transferred for each lead done, and before it what transfer_lead() does, in the '
'same transaction.';
