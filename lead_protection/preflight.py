"""What a database and its server lack for Lead Protection to run, and the command that gets each.

Everything is read as the role that asks. Where PostgreSQL does not show it something, that is said.
"""

import psycopg

from lead_protection.database import describe_error, one_row
from lead_protection.installer import NEWEST_SERVER, OLDEST_SERVER, State

GROUP_ROLES = (
    "lead_protection_app",
    "lead_protection_operator",
    "lead_protection_monitor",
    "lead_protection_jobs",
    "lead_protection_consumer",
)
OK, MISSING, UNKNOWN, NOTE = "ok", "missing", "unknown", "note"


class Preflight:
    """The findings about one database and the one that pg_cron lives in, which may be the same."""

    def __init__(self, connection: psycopg.Connection, cron: psycopg.Connection, state: State):
        """Look at `connection`'s database; `cron` leads to the one that pg_cron may be in."""
        self.db, self.cron, self.state = connection, cron, state
        self.findings: list[tuple[str, str, str, list[str]]] = []
        self.role, self.dbname, self.quoted_dbname = one_row(
            connection,
            "SELECT pg_catalog.quote_ident(CURRENT_USER), pg_catalog.current_database(),"
            " pg_catalog.quote_ident(pg_catalog.current_database())",
        )
        (self.cron_role,) = one_row(cron, "SELECT pg_catalog.quote_ident(CURRENT_USER)")

    def add(self, outcome: str, topic: str, seen: str, *remedy: str) -> None:
        """Note a finding: ok, missing, unknown or note; what was seen; the lines that tell what to do."""
        self.findings.append((outcome, topic, seen, list(remedy)))

    def look(self) -> None:
        """Look at everything, in the order in which a DBA would put it right."""
        self._look_at_server()
        self._look_at_group_roles()
        self._look_at_owner()
        self._look_at_reader()
        self._look_at_indexes()
        self._look_at_code_of_others()
        if self._look_at_pg_cron() and self._may_look_into_cron():
            self._look_at_orphaned_jobs()
            self._look_at_doubled_jobs()
            self._look_at_job_roles()
            self._look_at_jobs()
            self._look_at_last_run()
            self._look_at_background_workers()

    def _look_at_server(self) -> None:
        (version,) = one_row(self.db, "SELECT pg_catalog.current_setting('server_version_num')::integer / 10000")
        if version < OLDEST_SERVER:
            self.add(MISSING, "server", f"PostgreSQL {version}", f"{OLDEST_SERVER} or newer is needed.")
        elif version > NEWEST_SERVER:
            self.add(NOTE, "server", f"PostgreSQL {version}: newer than any that this version was tested with")
        else:
            self.add(OK, "server", f"PostgreSQL {version}")

    def _look_at_group_roles(self) -> None:
        rows = self.db.execute(
            """
            SELECT w.name, r.oid IS NOT NULL, n.oid IS NULL OR pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
            FROM unnest(%s::text[]) WITH ORDINALITY AS w (name, position)
            LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = w.name
            LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'lead_protection'
            ORDER BY w.position
            """,
            [list(GROUP_ROLES)],
        ).fetchall()
        missing = [name for name, there, _ in rows if not there]
        without_rights = [name for name, there, has_rights in rows if there and not has_rights]
        (may_make,) = one_row(
            self.db, "SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER"
        )
        if missing and may_make and not self.state.applied:
            self.add(OK, "group roles", f"apply will make {', '.join(missing)}")
        elif missing:
            self.add(
                MISSING,
                "group roles",
                ", ".join(missing),
                "By a role with CREATEROLE, then run apply (again), which gives them their rights:",
                *(f"  CREATE ROLE {name} NOLOGIN;" for name in missing),
            )
        if without_rights:
            self.add(
                MISSING,
                "group roles",
                f"{', '.join(without_rights)}: made after the last apply, and without rights",
                "  lead-protection apply",
            )
        if not missing and not without_rights:
            self.add(OK, "group roles", f"all {len(rows)} are there")

    def _look_at_owner(self) -> None:
        owner, ours, may_create = one_row(
            self.db,
            """
            SELECT pg_catalog.pg_get_userbyid(n.nspowner), pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
                pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
            FROM (VALUES (1)) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'lead_protection'
            """,
        )
        if ours:
            self.add(OK, "owner", f"schema lead_protection is {owner}'s; {self.role} may apply")
        elif owner is not None:
            self.add(NOTE, "owner", f"schema lead_protection is {owner}'s; {self.role} may not apply")
        elif may_create:
            self.add(OK, "owner", f"{self.role} may make the schema")
        else:
            self.add(
                MISSING,
                "owner",
                f"{self.role} may make no schema in this database",
                "By a superuser, one of:",
                "  lead-protection sql --roles >roles.sql, and run it as it says",
                f"  GRANT CREATE ON DATABASE {self.quoted_dbname} TO {self.role};",
            )

    def _look_at_reader(self) -> None:
        found = self.db.execute(
            """
            SELECT
                pg_catalog.pg_get_userbyid(p.proowner),
                pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(n.nspowner)),
                p.proowner = n.nspowner
            FROM pg_catalog.pg_proc AS p
            INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
            WHERE n.nspname = 'lead_protection' AND p.proname = 'run_adopted_sql'
            """
        ).fetchone()
        if not found:
            return
        reader, owner, is_owner = found
        if is_owner:
            self.add(
                NOTE,
                "reader",
                f"SQL of adopted tables runs with the rights of {owner}, who owns our schema",
                "By a superuser, and then run apply again:",
                "  CREATE ROLE lead_protection_reader NOLOGIN;   -- unless it is there",
                f"  GRANT lead_protection_reader TO {owner};",
            )
        else:
            self.add(OK, "reader", f"SQL of adopted tables runs as {reader}, which may read them and nothing else")

    def _look_at_indexes(self) -> None:
        for index in self.state.invalid_indexes:
            self.add(
                MISSING,
                "index",
                f"{index.name} is INVALID: its build was interrupted",
                "  lead-protection apply",
                f"which runs: {index.repair};",
            )

    def _look_at_code_of_others(self) -> None:
        """Look for what of ours is built on a function, an operator or a type of somebody else's."""
        # What is pinned, PostgreSQL's own, is not in pg_depend at all.
        rows = self.db.execute(
            """
            SELECT DISTINCT
                CASE d.classid
                    WHEN 'pg_attrdef'::regclass THEN pg_describe_object('pg_class'::regclass, a.adrelid, a.adnum)
                    ELSE pg_describe_object(d.classid, d.objid, d.objsubid)
                END,
                pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
            FROM pg_namespace AS n
            CROSS JOIN pg_depend AS d
            LEFT JOIN pg_attrdef AS a ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
            LEFT JOIN pg_rewrite AS w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
            LEFT JOIN pg_trigger AS t ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
            LEFT JOIN pg_policy AS p ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
            LEFT JOIN pg_constraint AS k ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
            LEFT JOIN pg_proc AS f ON d.classid = 'pg_proc'::regclass AND d.objid = f.oid
            LEFT JOIN pg_type AS y ON d.classid = 'pg_type'::regclass AND d.objid = y.oid
            LEFT JOIN pg_class AS c ON c.oid = coalesce(
                a.adrelid, w.ev_class, t.tgrelid, p.polrelid,
                CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid END
            )
            WHERE
                n.nspname = 'lead_protection'
                AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
                AND n.oid IN (c.relnamespace, k.connamespace, f.pronamespace, y.typnamespace)
                AND d.deptype <> 'e'
                AND NOT EXISTS (
                    SELECT
                    FROM pg_proc AS o WHERE d.refclassid = 'pg_proc'::regclass AND o.oid = d.refobjid
                        AND o.pronamespace = n.oid
                    UNION ALL
                    SELECT
                    FROM pg_type AS o WHERE d.refclassid = 'pg_type'::regclass AND o.oid = d.refobjid
                        AND o.typnamespace = n.oid
                )
            ORDER BY 1, 2
            """
        ).fetchall()
        if rows:
            self.add(
                MISSING,
                "code",
                "objects of ours are built on code outside pg_catalog and our schema; it runs with the owner's rights",
                *(f"  {ours} uses {theirs}" for ours, theirs in rows),
                "Find out who made it and why. What an older version built in, this one makes anew:",
                "  lead-protection apply",
            )

    def _look_at_pg_cron(self) -> bool:
        """Return whether pg_cron's tables are where `cron` leads to."""
        version = _extension_version(self.cron)
        if version is not None:
            self.add(OK, "pg_cron", f"version {version}, in database {self.cron.info.dbname}")
            return True
        (available,) = one_row(
            self.cron, "SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pg_cron')"
        )
        home, loaded = self._cron_home()
        here = self.cron.info.dbname
        if not available:
            self.add(
                MISSING,
                "pg_cron",
                "is not installed on this server",
                "Have it installed (Debian: postgresql-NN-cron), or let any other scheduler run the commands of",
                "lead_protection.job_definitions.",
            )
        elif not loaded:
            self.add(
                MISSING,
                "pg_cron",
                "is installed on this server, but not loaded",
                "In postgresql.conf, then restart the server:",
                "  shared_preload_libraries = 'pg_cron'",
                f"  cron.database_name = '{here}'",
                f"and as a superuser, in database {here}: CREATE EXTENSION pg_cron;",
            )
        elif home == here:
            self.add(
                MISSING,
                "pg_cron",
                f"is loaded for database {here}, where the extension was not made",
                "  CREATE EXTENSION pg_cron;   -- by a superuser",
            )
        elif home is not None:
            self.add(
                MISSING if self.cron is not self.db else NOTE,
                "pg_cron",
                f"lives in database {home}, not in {here}",
                f"  lead-protection status --cron-database {home}",
                f"  lead-protection schedule --cron-database {home}",
            )
        else:
            self.add(
                UNKNOWN,
                "pg_cron",
                f"is not in database {here}; where it lives is not shown to {self.cron_role}",
                "Ask a superuser, or try the usual place:",
                "  SHOW cron.database_name;   -- by a superuser, or a member of pg_read_all_settings",
                "  lead-protection status --cron-database postgres",
            )
        return False

    def _may_look_into_cron(self) -> bool:
        """Return whether the role that asks may read pg_cron's tables at all."""
        may = one_row(self.cron, "SELECT pg_catalog.has_schema_privilege('cron', 'USAGE')") == (True,)
        if not may:
            here = self.cron.info.dbname
            self.add(
                UNKNOWN,
                "jobs",
                f"{self.cron_role} may not look into schema cron",
                f"  lead-protection status --cron-database URL   -- of database {here}, as the job role",
                f"  GRANT USAGE ON SCHEMA cron TO {self.cron_role};   -- by a superuser, in database {here}",
            )
        return may

    def _cron_home(self) -> tuple[str | None, bool]:
        """Return the database that pg_cron lives in and whether it is loaded; None for what is not shown."""
        # Only a setting of a loaded library is listed; that of a configuration file alone is not.
        row = self.cron.execute(
            "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'cron.database_name'"
        ).fetchone()
        if row:
            return row[0], True
        try:
            self.cron.execute("SELECT pg_catalog.current_setting('cron.database_name', true)")
        except psycopg.errors.InsufficientPrivilege:  # there is such a setting, but not for everybody's eyes
            return None, True
        return None, False

    def _look_at_orphaned_jobs(self) -> None:
        """Look for jobs, anybody's, whose role was dropped: pg_cron 1.4 stops at the first, for all databases."""
        rows = self.cron.execute(
            "SELECT jobid, coalesce(jobname, command), username FROM cron.job"
            " WHERE username NOT IN (SELECT rolname FROM pg_roles) ORDER BY jobid"
        ).fetchall()
        for jobid, name, user in rows:
            self.add(
                MISSING,
                "jobs",
                f"job {jobid} ({name}) belongs to role {user}, which is gone",
                "pg_cron 1.4 runs no job at all any more, not even after a restart. By a superuser, in database"
                f" {self.cron.info.dbname}, then restart the server:",
                "  DELETE FROM cron.job WHERE username NOT IN (SELECT rolname FROM pg_roles);",
            )

    def _look_at_doubled_jobs(self) -> None:
        """Look for jobs of this database that two roles have scheduled."""
        rows = self.cron.execute(
            "SELECT jobname, string_agg(username, ', ' ORDER BY username) FROM cron.job"
            " WHERE database = %s AND active AND command LIKE 'CALL lead\\_protection.%%'"
            " GROUP BY jobname HAVING count(*) > 1 ORDER BY jobname",
            [self.dbname],
        ).fetchall()
        for name, users in rows:
            self.add(
                MISSING,
                "jobs",
                f"{name} is scheduled twice, by {users}",
                "A run leaves while another is at work, but one role is enough. As one of them:",
                "  lead-protection unschedule",
            )

    def _look_at_job_roles(self) -> None:
        """Look at every role that may run the jobs or has scheduled some: can it, from where pg_cron lives?"""
        scheduled = [
            row[0]
            for row in self.cron.execute(
                "SELECT DISTINCT username FROM cron.job WHERE database = %s AND command LIKE '%%lead\\_protection%%'",
                [self.dbname],
            )
        ]
        rows = self.db.execute(
            """
            SELECT r.rolname, pg_catalog.quote_ident(r.rolname), r.rolcanlogin,
                pg_catalog.has_database_privilege(r.oid, %(database)s, 'CONNECT'),
                coalesce((SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE'))
                    FROM pg_catalog.pg_proc AS p
                    WHERE p.pronamespace = pg_catalog.to_regnamespace('lead_protection')
                        AND p.proname IN ('run_protection_pipeline', 'run_nightly_maintenance')), true)
            FROM pg_catalog.pg_roles AS r
            WHERE r.rolname = ANY (%(scheduled)s) OR (r.rolcanlogin AND NOT r.rolsuper AND EXISTS (
                SELECT FROM pg_catalog.pg_roles AS g
                WHERE g.rolname = 'lead_protection_jobs' AND pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE')))
            ORDER BY r.rolname
            """,
            {"database": self.dbname, "scheduled": scheduled},
        ).fetchall()
        if not rows:
            self.add(
                MISSING,
                "job role",
                "no role that may log in is a member of lead_protection_jobs",
                "By a superuser, in the database that pg_cron lives in, one of:",
                "  lead-protection sql --roles >roles.sql, and run it as it says, with -v jobs=NAME",
                "  CREATE ROLE NAME LOGIN IN ROLE lead_protection_jobs;   -- or GRANT lead_protection_jobs TO NAME;",
            )
        for name, quoted, may_log_in, may_connect, may_run in rows:
            remedies = []
            if not may_log_in:
                remedies.append(f"  ALTER ROLE {quoted} LOGIN;")
            if not may_connect:
                remedies.append(f"  GRANT CONNECT ON DATABASE {self.quoted_dbname} TO {quoted};")
            if not may_run:
                remedies.append(f"  GRANT lead_protection_jobs TO {quoted};")
            remedies += self._missing_cron_rights(name, quoted)
            if remedies:
                where = f"By a superuser, in database {self.cron.info.dbname}:"
                self.add(MISSING, "job role", f"{quoted} lacks rights to schedule or to run the jobs", where, *remedies)
            else:
                self.add(OK, "job role", f"{quoted} may log in, run the jobs and schedule them")

    def _missing_cron_rights(self, role: str, quoted: str) -> list[str]:
        uses_schema, schedules = one_row(
            self.cron,
            """
            SELECT pg_catalog.has_schema_privilege(%(role)s, n.oid, 'USAGE'),
                coalesce((SELECT pg_catalog.bool_or(pg_catalog.has_function_privilege(%(role)s, p.oid, 'EXECUTE'))
                    FROM pg_catalog.pg_proc AS p
                    WHERE p.pronamespace = n.oid AND p.proname = 'schedule_in_database'), false)
            FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'cron'
            """,
            {"role": role},
        )
        remedies = [] if uses_schema else [f"  GRANT USAGE ON SCHEMA cron TO {quoted};"]
        if self.cron.info.dbname != self.dbname and not schedules:
            remedies.append(f"  GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO {quoted};")
        return remedies

    def _look_at_jobs(self) -> None:
        if not self.state.applied:
            return
        wanted = [
            row[0]
            for row in self.db.execute(
                "SELECT job_name FROM lead_protection.job_definitions WHERE NOT in_cron_database ORDER BY job_name"
            )
        ]
        rows = self.cron.execute(
            "SELECT username, array_agg(jobname::text) FILTER (WHERE active) FROM cron.job"
            " WHERE database = %s AND jobname = ANY (%s) GROUP BY username ORDER BY username",
            [self.dbname, wanted],
        ).fetchall()
        (sees_all,) = one_row(self.cron, "SELECT NOT pg_catalog.row_security_active('cron.job'::pg_catalog.regclass)")
        here = self.cron.info.dbname
        elsewhere = f" --cron-database {here}" if here != self.dbname else ""
        for user, active in rows:
            idle = sorted(set(wanted) - set(active or []))
            if idle:
                remedy = f"  lead-protection schedule{elsewhere}   -- as {user}"
                self.add(MISSING, "jobs", f"scheduled by {user}, but not at work: {', '.join(idle)}", remedy)
            else:
                self.add(OK, "jobs", f"all are scheduled for database {self.dbname} by {user}")
        if not rows and sees_all:
            remedy = f"  lead-protection schedule{elsewhere}   -- as the role that is to run them"
            self.add(MISSING, "jobs", f"none is scheduled for database {self.dbname}", remedy)
        elif not rows:
            self.add(
                UNKNOWN,
                "jobs",
                f"none is scheduled by {self.cron_role}; those of other roles pg_cron does not show it",
                f"  lead-protection status --cron-database URL   -- of database {here}, as the job role",
                f"  lead-protection schedule{elsewhere}   -- as the job role, if there are none",
            )

    def _look_at_last_run(self) -> None:
        """Look at how pg_cron's last run of a job of ours ended: a job that cannot log in leaves no row in job_runs."""
        row = self.cron.execute(
            """
            SELECT status, return_message, username, pg_catalog.date_trunc('second', start_time)::timestamp
            FROM cron.job_run_details
            WHERE database = %s AND command LIKE '%%lead\\_protection%%' AND status IN ('succeeded', 'failed')
            ORDER BY runid DESC LIMIT 1
            """,
            [self.dbname],
        ).fetchone()
        if row is None:
            self.add(NOTE, "last run", f"pg_cron shows {self.cron_role} no run of a job in this database yet")
            return
        status, message, user, start = row
        message = " ".join((message or "").split())
        if status == "succeeded":
            self.add(OK, "last run", f"by pg_cron as {user}: succeeded")
        elif "connection failed" in message:
            self.add(
                MISSING,
                "last run",
                f"pg_cron could not log in as {user}: {message}",
                f"It connects to cron.host ({self._setting('cron.host')}) without a password. Either let it in, by a",
                f"line of pg_hba.conf for role {user} and database {self.dbname} (then SELECT pg_reload_conf();) or",
                "by a password file of the server's account; or name a host that is let in, the socket's directory for",
                "instance, in postgresql.conf, and restart: cron.host = '/var/run/postgresql'",
            )
        elif "background" in message:
            self.add(
                MISSING,
                "last run",
                f"pg_cron found no free background worker: {message}",
                "  ALTER SYSTEM SET max_worker_processes = …;   -- by a superuser, then restart the server",
            )
        else:
            self.add(
                NOTE,
                "last run",
                f"by pg_cron as {user} at {start}: {status}: {message}",
                "See lead_protection.job_runs.",
            )

    def _look_at_background_workers(self) -> None:
        used = self._setting("cron.use_background_workers")
        workers = self._setting("max_worker_processes")
        version = _extension_version(self.cron)
        old = version is not None and tuple(map(int, version.split("-")[0].split(".")[:2])) < (1, 5)
        if used == "off":
            self.add(OK, "workers", "pg_cron logs in by cron.host and needs no background workers")
        elif used == "on" and old:
            self.add(
                NOTE,
                "workers",
                f"pg_cron {version} with cron.use_background_workers = on: a long job holds up all others",
                "Update pg_cron to 1.5 or newer, or, in postgresql.conf, and restart:",
                "  cron.use_background_workers = off",
            )
        elif used == "on":
            self.add(OK, "workers", f"each run takes one of max_worker_processes = {workers}")
        else:
            remedy = ["  SHOW cron.use_background_workers;   -- by a superuser, or a member of pg_read_all_settings"]
            if old:
                remedy.append(f"With pg_cron {version} it should be off: a long job would hold up all others.")
            seen = f"whether each run takes one of max_worker_processes = {workers} is not shown to {self.cron_role}"
            self.add(UNKNOWN, "workers", seen, *remedy)

    def _setting(self, name: str) -> str:
        try:
            (value,) = one_row(self.cron, "SELECT pg_catalog.current_setting(%s, true)", [name])
        except psycopg.errors.InsufficientPrivilege:
            return f"not shown to {self.cron_role}"
        return "not set" if value is None else value


def _extension_version(connection: psycopg.Connection) -> str | None:
    row = connection.execute("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'").fetchone()
    return row[0] if row else None


def show(connection: psycopg.Connection, cron: psycopg.Connection, state: State) -> None:
    """Print what is there and what is missing, with the command for each.

    `cron` is a connection to the database that pg_cron may be in, or `connection` once more. Times are those of its
    session's TimeZone.
    """
    print("\nPreflight")
    preflight = Preflight(connection, cron, state)
    try:
        preflight.look()
    except psycopg.Error as error:
        preflight.add(UNKNOWN, "…", f"the rest is not shown to {preflight.role}", *describe_error(error).split("\n"))
    for outcome, topic, seen, remedy in preflight.findings:
        print(f"  {outcome:<8} {topic:<12} {seen}")
        for line in remedy:
            print(f"{'':24}{line}")
