CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_rows(
    adoption lead_protection.adoptions, row_keys text[], lead_keys text[], backfill boolean DEFAULT false
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A plan must not be one for the empty tables that the statistics may speak of.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    -- As far as it had come before the rows were read: what is noted later must wait.
    waited lead_protection.adoption_queue [] := ARRAY(
        SELECT q
        FROM unnest(follow_adopted_rows.row_keys, follow_adopted_rows.lead_keys) AS u (row_key, lead_key)
        INNER JOIN lead_protection.adoption_queue AS q
            ON u.lead_key = q.lead_key AND u.row_key = q.row_key AND q.adoption_id = follow_adopted_rows.adoption.id
    );
BEGIN
    PERFORM lead_protection.require_readable_source(follow_adopted_rows.adoption);
    CASE
        WHEN '*' = ANY(follow_adopted_rows.lead_keys) THEN
            PERFORM lead_protection.queue_adoption_drift(NULL, follow_adopted_rows.adoption.id);
        WHEN follow_adopted_rows.adoption.kind = 'leads' THEN
            PERFORM lead_protection.follow_adopted_leads(
                follow_adopted_rows.adoption, follow_adopted_rows.row_keys, follow_adopted_rows.backfill
            );
        WHEN follow_adopted_rows.adoption.kind = 'activities' THEN
            PERFORM lead_protection.follow_adopted_activities(
                follow_adopted_rows.adoption, follow_adopted_rows.row_keys, follow_adopted_rows.lead_keys,
                follow_adopted_rows.backfill
            );
        ELSE
            PERFORM lead_protection.follow_adopted_holds(
                follow_adopted_rows.adoption, follow_adopted_rows.row_keys, follow_adopted_rows.lead_keys,
                follow_adopted_rows.backfill
            );
    END CASE;

    DELETE FROM lead_protection.adoption_queue AS q
    WHERE (q.lead_key, q.adoption_id, q.row_key) IN (
        SELECT o.lead_key, o.adoption_id, o.row_key
        FROM unnest(waited) AS w
        INNER JOIN lead_protection.adoption_queue AS o
            ON w.lead_key = o.lead_key AND w.adoption_id = o.adoption_id AND w.row_key = o.row_key
        WHERE o.news IS NOT DISTINCT FROM w.news
        -- Whoever has it finds nothing left to do.
        FOR UPDATE OF o SKIP LOCKED
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adopted_rows(lead_protection.adoptions, text[], text[], boolean) IS
'Brings these rows of an adopted table into step, by their keys and those of their leads, and takes them out of '
'adoption_queue; *: looks for all rows of the table that are out of step, and puts them there. backfill true: they '
'were there before the table was adopted; of rows that wait it is known. All or none. Internal: the caller has locked '
'the leads.';
