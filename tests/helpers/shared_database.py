"""A database that one test after the other works in, cleaned in between, with the connection that stays warm."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from helpers.server import Server

# After so many tests the dead rows of the earlier ones cost more than a new database.
MOST_TESTS = 60

# The definition of everything in the database that is not PostgreSQL's own, and what is set for it. A row that was
# changed has another xmin; a row of pg_class also when its table is analysed, so there it is the columns that count.
CATALOGS = (
    "pg_proc", "pg_trigger", "pg_constraint", "pg_namespace", "pg_type", "pg_attrdef", "pg_rewrite", "pg_policy",
    "pg_extension", "pg_event_trigger", "pg_publication", "pg_operator", "pg_cast", "pg_foreign_server",
    "pg_default_acl", "pg_statistic_ext",
)  # fmt: skip
# A sum grows with each row that is made or changed, and one that is gone is missing in the count.
COUNTED = "count(*)::text || ' ' || sum({oid}::bigint) || ' ' || sum(xmin::text::bigint)"
DEFINITION = " UNION ALL ".join(
    [f"SELECT {COUNTED.format(oid='oid')} FROM pg_catalog.{name} WHERE oid >= 16384" for name in CATALOGS]
    + [
        f"SELECT {COUNTED.format(oid='attrelid')} FROM pg_catalog.pg_attribute WHERE attrelid = ANY(ARRAY("
        "SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = 'lead_protection'::regnamespace AND relkind = 'r'))",
        "SELECT count(*) || ' ' || sum(oid::bigint + coalesce(indisvalid::int, 0) + hashtext(row(relname, relnamespace,"
        " relowner, relkind, relnatts, relacl, reloptions, relrowsecurity)::text)) FROM pg_catalog.pg_class"
        " LEFT JOIN pg_catalog.pg_index ON oid = indexrelid WHERE oid >= 16384 AND relpersistence <> 't'",
        # PostgreSQL's own, but anybody's: a table adopted there has its reader let in.
        "SELECT row(oid, nspowner, nspacl)::text FROM pg_catalog.pg_namespace WHERE nspname = 'public'",
        "SELECT string_agg(s::text, ' ') FROM pg_catalog.pg_db_role_setting AS s"
        " WHERE setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
        "SELECT row(datacl, datconnlimit, datallowconn)::text FROM pg_catalog.pg_database"
        " WHERE datname = current_database()",
        "SELECT count(*) || ' sessions' FROM pg_catalog.pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend'",
        "SELECT count(*) || ' slots' FROM pg_catalog.pg_replication_slots WHERE database = current_database()",
        "SELECT count(*) || ' transactions' FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()",
    ]
)

# Of two tables the second never changes without the first, and has so many rows that each look at them is felt: days
# come with a version of a calendar only, and are refused afterwards.
MANY_ROWS = {"lead_protection.calendars": "lead_protection.calendar_days"}

# What a test has made beside ours, in an order in which it goes: each with all that depends on it.
ADDED = """
SELECT format('DROP SCHEMA IF EXISTS %%I CASCADE', nspname) FROM pg_catalog.pg_namespace
WHERE oid > %(newest)s AND nspname !~ '^pg_'
UNION ALL
SELECT format('DROP %%s IF EXISTS %%s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass)
FROM pg_catalog.pg_class WHERE oid > %(newest)s AND relkind IN ('r', 'v') AND relpersistence <> 't'
UNION ALL
SELECT format('DROP ROUTINE IF EXISTS %%s CASCADE', oid::regprocedure) FROM pg_catalog.pg_proc WHERE oid > %(newest)s
"""
NEWEST = " UNION ALL ".join(
    f"SELECT max(oid)::bigint AS oid FROM pg_catalog.{name}" for name in (*CATALOGS, "pg_class")
)

# What a session can have set, and still hold. Prepared statements stay: psycopg remembers which it made.
RESET = """
RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; CLOSE ALL; DISCARD SEQUENCES; DISCARD TEMP;
SELECT pg_catalog.pg_advisory_unlock_all()
"""


class SharedDatabase:
    """A clone of the template that is given from test to test as long as they change nothing but rows.

    What a test leaves behind must not reach the next: the rows are put back as they were in the template, what it has
    made beside ours is dropped, and a database whose definition, settings or sessions are then not as they were goes.
    """

    def __init__(self, new_database: Callable, server: Server, template: str) -> None:
        """Remember what it is made of."""
        self.new_database, self.server, self.template = new_database, server, template
        self.stack = ExitStack()
        self.connection: psycopg.Connection | None = None
        self.tests = 0
        self.seeds: dict[str, bytes] | None = None

    def __enter__(self) -> "SharedDatabase":
        """Nothing is made before it is taken."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the database."""
        self.drop()

    def take(self) -> psycopg.Connection:
        """Return a superuser's connection, autocommit, to a database that is as the template."""
        if self.connection is None:
            self.url = self.server.url(self.stack.enter_context(self.new_database(self.template)))
            self.connection = self.connect()
            # Another session cleans up. As a replica: no trigger and no foreign key stands in its way. A session that
            # sets this forgets all its plans, and to make them anew takes longer than a test.
            self.cleaner = self.connect()
            self.cleaner.execute("SET session_replication_role = replica")
            self.tests = 0
            self.definition = self.defined()
            if self.seeds is None:
                self.read_template()
            self.versions = dict(self.template_versions)
        self.tests += 1
        return self.connection

    def read_template(self) -> None:
        """Remember the rows of the template, of which this is a clone: the next ones have the same, xmin and all."""
        self.tables = [
            row[0]
            for row in self.cleaner.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
                " AND relnamespace = 'lead_protection'::regnamespace ORDER BY 1"
            )
        ]
        self.template_versions = {table: found for table, found in self.read_versions(self.tables).items() if found[0]}
        self.seeds = {table: self.copy_out(table) for table in self.template_versions}
        self.newest = self.cleaner.execute(f"SELECT max(oid) FROM ({NEWEST}) AS n").fetchone()[0]
        self.sequences = self.cleaner.execute(
            "SELECT c.oid::regclass::text, s.start_value, s.last_value FROM pg_sequences AS s INNER JOIN pg_class"
            " AS c ON c.relname = s.sequencename AND c.relnamespace = s.schemaname::regnamespace"
        ).fetchall()

    def settle(self) -> psycopg.Connection:
        """Return a connection that sees what the test has left behind."""
        connection = self.connection
        idle = not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE
        if idle and connection.autocommit and connection.row_factory is psycopg.rows.tuple_row:
            try:
                connection.execute(RESET)
            except psycopg.Error:
                connection.close()
        else:
            connection.close()
        return self.cleaner

    def give_back(self) -> None:
        """Clean the database for the next test, or drop it."""
        try:
            if self.tests >= MOST_TESTS or not self.clean():
                self.drop()
        except psycopg.Error:
            self.drop()

    def drop(self) -> None:
        """Drop the database, if there is one."""
        self.connection = None
        self.stack.close()
        self.stack = ExitStack()

    def clean(self) -> bool:
        """Put all rows back; False if the database cannot serve another test."""
        if self.connection.closed or (self.defined() != self.definition and not self.drop_added()):
            return False
        found = self.read_versions(table for table in self.versions if table not in MANY_ROWS.values())
        changed = [table for table in found if found[table] != self.versions[table]]
        changed += [MANY_ROWS[table] for table in changed if table in MANY_ROWS]
        with self.cleaner.transaction():
            added = [
                f"DELETE FROM {table} WHERE age(xmin) < age('{self.versions[table][1]}'::xid)" for table in changed
            ]
            emptied = [f"DELETE FROM {table}" for table in self.tables if table not in self.versions]
            self.cleaner.execute(";".join(emptied + added))
            found = self.read_versions(changed)
            changed = [table for table in changed if found[table] != self.versions[table]]
            for table in changed:
                self.cleaner.execute(f"DELETE FROM {table}")
                with self.cleaner.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.SQL(table))) as copy:
                    copy.write(self.seeds[table])
        self.versions |= self.read_versions(changed)
        self.cleaner.execute(
            ";".join(
                f"SELECT setval('{name}', {last if last is not None else start}, {last is not None})"
                for name, start, last in self.sequences
            )
        )
        # What this session has read must not show later, in statistics that a test looks at.
        self.cleaner.execute("SELECT pg_stat_force_next_flush()")
        return True

    def drop_added(self) -> bool:
        """Drop what was made beside ours; False if it was not only that."""
        for (statement,) in self.cleaner.execute(ADDED, {"newest": self.newest}).fetchall():
            self.cleaner.execute(statement)
        # With that psycopg forgets what it prepared for a table of a name that may come again.
        self.connection.execute("BEGIN")
        self.connection.rollback()
        return self.defined() == self.definition

    def connect(self) -> psycopg.Connection:
        """A session in the database that is closed with it."""
        return self.stack.enter_context(closing(psycopg.connect(self.url, autocommit=True)))

    def defined(self) -> list[tuple]:
        """A value that differs once anything but rows was changed."""
        return self.cleaner.execute(DEFINITION).fetchall()

    def copy_out(self, table: str) -> bytes:
        """All rows of a table."""
        with self.cleaner.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.SQL(table))) as copy:
            return b"".join(bytes(part) for part in copy)

    def read_versions(self, tables: Iterable[str]) -> dict[str, list]:
        """Per table a value that differs once it was changed: how many rows it has, and who wrote the youngest."""
        each = "SELECT '{0}', count(*), age('3'::xid) + 3 - min(age(xmin)) FROM {0}"
        query = " UNION ALL ".join(each.format(table) for table in tables)
        return {table: version for table, *version in self.cleaner.execute(query)} if query else {}
