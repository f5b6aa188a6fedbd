CREATE OR REPLACE FUNCTION lead_protection.dismiss_adopted_row(
    source text, row_key text, reason text, actor_id bigint
)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    adoption lead_protection.adoptions;
    waiting lead_protection.adoption_queue;
    lead_id bigint;
    decided_at CONSTANT timestamptz := clock_timestamp();
    protection lead_protection.v_user_lead_protection;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'source', dismiss_adopted_row.source, 'row_key', dismiss_adopted_row.row_key,
            'actor_id', dismiss_adopted_row.actor_id
        )
    );
    PERFORM lead_protection.require_reason(dismiss_adopted_row.reason);
    adoption := lead_protection.adoption_named(dismiss_adopted_row.source);
    IF EXISTS (
        SELECT FROM lead_protection.adoption_queue AS q
        WHERE
            q.adoption_id = adoption.id AND q.row_key = dismiss_adopted_row.row_key AND q.dismissed_at IS NOT NULL
    ) THEN
        RETURN false;
    END IF;
    FOR waiting IN
        UPDATE lead_protection.adoption_queue AS q
        SET
            dismissed_at = decided_at, dismissed_by = dismiss_adopted_row.actor_id,
            dismissed_because = dismiss_adopted_row.reason
        WHERE q.adoption_id = adoption.id AND q.row_key = dismiss_adopted_row.row_key
        RETURNING q.*
    LOOP
        SELECT k.lead_id INTO lead_id
        FROM lead_protection.adoptions AS a
        CROSS JOIN LATERAL lead_protection.known_leads(a, ARRAY[waiting.lead_key]) AS k
        WHERE a.id = coalesce(adoption.leads_id, adoption.id) AND waiting.lead_key <> '*';
        IF lead_id IS NOT NULL THEN
            protection := lead_protection.read_lead(lead_id, decided_at);
            PERFORM lead_protection.log_lead_change(
                'lead.row.dismissed', protection, protection, decided_at, dismiss_adopted_row.actor_id,
                dismiss_adopted_row.reason,
                jsonb_build_object('source', adoption.name, 'row_key', waiting.row_key)
            );
        END IF;
    END LOOP;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'row % of % does not wait', dismiss_adopted_row.row_key, adoption.source
            USING ERRCODE = 'LP067',
            DETAIL = 'It is in step, or was written a moment ago and was not tried yet.',
            HINT = 'adoption_queue has the rows that wait: give row_key as it stands there.';
    END IF;
    RETURN true;
END;
$$;

COMMENT ON FUNCTION lead_protection.dismiss_adopted_row(text, text, text, bigint) IS
'Sets a row of an adopted table aside that cannot be followed: it is tried no more, and calls for its lead are refused '
'no more because of it. It stays in adoption_queue, with who, when and why, until the company writes it again. source: '
'the adoption''s name, or its table; row_key: as in adoption_queue; reason: 1 to 255 characters; actor_id: who decides '
'it.
Returns true; repeated: false, and nothing changes. Errors: LP001 null argument, LP004 reason blank or too long, LP051 '
'not adopted, LP067 the row does not wait.
Logs and publishes lead.row.dismissed, if the lead is here, in the same transaction.';
