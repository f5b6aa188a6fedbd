CREATE OR REPLACE FUNCTION lead_protection.sync_adopted_activities(
    adoption lead_protection.adoptions, row_keys text[], lead_ids bigint[], backfill boolean
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reason CONSTANT text := format('as in %s', sync_adopted_activities.adoption.source);
    changed record;
    activity lead_protection.lead_activities;
    before lead_protection.v_user_lead_protection;
    decided_at timestamptz;
BEGIN
    PERFORM lead_protection.number_adopted_users(
        sync_adopted_activities.adoption.source, sync_adopted_activities.adoption.user_expression,
        format(
            's.%s = ANY($1::%s[])', sync_adopted_activities.adoption.key_column,
            sync_adopted_activities.adoption.key_type
        ),
        sync_adopted_activities.row_keys
    );
    PERFORM lead_protection.lock_leads(sync_adopted_activities.lead_ids);
    PERFORM
        lead_protection.require_adoptable_row(sync_adopted_activities.adoption, r.row_key, r.user_id, r.occurred_at),
        lead_protection.require_known_kind(r.kind),
        CASE WHEN l.id IS NULL THEN lead_protection.require_lead(r.lead_id, now()) END
    FROM lead_protection.adopted_rows(sync_adopted_activities.adoption, sync_adopted_activities.row_keys) AS r
    LEFT JOIN lead_protection.leads AS l ON r.lead_id = l.id;

    IF sync_adopted_activities.backfill THEN
        -- What took place before the table was adopted is history: it counts, and is no news to anybody.
        INSERT INTO lead_protection.lead_activities (
            lead_id, user_id, kind, occurred_at, activity_key, recorded_by
        )
        SELECT
            r.lead_id, r.user_id, r.kind, r.occurred_at,
            lead_protection.adopted_activity_key(sync_adopted_activities.adoption.id, r.row_key),
            sync_adopted_activities.adoption.actor_id
        FROM lead_protection.adopted_rows(sync_adopted_activities.adoption, sync_adopted_activities.row_keys) AS r
        ON CONFLICT ON CONSTRAINT lead_activities_key_once DO NOTHING;
    END IF;

    FOR changed IN
        SELECT
            was.lead_id,
            lead_protection.adopted_activity_key(sync_adopted_activities.adoption.id, was.row_key) AS activity_key,
            a AS activity,
            r.lead_id IS NULL AS gone,
            r.user_id,
            r.kind,
            r.occurred_at
        FROM (
            SELECT u.row_key, u.lead_id
            FROM unnest(sync_adopted_activities.row_keys, sync_adopted_activities.lead_ids) AS u (row_key, lead_id)
            UNION
            SELECT n.row_key, n.lead_id
            FROM lead_protection.adopted_rows(sync_adopted_activities.adoption, sync_adopted_activities.row_keys) AS n
        ) AS was
        LEFT JOIN lead_protection.lead_activities AS a
            ON was.lead_id = a.lead_id
            AND lead_protection.adopted_activity_key(sync_adopted_activities.adoption.id, was.row_key) = a.activity_key
        LEFT JOIN lead_protection.adopted_rows(sync_adopted_activities.adoption, sync_adopted_activities.row_keys) AS r
            ON was.row_key = r.row_key AND was.lead_id = r.lead_id
        WHERE
            was.lead_id IS NOT NULL
            AND CASE
                WHEN r.lead_id IS NULL THEN a.id IS NOT NULL AND a.deleted_at IS NULL
                ELSE
                    a.id IS NULL OR a.deleted_at IS NOT NULL OR a.user_id <> r.user_id OR a.kind <> r.kind
                    OR NOT lead_protection.is_instant_of_activity(a, r.occurred_at)
            END
        ORDER BY was.lead_id, r.occurred_at, was.row_key
    LOOP
        activity := changed.activity;
        IF changed.gone THEN
            PERFORM lead_protection.delete_lead_activity(
                changed.lead_id, changed.activity_key, reason, sync_adopted_activities.adoption.actor_id
            );
        ELSIF activity.id IS NULL THEN
            PERFORM lead_protection.record_lead_activity(
                changed.lead_id, changed.user_id, changed.kind, changed.occurred_at, changed.activity_key,
                sync_adopted_activities.adoption.actor_id
            );
        ELSE
            IF activity.deleted_at IS NOT NULL OR activity.user_id <> changed.user_id THEN
                -- For callers a key stays used, and with its user; a table of the company's own may change its mind.
                decided_at := clock_timestamp();
                before := lead_protection.read_lead(changed.lead_id, decided_at);
                UPDATE lead_protection.lead_activities AS a
                SET user_id = changed.user_id, deleted_at = NULL, corrected_at = decided_at
                WHERE a.id = activity.id;
                PERFORM lead_protection.log_lead_change(
                    'lead.activity.corrected', before, lead_protection.read_lead(changed.lead_id, decided_at),
                    decided_at, sync_adopted_activities.adoption.actor_id, reason,
                    jsonb_build_object(
                        'activity_id', activity.id, 'activity_key', activity.activity_key,
                        'activity_user_id', changed.user_id, 'kind_before', activity.kind, 'kind', activity.kind,
                        'activity_occurred_at_before', lead_protection.instant_text(activity.occurred_at),
                        'activity_occurred_at', lead_protection.instant_text(activity.occurred_at)
                    )
                );
            END IF;
            PERFORM lead_protection.correct_lead_activity(
                changed.lead_id, changed.activity_key, changed.kind, changed.occurred_at, reason,
                sync_adopted_activities.adoption.actor_id
            );
        END IF;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.sync_adopted_activities(
    lead_protection.adoptions, text[], bigint[], boolean
) IS
'Brings these rows into step with the adopted table as it is now: recorded, corrected or deleted, as '
'record_lead_activity() and its like do. lead_ids: the leads that the rows are, or were, about; backfill true: rows '
'that are not known yet are recorded without log row or event. Repeated: nothing changes. Errors: LP002 unknown lead, '
'LP005, LP010, LP021 unknown kind, LP049 no user or instant. Internal.';
