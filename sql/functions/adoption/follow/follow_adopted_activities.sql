CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_activities(
    adoption lead_protection.adoptions, row_keys text[], lead_keys text[], backfill boolean
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    decided_at CONSTANT timestamptz := clock_timestamp();
    reason CONSTANT text := format('as in %s', follow_adopted_activities.adoption.source);
    rows_now lead_protection.adopted_row [];
    lead_ids bigint [];
    before lead_protection.v_user_lead_protection [];
    facts lead_protection.lead_activities [];
    made lead_protection.lead_activities [];
BEGIN
    rows_now := ARRAY(
        SELECT r
        FROM lead_protection.read_adopted_rows(
            follow_adopted_activities.adoption, follow_adopted_activities.row_keys
        ) AS r
    );
    PERFORM lead_protection.number_adopted_users(
        follow_adopted_activities.adoption.user_type, ARRAY(SELECT DISTINCT r.user_key FROM unnest(rows_now) AS r)
    );
    lead_ids := lead_protection.lead_ids_of(
        follow_adopted_activities.adoption, follow_adopted_activities.lead_keys, rows_now
    );
    PERFORM
        lead_protection.require_adopted_instant(follow_adopted_activities.adoption, r),
        lead_protection.require_known_kind(r.label),
        lead_protection.require_adopted_user(follow_adopted_activities.adoption, r)
    FROM unnest(rows_now) AS r;
    before := ARRAY(SELECT b FROM lead_protection.read_leads(lead_ids, decided_at) AS b);

    -- As the rows say; deleted_at: what is there and said no more.
    facts := ARRAY(
        SELECT jsonb_populate_record(
            a, jsonb_build_object(
                'lead_id', u.lead_id,
                'activity_key', k.activity_key,
                'user_id', coalesce(
                    lead_protection.adopted_user_id(follow_adopted_activities.adoption.user_type, r.user_key), a.user_id
                ),
                'kind', coalesce(r.label, a.kind),
                'occurred_at', coalesce(r.started_at, a.occurred_at),
                'deleted_at', CASE WHEN r.row_key IS NULL THEN decided_at END,
                'recorded_by', CASE WHEN a.id IS NULL THEN follow_adopted_activities.adoption.actor_id ELSE a.recorded_by END,
                -- Null: what was there before is no news.
                'recorded_at', CASE
                    WHEN a.id IS NOT NULL THEN a.recorded_at
                    WHEN NOT (follow_adopted_activities.backfill OR coalesce(q.backfill, false)) THEN decided_at
                END
            )
        )::lead_protection.lead_activities
        FROM unnest(
            follow_adopted_activities.row_keys, follow_adopted_activities.lead_keys, lead_ids
        ) AS u (row_key, lead_key, lead_id)
        CROSS JOIN LATERAL (
            SELECT lead_protection.adopted_activity_key(follow_adopted_activities.adoption.id, u.row_key) AS activity_key
        ) AS k
        LEFT JOIN unnest(rows_now) AS r ON u.row_key = r.row_key AND u.lead_key = r.lead_key
        LEFT JOIN lead_protection.lead_activities AS a ON u.lead_id = a.lead_id AND k.activity_key = a.activity_key
        LEFT JOIN lead_protection.adoption_queue AS q
            ON u.lead_key = q.lead_key AND u.row_key = q.row_key AND q.adoption_id = follow_adopted_activities.adoption.id
        WHERE CASE
            WHEN r.row_key IS NULL THEN a.id IS NOT NULL AND a.deleted_at IS NULL
            ELSE
                a.id IS NULL OR a.deleted_at IS NOT NULL OR a.kind <> r.label
                OR a.user_id IS DISTINCT FROM lead_protection.adopted_user_id(
                    follow_adopted_activities.adoption.user_type, r.user_key
                )
                OR NOT lead_protection.is_instant_of_activity(a, r.started_at)
        END
    );

    WITH made_now AS (
        INSERT INTO lead_protection.lead_activities AS a (
            lead_id, user_id, kind, occurred_at, activity_key, recorded_by, recorded_at
        )
        SELECT f.lead_id, f.user_id, f.kind, f.occurred_at, f.activity_key, f.recorded_by, coalesce(f.recorded_at, decided_at)
        FROM unnest(facts) AS f
        WHERE f.id IS NULL
        ON CONFLICT ON CONSTRAINT lead_activities_key_once DO NOTHING
        RETURNING a AS activity
    )

    SELECT array_agg(m.activity) INTO made
    FROM made_now AS m
    INNER JOIN unnest(facts) AS f
        ON (m.activity).lead_id = f.lead_id AND (m.activity).activity_key = f.activity_key
    WHERE f.recorded_at IS NOT NULL;
    PERFORM lead_protection.log_activity_changes(
        follow_adopted_activities.adoption, NULL, 'lead.activity.recorded', before, decided_at, made, made
    );

    made := ARRAY(SELECT a FROM lead_protection.lead_activities AS a INNER JOIN unnest(facts) AS f ON a.id = f.id);
    UPDATE lead_protection.lead_activities AS a
    SET
        user_id = f.user_id,
        kind = f.kind,
        occurred_at = f.occurred_at,
        -- For callers a key stays used, and with its user; a table of the company's own may change its mind.
        deleted_at = f.deleted_at,
        corrected_at = CASE WHEN f.deleted_at IS NULL THEN decided_at ELSE a.corrected_at END
    FROM unnest(facts) AS f
    WHERE a.id = f.id;
    PERFORM lead_protection.log_activity_changes(
        follow_adopted_activities.adoption, reason, t.event_type, before, decided_at,
        ARRAY(SELECT m FROM unnest(made) AS m),
        ARRAY(SELECT f FROM unnest(facts) AS f WHERE f.id IS NOT NULL AND (f.deleted_at IS NULL) = t.is_left)
    )
    FROM (VALUES ('lead.activity.corrected', true), ('lead.activity.deleted', false)) AS t (event_type, is_left);
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adopted_activities(
    lead_protection.adoptions, text[], text[], boolean
) IS
'Brings these rows into step with the adopted table as it is now: recorded, corrected or deleted, as by '
'record_lead_activity() and its like. lead_keys: the leads that the rows are, or were, about; backfill true: rows that '
'are not known yet are recorded without log row or event. Repeated: nothing changes. Errors: LP002 unknown lead, '
'LP005, LP010, LP021 unknown kind, LP049 no user or instant. Internal: the caller has locked the leads.';
