-- A read-only transaction, too, keeps what has changed since from being cleared away. With the rights of the owner:
-- others see of a foreign session that it is there, and not since when.
CREATE OR REPLACE FUNCTION lead_protection.old_snapshots()
RETURNS TABLE (holder text, since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        format(
            'process %s of role %s (%s)', a.pid, coalesce(a.usename, 'unknown'),
            coalesce(nullif(a.application_name, ''), 'no application name')
        ) AS holder,
        a.xact_start AS since
    FROM pg_stat_activity AS a
    WHERE
        a.datname = current_database() AND a.xact_start IS NOT NULL
        AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
        AND a.pid <> pg_backend_pid() AND a.backend_type NOT IN ('autovacuum worker', 'parallel worker')
        -- There no session holds up the primary by itself.
        AND NOT pg_is_in_recovery()
    UNION ALL
    SELECT
        format('prepared transaction %s of role %s', p.gid, p.owner),
        p.prepared
    FROM pg_prepared_xacts AS p
    WHERE p.database = current_database();
END;

COMMENT ON FUNCTION lead_protection.old_snapshots() IS
'Who has a transaction open in this database that keeps rows from being cleared away, and since when it began, as far '
'as the owner of this schema may see (a superuser, or a member of pg_read_all_stats): its snapshot, or what it wrote. '
'On a standby no sessions. Not those of a replication slot, which has no such instant. Internal: health asks it.';
