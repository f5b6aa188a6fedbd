CREATE OR REPLACE FUNCTION lead_protection.begin_bulk_request(
    request_key text,
    asked jsonb,
    INOUT lead_ids bigint[],
    user_id bigint,
    actor_id bigint,
    OUT decided_at timestamptz,
    OUT before lead_protection.v_user_lead_protection[]
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked_for jsonb := begin_bulk_request.asked || jsonb_build_object('user_id', begin_bulk_request.user_id);
    earlier jsonb;
BEGIN
    PERFORM lead_protection.require_reason(begin_bulk_request.request_key, 'request_key');
    IF
        num_nonnulls(begin_bulk_request.lead_ids, begin_bulk_request.user_id) <> 1
        OR array_ndims(begin_bulk_request.lead_ids) > 1
        -- Not array_position(), which takes no list of lists.
        OR EXISTS (SELECT FROM unnest(begin_bulk_request.lead_ids) AS u (lead_id) WHERE u.lead_id IS NULL)
    THEN
        RAISE EXCEPTION 'give either lead_ids or user_id'
            USING ERRCODE = 'LP037',
            DETAIL = format(
                'Given: %s leads, user_id %s.', coalesce(cardinality(begin_bulk_request.lead_ids)::text, 'no'),
                coalesce(begin_bulk_request.user_id::text, 'null')
            ),
            HINT = 'A list of leads, of one dimension and without a null in it, or all leads of one user.';
    END IF;
    IF begin_bulk_request.user_id IS NULL THEN
        begin_bulk_request.lead_ids := ARRAY(
            SELECT DISTINCT u.lead_id FROM unnest(begin_bulk_request.lead_ids) AS u (lead_id) ORDER BY u.lead_id
        );
        asked_for := asked_for || jsonb_build_object(
            'leads', encode(sha256(begin_bulk_request.lead_ids::text::bytea), 'hex')
        );
    ELSE
        begin_bulk_request.lead_ids := ARRAY(
            SELECT c.lead_id
            FROM lead_protection.lead_clocks AS c
            WHERE c.user_id = begin_bulk_request.user_id AND c.closed_at IS NULL
            ORDER BY c.lead_id
        );
    END IF;
    asked_for := jsonb_strip_nulls(asked_for);

    PERFORM lead_protection.lock_leads(begin_bulk_request.lead_ids);
    PERFORM lead_protection.require_leads_here(begin_bulk_request.lead_ids);
    -- The key of a request that is not committed yet makes the second one wait. It comes after the leads' locks, so
    -- that whoever has the key has all that it needs.
    INSERT INTO lead_protection.bulk_hold_requests AS r (request_key, asked, actor_id)
    VALUES (begin_bulk_request.request_key, asked_for, begin_bulk_request.actor_id)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT r.asked INTO STRICT earlier
        FROM lead_protection.bulk_hold_requests AS r
        WHERE r.request_key = begin_bulk_request.request_key;
        IF earlier <> asked_for THEN
            RAISE EXCEPTION 'request % was another one', begin_bulk_request.request_key
                USING ERRCODE = 'LP020',
                DETAIL = format('It was a %s.', earlier - 'leads' - 'reason'),
                HINT = 'Give each request a key of its own; repeat one with the same arguments.';
        END IF;
        RETURN;
    END IF;

    decided_at := clock_timestamp();
    UPDATE lead_protection.bulk_hold_requests AS r
    SET decided_at = begin_bulk_request.decided_at
    WHERE r.request_key = begin_bulk_request.request_key;
    before := ARRAY(
        SELECT b
        FROM lead_protection.read_leads(begin_bulk_request.lead_ids, decided_at) AS b
        -- Not those that went to somebody else while this waited for the locks.
        WHERE b.user_id = begin_bulk_request.user_id OR begin_bulk_request.user_id IS NULL
    );
    IF begin_bulk_request.user_id IS NOT NULL THEN
        begin_bulk_request.lead_ids := ARRAY(SELECT b.lead_id FROM unnest(before) AS b ORDER BY b.lead_id);
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.begin_bulk_request(text, jsonb, bigint[], bigint, bigint) IS
'Begins a bulk request: locks the leads that it is for (those of the list, each once, or all open leads of the user) '
'and takes its key. asked: what else was asked for. Returns their ids in order, decided_at, and the leads before; the '
'last two are null if the same request was answered before.
Errors: LP004 request_key blank or too long, LP020 the key was used for another request, LP037 both or neither of '
'lead_ids and user_id, or a null in the list or a list of lists, LP135 a lead has moved to another node. Internal.';
