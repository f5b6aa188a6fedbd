"""A connection to PostgreSQL, and what the server says on it, fit to be shown to a person."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeAlias

import psycopg
from psycopg import sql
from psycopg.abc import Params
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from yoyo.migrations import default_migration_table

# Everything that we run on a connection of ours sees PostgreSQL's own functions, operators and types first and last:
# whatever else the session's path has to offer is never looked up.
PINNED_PATH = "pg_catalog, pg_temp"

# The table whose lock lets one apply or rollback at a time into a database. Only its owner may take that lock, and no
# migration alters it.
LOCKED_TABLE = "lead_protection.migration_checksums"

Statement: TypeAlias = str | bytes | sql.SQL | sql.Composed

# The attribute of an error that holds its statement.
_STATEMENT = "lead_protection_statement"


class UsageError(Exception):
    """The command was called wrongly; nothing was done."""


class Refusal(Exception):
    """The command will not do this; the message says why and what to do instead."""


class ScriptError(Exception):
    """A SQL file failed.

    Its text is the whole report: file, line, SQLSTATE, message, detail, hint and context.
    """

    def __init__(self, path: Path, home: Path, error: psycopg.Error, statement: str | None):
        """Work out the line: where the server points to, else where the failing statement begins."""
        place = str(path.relative_to(home))
        text = path.read_text(encoding="utf-8")
        start = text.find(statement) if statement else -1
        if start >= 0:
            position = start + int(error.diag.statement_position or 1) - 1
            place += f", line {text.count(chr(10), 0, position) + 1}"
        super().__init__(f"{place}:\n{describe_error(error)}")
        self.error = error


class StatementCursor(psycopg.Cursor):
    """A cursor that ties an error to the statement that caused it: yoyo does not tell which one it ran."""

    # psycopg has template strings too, which are younger than the oldest Python here: none comes by this way.
    def execute(  # type: ignore[override]
        self, query: Statement, params: Params | None = None, **keywords: Any
    ) -> Self:
        """Execute as psycopg does; an error knows its statement, which failed_statement() tells."""
        try:
            return super().execute(query, params, **keywords)
        except psycopg.Error as error:
            setattr(error, _STATEMENT, query)
            raise


def failed_statement(error: psycopg.Error) -> str | None:
    """Return the statement of a StatementCursor that ended in this error; None if it was none of its."""
    statement = getattr(error, _STATEMENT, None)
    return statement if isinstance(statement, str) else None


def checked_conninfo(url: str) -> str:
    """Return the conninfo string of a libpq URL or conninfo string, or of yoyo's `postgresql+psycopg://`.

    Raises:
        UsageError: libpq would misread it. The message quotes nothing: a misread password must not be shown.
    """
    try:
        parts = conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
        # A password with a bare @ or / ends up here, and libpq's own complaint would print it.
        if "@" in str(parts.get("host", "")) or str(parts.get("port", "")).strip("0123456789,"):
            raise ValueError
    except (psycopg.ProgrammingError, ValueError):
        raise UsageError(
            "the database is given by a libpq URL (postgresql://user@host:5432/name) or conninfo string"
            " (host=... dbname=...). In a URL, special characters of a password are percent-encoded."
        ) from None
    return make_conninfo("", **parts)


def connect(conninfo: str, *, read_only: bool = False, own_path: bool = True) -> psycopg.Connection:
    """Open a connection in autocommit mode; with `read_only` the server refuses any write on it.

    Its search path is PINNED_PATH; without `own_path` it stays as the role has it, for names that the caller was given.

    Raises:
        psycopg.OperationalError: no connection.
    """
    connection = psycopg.connect(
        conninfo, autocommit=True, cursor_factory=StatementCursor, fallback_application_name="lead-protection"
    )
    if own_path:
        pin_search_path(connection)
    if read_only:
        connection.execute("SET default_transaction_read_only = on")
    return connection


def pin_search_path(connection: psycopg.Connection, *, local: bool = False) -> None:
    """Pin the search path of a session, or of its transaction, and note where yoyo's tables are by the path before it.

    They are in the first schema of the path: the one that has them, or else the first in which the role may make them.
    Never in ours (set for the application's convenience): a rollback drops it.
    """
    # By a call without an operator: those of the path are not to be trusted yet.
    (schemas,) = one_row(connection, "SELECT pg_catalog.current_schemas(false)")
    connection.execute("SELECT pg_catalog.set_config('search_path', %s, %s)", [PINNED_PATH, local])
    connection.execute(
        """
        SELECT set_config('lead_protection.books', coalesce((
            SELECT quote_ident(name)
            FROM unnest(%s::text[]) WITH ORDINALITY AS listed (name, position)
            CROSS JOIN LATERAL (SELECT to_regclass(quote_ident(name) || '.' || quote_ident(%s))::oid) AS yoyo (books)
            WHERE name <> 'lead_protection'
            ORDER BY coalesce(has_table_privilege(books, 'INSERT'), false) DESC,
                has_schema_privilege(name, 'CREATE') DESC, position
            LIMIT 1
        ), 'public'), %s)
        """,
        [[name for name in schemas if name != "pg_catalog"], default_migration_table, local],
    )


def books_schema(connection: psycopg.Connection) -> str:
    """Return the schema of yoyo's tables, quoted, as pin_search_path() noted it."""
    (schema,) = one_row(connection, "SELECT pg_catalog.current_setting('lead_protection.books')")
    return str(schema)


def one_row(connection: psycopg.Connection, query: Statement, parameters: Params | None = None) -> TupleRow:
    """Return the row of a query that has exactly one.

    Raises:
        LookupError: it has none.
    """
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError(f"no row: {query!r}")
    return row


def painted(text: str, colour: int | None) -> str:
    """Return the text in an ANSI colour; as it is without one, off a terminal, or if NO_COLOR is set."""
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{colour}m{text}\033[0m"


def describe(connection: psycopg.Connection) -> str:
    """Say where a connection leads, without its password."""
    info = connection.info
    version = (info.parameter_status("server_version") or "?").split()[0]
    return f"database {info.dbname} on {info.host or 'localhost'} as {info.user} (PostgreSQL {version})"


def describe_error(error: psycopg.Error) -> str:
    """Give an error as the server told it: SQLSTATE and message, then detail, hint and context if any."""
    diag = error.diag
    if not diag.message_primary:  # libpq's own errors, such as a lost connection
        return f"  ERROR: {str(error).strip()}"
    lines = [f"  {diag.severity_nonlocalized or 'ERROR'} {diag.sqlstate}: {diag.message_primary}"]
    for name, text in (
        ("DETAIL", diag.message_detail),
        ("HINT", diag.message_hint),
        ("QUERY", diag.internal_query),
        ("CONTEXT", diag.context),
    ):
        if text:
            lines.append(f"  {name}: " + text.replace("\n", "\n    "))
    return "\n".join(lines)


class ApplyLock:
    """The lock that lets one apply or rollback at a time into a database.

    It is a lock on a table of ours, which nobody else may take, and not an advisory one, which anybody may who can
    connect. A second connection holds it, so that it spans transactions; it goes when this process dies. Where nothing
    is installed yet there is no such table: there two applies meet where they make the schema.
    """

    def __init__(self, conninfo: str):
        """Prepare to lock the database of `conninfo`; nothing is locked yet."""
        self._conninfo = conninfo
        self._holder: psycopg.Connection | None = None

    def __enter__(self) -> Self:
        """Take it, as take() does."""
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        if self._holder is not None:
            self._holder.close()

    @property
    def held(self) -> bool:
        """Whether it is taken."""
        return self._holder is not None

    def take(self) -> bool:
        """Take it, unless it is held already or nothing is installed; return whether others had to be waited for."""
        if self.held:
            return False
        holder = connect(self._conninfo)
        # It waits between its statements as long as the apply lasts.
        holder.execute("SET idle_in_transaction_session_timeout = 0")
        if one_row(holder, "SELECT to_regclass(%s)", [LOCKED_TABLE]) == (None,):
            holder.close()
            return False
        waited = False
        # Asked again and again, for a query that waits on the server holds a snapshot, and a CREATE INDEX CONCURRENTLY
        # of the other apply would wait for that snapshot: a deadlock.
        while not try_apply_lock(holder):
            if not waited:
                names = _lock_holders(holder) or "it cannot be seen"
                print(f"Waiting for another apply or rollback in this database to end: {names}", flush=True)
            waited = True
            holder.rollback()
            time.sleep(0.2)
        self._holder = holder
        return waited


def try_apply_lock(connection: psycopg.Connection, patience: float = 0) -> bool:
    """Take the apply lock in the connection's transaction, which this begins if none is open; False: others have it.

    An autovacuum of the table has it for a moment: whoever cannot come again waits for so many seconds.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role does not own our tables.
    """
    if connection.info.transaction_status == TransactionStatus.IDLE:
        connection.execute("BEGIN")
    until = time.monotonic() + patience
    while True:
        try:
            with connection.transaction():
                # No statement of ours conflicts with it but the same one, and what drops or alters the table.
                connection.execute(f"LOCK TABLE {LOCKED_TABLE} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT")
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)
        else:
            return True


def _lock_holders(connection: psycopg.Connection) -> str:
    """Say who holds the apply lock, as far as the role may see."""
    rows = connection.execute(
        """
        SELECT format('pid %%s, %%s (%%s)', l.pid, coalesce(a.usename, 'a process of the server'), a.application_name)
        FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON l.pid = a.pid
        WHERE l.relation = %s::regclass AND l.granted AND l.mode IN (
            'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
        )
        """,
        [LOCKED_TABLE],
    )
    return "; ".join(row[0] for row in rows)


class LockWatch:
    """Sees, on a connection of its own, who makes another connection wait for a lock.

    Once a wait has failed nobody can tell any more who the obstacle was, so it looks while the wait lasts.
    """

    def __init__(self, connection: psycopg.Connection, conninfo: str):
        """Prepare to watch `connection`, by a second one to `conninfo`."""
        self._pid = connection.info.backend_pid
        self._conninfo = conninfo
        # Often enough to see a wait that the lock_timeout ends.
        (milliseconds,) = one_row(
            connection, "SELECT setting::integer FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'"
        )
        self._pause = min(max(milliseconds / 5000, 0.02), 1) if milliseconds else 1
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._blockers: list[str] = []
        self._told: list[str] | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the second connection."""
        self._stopping.set()
        self._thread.join(5)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Print who is waited for while the wait lasts: for statements that wait as long as it takes."""
        self._told = []
        try:
            yield
        finally:
            self._told = None

    def blockers(self) -> list[str]:
        """Return who was last seen in the way, a line for each, as far as this role may see; and forget it."""
        blockers, self._blockers = self._blockers, []
        return blockers or ["could not be seen"]

    def _watch(self) -> None:
        try:
            with connect(self._conninfo, read_only=True) as connection:
                while not self._stopping.wait(self._pause):
                    seen = self._look(connection)
                    if not seen:
                        continue
                    self._blockers = seen
                    if self._told is not None and self._told != seen:
                        self._told = seen
                        print("\n" + "\n".join(f"      waits for {line}" for line in seen), flush=True)
        except psycopg.Error:  # no connection to spare, or the server is gone: then nothing is seen
            return

    def _look(self, connection: psycopg.Connection) -> list[str]:
        rows = connection.execute(
            """
            SELECT b.pid, a.usename, a.application_name, a.state,
                pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start),
                pg_catalog.left(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), 100)
            FROM (SELECT DISTINCT unnest(pg_catalog.pg_blocking_pids(%s)) AS pid) AS b
            LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
            -- CREATE INDEX CONCURRENTLY waits for this very look, too, while it lasts.
            WHERE b.pid <> pg_catalog.pg_backend_pid()
            ORDER BY b.pid
            """,
            [self._pid],
        ).fetchall()
        lines = []
        for pid, user, application, state, age, query in rows:
            if pid == 0:
                lines.append("a prepared transaction (see pg_prepared_xacts)")
                continue
            # Without pg_read_all_stats a role sees of another role's session that it is there, not what it does.
            doing = f", {state}" if state else ""
            doing += f", its transaction is {age} old" if age else ""
            doing += f": {query}" if state else ""
            program = f" ({application})" if application else ""
            lines.append(f"pid {pid}, {user or 'a process of the server'}{program}{doing}")
        return lines


class Progress:
    """Prints what is being done, how long it took, and below it what the server had to say."""

    def __init__(self, connection: psycopg.Connection):
        """Listen to the notices of a connection."""
        self._notices: list[str] = []
        connection.add_notice_handler(self._collect)

    def _collect(self, diag: psycopg.errors.Diagnostic) -> None:
        if diag.severity_nonlocalized in ("NOTICE", "WARNING"):
            self._notices.append(f"{diag.severity_nonlocalized}: {diag.message_primary}")
            if diag.message_hint:
                self._notices.append(f"HINT: {diag.message_hint}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print the name at once, and the outcome and the milliseconds when the block ends."""
        print(f"  {name:<50}", end=" ", flush=True)
        outcome, start = "FAILED", time.monotonic()
        try:
            yield
            outcome = "ok"
        finally:
            print(f"{outcome:<6} {(time.monotonic() - start) * 1000:6.0f} ms", flush=True)
            self.print_notices()

    def print_notices(self) -> None:
        """Print the notices that came since the last time, indented."""
        for notice in self._notices:
            print(f"      {notice}", flush=True)
        self._notices.clear()
