-- Joined to one row, so that there is one before the first seal, too; the linter takes it for needless.
-- noqa: disable=ST11
CREATE OR REPLACE VIEW lead_protection.v_kpi_seals AS
SELECT
    newest.number AS seal,
    newest.sealed_at,
    newest.tree_size,
    encode(newest.root, 'hex') AS root,
    (
        SELECT min(coalesce(g.chained_at, g.recorded_at))
        FROM lead_protection.protection_log AS g
        WHERE
            g.log_number IS NOT NULL AND g.transaction_id >= coalesce(newest.horizon, '0'::xid8)
            AND NOT EXISTS (
                SELECT FROM lead_protection.log_leaves AS f
                WHERE f.lead_id = g.lead_id AND f.log_number = g.log_number
            )
    ) AS unsealed_since
FROM (VALUES (true)) AS always (there)
LEFT JOIN (
    SELECT
        s.number,
        s.sealed_at,
        s.tree_size,
        s.root,
        s.horizon
    FROM lead_protection.log_seals AS s
    ORDER BY s.number DESC
    LIMIT 1
) AS newest ON true;

COMMENT ON VIEW lead_protection.v_kpi_seals IS
'The newest seal of the log, and what is not sealed yet. One row; before the first seal its columns are null.';
COMMENT ON COLUMN lead_protection.v_kpi_seals.seal IS 'The number of the newest seal.';
COMMENT ON COLUMN lead_protection.v_kpi_seals.sealed_at IS 'When it was made.';
COMMENT ON COLUMN lead_protection.v_kpi_seals.tree_size IS 'How many log rows it covers.';
COMMENT ON COLUMN lead_protection.v_kpi_seals.root IS 'Its root, in hexadecimal digits.';
COMMENT ON COLUMN lead_protection.v_kpi_seals.unsealed_since IS
'When the oldest log row that is not sealed was written, or was chained by an upgrade; null: all are sealed.';
