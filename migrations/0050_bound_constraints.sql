-- Constraints whose operators were looked up in the path of whoever applied them, and not in pg_catalog.
-- depends: 0037_job_progress

SET LOCAL search_path = pg_catalog, pg_temp;

-- One that is bound to pg_catalog depends on nothing that pg_depend has, and stays: to make it anew would read the
-- table
-- under a strong lock.
DO $bound$
DECLARE
    remade record;
BEGIN
    FOR remade IN
        SELECT k.conname, k.conrelid::regclass AS name_of_table, c.condition
        FROM (
            VALUES
            ('lead_protection.lead_holds', 'lead_holds_reason_not_blank', 'reason ~ ''[^[:space:]]'''),
            ('lead_protection.lead_extensions', 'lead_extensions_reason_not_blank', 'reason ~ ''[^[:space:]]'''),
            (
                'lead_protection.event_consumers', 'event_consumers_types_named',
                'cardinality(types) >= 1 AND array_position(types, NULL) IS NULL'
            )
        ) AS c (name_of_table, conname, condition)
        INNER JOIN pg_constraint AS k ON k.conrelid = to_regclass(c.name_of_table) AND k.conname = c.conname
        WHERE EXISTS (
            SELECT
            FROM pg_depend AS d
            WHERE
                d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
                AND d.refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass)
        )
    LOOP
        EXECUTE format(
            'ALTER TABLE %1$s DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I CHECK (%3$s)',
            remade.name_of_table, remade.conname, remade.condition
        );
    END LOOP;
END
$bound$;
