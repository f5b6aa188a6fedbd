CREATE OR REPLACE VIEW lead_protection.v_kpi_adoption AS
SELECT
    a.source,
    a.kind,
    a.on_failure,
    coalesce(q.waiting, 0) AS waiting,
    q.oldest_queued_at,
    q.error,
    (
        SELECT count(*) FROM lead_protection.adopted_tables() AS t
        WHERE t.adoption_id = a.id AND t.enabled
    ) AS triggers,
    a.backfilled_at,
    a.switched_on_at
FROM lead_protection.adoptions AS a
LEFT JOIN LATERAL (
    SELECT
        count(*) AS waiting,
        min(o.queued_at) AS oldest_queued_at,
        (array_agg(o.error ORDER BY o.queued_at, o.lead_id))[1] AS error
    FROM lead_protection.adoption_queue AS o
    WHERE o.adoption_id = a.id
) AS q ON true
WHERE a.disowned_at IS NULL;

COMMENT ON VIEW lead_protection.v_kpi_adoption IS
'The adopted tables, and what is out of step: rows that wait in adoption_queue, and triggers. What was written past '
'the triggers is here after the night: find_adoption_drift() reads every row.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.source IS 'The company''s table.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.kind IS 'leads or activities.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.on_failure IS
'What becomes of a write that cannot be followed: block or queue.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.waiting IS 'Rows that wait in adoption_queue.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.oldest_queued_at IS 'Since when the first of them waits.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.error IS 'Why that one waits.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.triggers IS
'Our triggers on the table that are enabled; 4 are needed.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.backfilled_at IS
'When the last of the rows that were there was taken over; null: not yet.';
COMMENT ON COLUMN lead_protection.v_kpi_adoption.switched_on_at IS
'When reminders and expiries began; null: not yet, and the pipeline waits. For activities always null.';
