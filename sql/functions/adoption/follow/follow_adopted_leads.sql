CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_leads(
    adoption lead_protection.adoptions, row_keys text[], backfill boolean
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    rows_now lead_protection.adopted_row [];
    news lead_protection.row_news [];
    unknown lead_protection.adopted_row [];
    known_ids bigint [];
    steps lead_protection.lead_step [];
    open_ids bigint [];
BEGIN
    -- In one statement, so that both are of one moment: a row that is older than the notes on it would be taken for
    -- what was written last.
    SELECT
        ARRAY(
            SELECT r FROM lead_protection.read_adopted_rows(
                follow_adopted_leads.adoption, follow_adopted_leads.row_keys
            ) AS r
        ),
        ARRAY(
            SELECT w FROM lead_protection.waiting_news(
                follow_adopted_leads.adoption, follow_adopted_leads.row_keys
            ) AS w
        )
    INTO rows_now, news;
    news := lead_protection.name_nobody(follow_adopted_leads.adoption, news);
    PERFORM lead_protection.number_adopted_users(
        follow_adopted_leads.adoption.user_type,
        ARRAY(
            SELECT r.user_key FROM unnest(rows_now) AS r
            UNION
            SELECT unnest(ARRAY[n.said, n.said_before])
            FROM unnest(news) AS w
            CROSS JOIN LATERAL unnest(w.news) AS n
        )
    );
    PERFORM lead_protection.require_adopted_instant(follow_adopted_leads.adoption, r)
    FROM unnest(rows_now) AS r
    WHERE r.started_at IS NULL OR NOT r.started_at >= '1900-01-01 00:00:00+00'
        OR NOT r.started_at < '3000-01-01 00:00:00+00';
    PERFORM lead_protection.claim_leads(follow_adopted_leads.adoption, rows_now);

    unknown := ARRAY(
        SELECT r
        FROM unnest(rows_now) AS r
        LEFT JOIN lead_protection.known_leads(follow_adopted_leads.adoption, follow_adopted_leads.row_keys) AS k
            ON r.row_key = k.row_key
        WHERE k.lead_id IS NULL
    );
    IF
        cardinality(unknown) > 0
        AND cardinality(unknown) > cardinality(
            lead_protection.take_new_leads(
                follow_adopted_leads.adoption, unknown, news, follow_adopted_leads.backfill
            )
        )
    THEN
        -- Another session took some of them: what this one has read may be older.
        PERFORM lead_protection.lock_leads(
            ARRAY(
                SELECT k.lead_id FROM lead_protection.known_leads(
                    follow_adopted_leads.adoption, follow_adopted_leads.row_keys
                ) AS k
            ), follow_first => false
        );
        PERFORM lead_protection.follow_adopted_leads(
            follow_adopted_leads.adoption, follow_adopted_leads.row_keys, follow_adopted_leads.backfill
        );
        RETURN;
    END IF;

    known_ids := ARRAY(
        SELECT k.lead_id
        FROM lead_protection.known_leads(follow_adopted_leads.adoption, follow_adopted_leads.row_keys) AS k
    );
    steps := ARRAY(
        SELECT s
        FROM lead_protection.plan_lead_steps(follow_adopted_leads.adoption, known_ids, rows_now, news) AS s
    );
    open_ids := ARRAY(
        SELECT l.id FROM lead_protection.leads AS l WHERE l.id = ANY(known_ids) AND l.closed_at IS NULL
        UNION
        SELECT s.lead_id FROM unnest(steps) AS s WHERE s.kind = 'opened'
    );
    FOR place IN 1..coalesce((SELECT max(s.nth) FROM unnest(steps) AS s), 0) LOOP
        PERFORM lead_protection.take_lead_steps(
            follow_adopted_leads.adoption, ARRAY(SELECT s FROM unnest(steps) AS s WHERE s.nth = place)
        );
    END LOOP;
    PERFORM lead_protection.remember_adopted_leads(follow_adopted_leads.adoption, known_ids, open_ids, rows_now, news);
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adopted_leads(lead_protection.adoptions, text[], boolean) IS
'Brings these leads into step with the adopted table as it is now: new rows become leads, of others what changed is '
'done, at the instants that were noted, and a row that is gone is a deleted lead. backfill true: the rows were there '
'before the table was adopted. Repeated: nothing changes. Errors: LP046 the lead is there and is another one, LP049 no '
'start, LP005 start outside the years 1900 to 2999, LP010 start in the future, LP017, LP019 no policy. Internal: the '
'caller has locked the leads.';
