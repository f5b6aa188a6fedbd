CREATE OR REPLACE FUNCTION lead_protection.export_log(
    lead_ids bigint[] DEFAULT NULL, seal bigint DEFAULT NULL, with_texts boolean DEFAULT false
)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    whole CONSTANT boolean := export_log.lead_ids IS NULL;
    as_of CONSTANT timestamptz := now();
    newest lead_protection.log_seals;
    exported bigint;
    earlier boolean := false;
BEGIN
    PERFORM lead_protection.require_leads_here(export_log.lead_ids);
    -- Also where the lead and its rows are gone, and only the leaves tell that there was one.
    SELECT u.lead_id INTO exported
    FROM unnest(export_log.lead_ids) AS u (lead_id)
    WHERE
        NOT EXISTS (SELECT FROM lead_protection.leads AS l WHERE l.id = u.lead_id)
        AND NOT EXISTS (SELECT FROM lead_protection.protection_log AS g WHERE g.lead_id = u.lead_id)
        AND NOT EXISTS (SELECT FROM lead_protection.log_leaves AS f WHERE f.lead_id = u.lead_id)
    LIMIT 1;
    IF FOUND THEN
        PERFORM lead_protection.require_lead(exported, as_of);
    END IF;
    IF export_log.seal IS NOT NULL THEN
        PERFORM lead_protection.seal_checkpoint(export_log.seal);
    END IF;
    SELECT s.* INTO newest
    FROM lead_protection.log_seals AS s
    WHERE export_log.seal IS NULL OR s.number = export_log.seal
    ORDER BY s.number DESC
    LIMIT 1;

    -- A line for the head, and one for each lead: whoever reads it need not have all of it in memory.
    RETURN NEXT left(
        (
            jsonb_build_object(
                'format', 'lead-protection export v1',
                'as_of', lead_protection.instant_text(as_of),
                'whole', whole,
                'seals', (
                    SELECT
                        coalesce(
                            jsonb_agg(
                                jsonb_build_array(
                                    s.number, lead_protection.instant_text(s.sealed_at), s.tree_size,
                                    encode(s.root, 'hex'), encode(s.previous, 'hex')
                                )
                                ORDER BY s.number
                            ),
                            '[]'
                        )
                    FROM lead_protection.log_seals AS s
                    WHERE s.number = newest.number OR (whole AND s.number <= newest.number)
                )
            )
            || lead_protection.exported_terms(
                CASE
                    WHEN NOT whole
                        THEN ARRAY(
                            SELECT l.policy_id
                            FROM lead_protection.leads AS l
                            WHERE l.id = ANY(export_log.lead_ids)
                            UNION
                            SELECT h.policy_id
                            FROM lead_protection.lead_history AS h
                            WHERE h.lead_id = ANY(export_log.lead_ids)
                        )
                END
            )
        )::text,
        -1
    ) || ', "leads": [';
    FOR exported IN
        SELECT DISTINCT u.lead_id FROM unnest(export_log.lead_ids) AS u (lead_id) WHERE NOT whole
        UNION
        SELECT l.id FROM lead_protection.leads AS l WHERE whole
        UNION
        SELECT g.lead_id FROM lead_protection.protection_log AS g WHERE whole
        UNION
        SELECT f.lead_id FROM lead_protection.log_leaves AS f WHERE whole
        ORDER BY 1
    LOOP
        RETURN NEXT CASE WHEN earlier THEN ',' ELSE '' END || lead_protection.exported_lead(
            exported, as_of, CASE WHEN NOT whole THEN newest.tree_size END, export_log.with_texts
        )::text;
        earlier := true;
    END LOOP;
    RETURN NEXT ']}';
END;
$$;

COMMENT ON FUNCTION lead_protection.export_log(bigint[], bigint, boolean) IS
'What verify.py checks without the database, as one JSON document, a line for each lead: the log of the leads, their '
'facts, the policies and calendars that these are under, what the view shows of them now, and the path of each log row '
'to a seal. lead_ids: which leads; null (the default): all, with every leaf of the tree and every seal in the place of '
'the paths. seal: to which seal; null (the default): the newest. with_texts: with the reasons and the evidence in the '
'log, which may name people; false (the default): with what stands for them in the hashes. Instants are text in UTC.
Errors: LP002 unknown lead, LP115 no such seal, LP135 a lead of the list has moved to another node.';
