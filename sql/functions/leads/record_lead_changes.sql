-- Once a statement, so that a bulk change is one refresh. The statement itself has locked the rows. Transition tables
-- allow one event a trigger: hence two triggers.
CREATE OR REPLACE FUNCTION lead_protection.record_lead_changes()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at CONSTANT timestamptz := clock_timestamp();
    lead_ids CONSTANT bigint [] := ARRAY(SELECT n.id FROM new_rows AS n);
    by_hand bigint [];
    created bigint [];
    before lead_protection.v_user_lead_protection [];
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM lead_protection.refresh_lead_clocks(lead_ids);
        IF
            EXISTS (SELECT FROM lead_protection.lead_moves) OR EXISTS (SELECT FROM lead_protection.departed_slots)
        THEN
            PERFORM lead_protection.require_new_leads_here(lead_ids);
        END IF;
        -- What comes from an adopted table or from another node was a lead before, and is no news.
        created := ARRAY(SELECT n.id FROM new_rows AS n WHERE n.changed_at IS NULL);
        IF current_setting('lead_protection.leads_arrive', true) = 'on' THEN
            created := ARRAY(SELECT c.id FROM unnest(created) AS c (id) WHERE NOT lead_protection.is_arriving(c.id));
        END IF;
        IF created <> '{}' THEN
            PERFORM lead_protection.log_new_leads(created, decided_at);
        END IF;
        RETURN NULL;
    END IF;

    by_hand := ARRAY(
        SELECT n.id
        FROM new_rows AS n
        INNER JOIN old_rows AS o ON n.id = o.id
        WHERE
            n.changed_at IS NOT DISTINCT FROM o.changed_at
            AND (n.user_id, n.policy_id, n.created_at, n.closed_at, n.closed_as)
            IS DISTINCT FROM (o.user_id, o.policy_id, o.created_at, o.closed_at, o.closed_as)
    );
    IF by_hand <> '{}' THEN
        before := ARRAY(SELECT b FROM lead_protection.read_leads(by_hand, decided_at) AS b);
    END IF;

    -- A closing, or another instant of it, needs no row here: what the lead was follows from when it was closed.
    INSERT INTO lead_protection.lead_history (lead_id, valid_until, user_id, policy_id, created_at, closed_at)
    SELECT
        o.id, CASE WHEN n.changed_at IS DISTINCT FROM o.changed_at THEN n.changed_at ELSE decided_at END,
        o.user_id, o.policy_id, o.created_at, o.closed_at
    FROM new_rows AS n
    INNER JOIN old_rows AS o ON n.id = o.id
    WHERE
        (n.user_id, n.policy_id) IS DISTINCT FROM (o.user_id, o.policy_id)
        OR (o.closed_at IS NOT NULL AND n.closed_at IS NULL)
        -- The same user once more, see hand_over_leads().
        OR (n.created_at = n.changed_at AND n.changed_at IS DISTINCT FROM o.changed_at)
    -- What lasted no time was never so.
    ON CONFLICT ON CONSTRAINT lead_history_pkey DO NOTHING;

    -- A corrected start is the start of all that this protection was before.
    UPDATE lead_protection.lead_history AS h
    SET created_at = n.created_at
    FROM new_rows AS n
    INNER JOIN old_rows AS o ON n.id = o.id
    WHERE
        n.created_at <> o.created_at AND n.user_id IS NOT DISTINCT FROM o.user_id
        AND (n.created_at IS DISTINCT FROM n.changed_at OR n.changed_at IS NOT DISTINCT FROM o.changed_at)
        AND h.lead_id = n.id AND h.user_id IS NOT DISTINCT FROM o.user_id AND h.created_at = o.created_at;

    PERFORM lead_protection.refresh_lead_clocks(lead_ids);

    IF by_hand <> '{}' THEN
        PERFORM lead_protection.log_lead_changes(
            'lead.changed', before, decided_at, NULL, array_agg(n.id), array_agg('changed as a row'::text),
            array_agg(
                jsonb_build_object(
                    'user_id_before', o.user_id,
                    'policy_id_before', o.policy_id,
                    'policy_id', n.policy_id,
                    'started_at_before', lead_protection.instant_text(o.created_at),
                    'started_at', lead_protection.instant_text(n.created_at),
                    'closed_at_before', lead_protection.instant_text(o.closed_at),
                    'closed_at', lead_protection.instant_text(n.closed_at),
                    'outcome_before', o.closed_as,
                    'outcome', n.closed_as
                )
            )
        )
        FROM new_rows AS n
        INNER JOIN old_rows AS o ON n.id = o.id
        INNER JOIN unnest(by_hand) AS u (lead_id) ON n.id = u.lead_id;
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.record_lead_changes() IS
'Trigger: keeps lead_history and lead_clocks in step with leads in the transaction that changes them, and logs and '
'publishes new leads as lead.created, however they were entered, and changes that none of our functions made as '
'lead.changed.';

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.leads REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.record_lead_changes();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.leads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.record_lead_changes();
