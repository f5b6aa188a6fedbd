CREATE OR REPLACE VIEW lead_protection.v_kpi_adoption AS
SELECT
    a.source,
    a.kind,
    a.name,
    coalesce(q.waiting, 0) AS waiting,
    q.oldest_queued_at,
    q.error,
    (
        SELECT count(*) FROM lead_protection.adopted_tables() AS t
        WHERE t.adoption_id = a.id AND t.enabled
    ) AS triggers,
    a.backfilled_at,
    a.switched_on_at,
    coalesce(q.untried, 0) AS untried,
    least(q.oldest_untried_at, n.oldest_noted_at) AS oldest_untried_at,
    coalesce(n.noted, 0) AS noted,
    coalesce(q.dismissed, 0) AS dismissed
FROM lead_protection.adoptions AS a
LEFT JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE o.attempts > 0 AND o.dismissed_at IS NULL) AS waiting,
        min(o.queued_at) FILTER (WHERE o.attempts > 0 AND o.dismissed_at IS NULL) AS oldest_queued_at,
        (
            array_agg(o.error ORDER BY o.queued_at, o.lead_key)
            FILTER (WHERE o.attempts > 0 AND o.dismissed_at IS NULL)
        )[1] AS error,
        count(*) FILTER (WHERE o.attempts = 0) AS untried,
        min(o.queued_at) FILTER (WHERE o.attempts = 0) AS oldest_untried_at,
        count(*) FILTER (WHERE o.dismissed_at IS NOT NULL) AS dismissed
    FROM lead_protection.adoption_queue AS o
    WHERE o.adoption_id = a.id
) AS q ON true
LEFT JOIN LATERAL (
    SELECT
        count(*) AS noted,
        min(o.noted_at) AS oldest_noted_at
    FROM lead_protection.adoption_notes AS o
    WHERE o.adoption_id = a.id
) AS n ON true
WHERE a.disowned_at IS NULL;

COMMENT ON VIEW lead_protection.v_kpi_adoption IS
'The adopted tables, and what is out of step: rows that wait in adoption_queue, and triggers. What was written past '
'the triggers is here after the night: find_adoption_drift() reads every row.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.source IS 'The company''s table.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.kind IS 'leads, owners, activities or holds.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.waiting IS
'Rows that cannot be followed, and wait with the reason.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.oldest_queued_at IS 'Since when the first of them waits.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.error IS 'Why that one waits.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.triggers IS
'Our triggers on the table that are enabled; 4 are needed.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.backfilled_at IS
'When the last of the rows that were there was taken over; null: not yet.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.switched_on_at IS
'When reminders and expiries began; null: not yet, and the pipeline waits. For activities always null.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.name IS 'The adoption''s name.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.untried IS 'Rows in adoption_queue that were not tried yet.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.oldest_untried_at IS
'Since when the oldest of what was written and not tried yet waits: the lag of the queue.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.noted IS 'Statements that were noted and are not in adoption_queue '
'yet.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.dismissed IS 'Rows that were set aside, with dismiss_adopted_row().';
