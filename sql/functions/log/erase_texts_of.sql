-- The one place that erases. In the log the commitment takes the place of the texts, elsewhere a word that says so, for
-- a reason is never blank. What an erasure itself says of its reason stays: it proves that it was right to erase.
CREATE OR REPLACE FUNCTION lead_protection.erase_texts_of(
    lead_ids bigint[], user_id bigint, before timestamptz, reason text, actor_id bigint
)
RETURNS TABLE (lead_id bigint, texts bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    ids CONSTANT bigint [] := erase_texts_of.lead_ids;
    of_user CONSTANT bigint := erase_texts_of.user_id;
    until CONSTANT timestamptz := coalesce(erase_texts_of.before, 'infinity');
    erased CONSTANT text := '(erased)';
    decided_at CONSTANT timestamptz := clock_timestamp();
    event_ids uuid [];
    hold_ids bigint [];
    changed bigint [];
    found bigint [];
    shown lead_protection.v_user_lead_protection [];
BEGIN
    -- A commitment needs a salt.
    PERFORM lead_protection.chain_old_rows(ids);

    event_ids := ARRAY(
        SELECT g.event_id
        FROM lead_protection.protection_log AS g
        WHERE
            g.lead_id = ANY(ids) AND g.recorded_at < until AND (g.user_id = of_user OR of_user IS NULL)
    );
    WITH gone AS (
        UPDATE lead_protection.protection_log AS g
        SET
            reason = NULL, details = g.details - 'evidence',
            texts_hash = lead_protection.log_texts_hash(g), texts_salt = NULL
        WHERE
            g.lead_id = ANY(ids) AND g.event_id = ANY(event_ids) AND g.texts_salt IS NOT NULL
            AND (g.reason IS NOT NULL OR g.details ? 'evidence') AND g.event_type <> 'lead.texts.erased'
        RETURNING g.lead_id
    )

    SELECT array_agg(g.lead_id) INTO changed FROM gone AS g;

    -- A code of hold_reasons is no text.
    hold_ids := ARRAY(
        SELECT h.id
        FROM lead_protection.lead_holds AS h
        WHERE h.lead_id = ANY(ids) AND h.created_at < until AND (h.user_id = of_user OR of_user IS NULL)
    );
    WITH gone AS (
        UPDATE lead_protection.lead_holds AS h
        SET reason = erased
        WHERE h.id = ANY(hold_ids) AND h.reason_code = 'OTHER' AND h.reason <> erased
        RETURNING h.lead_id
    )

    SELECT array_agg(g.lead_id) INTO found FROM gone AS g;
    changed := changed || found;

    WITH gone AS (
        UPDATE lead_protection.adopted_holds AS a
        SET reason = NULL
        WHERE a.lead_id = ANY(ids) AND a.hold_id = ANY(hold_ids) AND a.reason IS NOT NULL
        RETURNING a.lead_id
    )

    SELECT array_agg(g.lead_id) INTO found FROM gone AS g;
    changed := changed || found;

    WITH gone AS (
        UPDATE lead_protection.lead_extensions AS x
        SET reason = erased
        WHERE
            x.lead_id = ANY(ids) AND x.granted_at < until AND (x.user_id = of_user OR of_user IS NULL)
            AND x.reason <> erased
        RETURNING x.lead_id
    )

    SELECT array_agg(g.lead_id) INTO found FROM gone AS g;
    changed := changed || found;

    -- Why one was skipped is a word of ours.
    WITH gone AS (
        UPDATE lead_protection.reminder_deliveries AS d
        SET why = NULL
        WHERE
            d.lead_id = ANY(ids) AND d.occurred_at < until AND (d.user_id = of_user OR of_user IS NULL)
            AND d.outcome = 'failed' AND d.why IS NOT NULL
        RETURNING d.lead_id
    )

    SELECT array_agg(g.lead_id) INTO found FROM gone AS g;
    changed := changed || found;

    -- In the order in which consumers lock them.
    PERFORM
    FROM lead_protection.event_deliveries AS d
    WHERE d.event_id = ANY(event_ids) AND d.error IS NOT NULL
    ORDER BY d.consumer_name, d.sequence_number
    FOR UPDATE;
    WITH gone AS (
        UPDATE lead_protection.event_deliveries AS d
        SET error = NULL
        WHERE d.event_id = ANY(event_ids) AND d.error IS NOT NULL
        RETURNING d.lead_id
    )

    SELECT array_agg(g.lead_id) INTO found FROM gone AS g;
    changed := changed || found;

    -- A bulk request is of many leads: its reason goes with the first of them. Repeated, it is refused (LP020).
    WITH gone AS (
        UPDATE lead_protection.bulk_hold_requests AS r
        SET asked = r.asked - 'reason'
        WHERE
            r.asked ? 'reason' AND r.asked_at < until
            AND r.request_key IN (
                SELECT b.request_key
                FROM lead_protection.bulk_hold_results AS b
                WHERE b.lead_id = ANY(ids) AND (b.user_id = of_user OR of_user IS NULL)
            )
        RETURNING r.request_key
    )

    SELECT array_agg(l.lead_id) INTO found
    FROM (
        SELECT DISTINCT b.lead_id
        FROM gone AS g
        INNER JOIN lead_protection.bulk_hold_results AS b ON g.request_key = b.request_key
        WHERE b.lead_id = ANY(ids)
    ) AS l;
    changed := changed || found;

    -- Rows that were set aside: what still waits is tried again, and says anew why it cannot be followed.
    WITH gone AS (
        UPDATE lead_protection.adoption_queue AS q
        SET error = NULL, dismissed_because = CASE WHEN q.dismissed_at IS NOT NULL THEN erased END
        FROM lead_protection.leads AS l
        WHERE
            l.id = ANY(ids) AND q.lead_key = coalesce(l.lead_key, l.id::text)
            AND coalesce(q.dismissed_at, q.queued_at) < until AND (l.user_id = of_user OR of_user IS NULL)
            AND (q.error IS NOT NULL OR q.dismissed_because <> erased)
        RETURNING l.id
    )

    SELECT array_agg(g.id) INTO found FROM gone AS g;
    changed := changed || found;

    shown := ARRAY(
        SELECT s
        FROM lead_protection.read_leads(ARRAY(SELECT DISTINCT c FROM unnest(changed) AS c ORDER BY c), decided_at) AS s
    );
    PERFORM lead_protection.write_log(
        array_agg(
            lead_protection.log_entry(
                s.lead_id, s.user_id, 'lead.texts.erased', decided_at, erase_texts_of.actor_id, erase_texts_of.reason,
                s.state, s.protection_expires_at, s.state, s.protection_expires_at,
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'texts', (SELECT count(*) FROM unnest(changed) AS c WHERE c = s.lead_id),
                        'texts_of_user_id', of_user,
                        'texts_before', lead_protection.instant_text(erase_texts_of.before)
                    )
                )
            )
            ORDER BY s.lead_id
        )
    )
    FROM unnest(shown) AS s;
    RETURN QUERY
    SELECT c, count(*)
    FROM unnest(changed) AS c
    GROUP BY c
    ORDER BY c;
END;
$$;

COMMENT ON FUNCTION lead_protection.erase_texts_of(bigint[], bigint, timestamptz, text, bigint) IS
'Erases the texts of leads wherever they stand; user_id: those of the protections of that user, null: of all; before: '
'what was recorded before, null: all. Logs and publishes lead.texts.erased for each lead that had some. Returns these '
'leads, each with how many texts. Repeated: none. Internal: the caller has locked the leads.';
