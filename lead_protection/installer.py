"""Puts migrations/ and sql/ into a database, and takes them out again.

migrations/ is yoyo's: run once, in order, remembered by name. sql/ is the code: loaded on every apply, whole.
All of one apply is one transaction, so a failure anywhere leaves the database as it was.
"""

import hashlib
import itertools
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
import yoyo
from psycopg import sql
from psycopg.abc import Params
from psycopg.pq import TransactionStatus
from yoyo import internalmigrations
from yoyo.backends import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.exceptions import BadMigration
from yoyo.migrations import (
    Migration,
    StepCollector,
    default_migration_table,
    parse_metadata_from_sql_comments,
    topological_sort,
)

from lead_protection import runbook
from lead_protection.database import (
    LOCKED_TABLE,
    PINNED_PATH,
    ApplyLock,
    LockWatch,
    Progress,
    Refusal,
    ScriptError,
    Statement,
    StatementCursor,
    books_schema,
    failed_statement,
    one_row,
    pin_search_path,
    try_apply_lock,
)

# The row of migration_checksums that tells which sql/ is loaded. No migration can have this name.
CODE = "sql/"

# Runs before the migrations of a transaction.
UNBIND = "sql/unbind_rows.sql"

OLDEST_SERVER, NEWEST_SERVER = 15, 18
CHECKSUMS = LOCKED_TABLE
# The one statement that an owner of nothing but this schema must not run, as migrations/0001_schema.sql has it.
CREATE_SCHEMA = "CREATE SCHEMA lead_protection;"
UNDONE = "Undone: the database is as it was before."
# The body of a routine; or what is between two statements of ours, where each begins at the begin of a line, as within
# BEGIN ATOMIC only END does.
_BODY_OR_BREAK = re.compile(
    r"\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|(?:\A|; *(?:--[^\n]*)?\n)(?:\n|--[^\n]*\n)*(?=(?!END\b)[A-Z])", re.DOTALL
)
# How the second of two applies fails that found nothing installed, and so no lock to take.
_MADE_BY_ANOTHER = (
    psycopg.errors.DuplicateSchema,
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
)


def find_home() -> Path:
    """Return the folder of migrations/ and sql/: the package in a wheel, its parent in the source tree."""
    package = Path(__file__).resolve().parent
    return package if (package / "migrations").is_dir() else package.parent


def read_migrations(home: Path) -> list[Migration]:
    """Return the migrations this package carries, in the order in which they are applied."""
    known: dict[str, Migration] = {}
    for read in yoyo.read_migrations(str(home / "migrations")):
        known[read.id] = _SqlMigration(read, known) if read.is_raw_sql() else read
    return list(topological_sort(known.values()))


class _SqlMigration(Migration):  # type: ignore[misc]  # yoyo has no types
    """A migration in SQL, taken apart as yoyo does, by statements(): yoyo's parser takes twenty times as long."""

    def __init__(self, read: Migration, known: dict[str, Migration]):
        super().__init__(read.id, read.path, read.source_dir)
        self._known = known

    def load(self) -> None:
        if self.loaded:
            return
        path, back = Path(self.path), _rollback_file(self)
        text = path.read_text(encoding="utf-8")
        told, _, _ = parse_metadata_from_sql_comments(text)
        self.use_transactions = {"true": True, "false": False}[told.get("transactional", "true").lower()]
        wanted = told.get("depends", "").split()
        if missing := [name for name in wanted if name not in self._known]:
            raise BadMigration(f"{path.name} depends on {', '.join(missing)}: there is no such migration")
        self._depends = {self._known[name] for name in wanted}
        collector = StepCollector(migration=self)
        undoing = statements(back.read_text(encoding="utf-8")) if back.exists() else []
        for pair in itertools.zip_longest(statements(text), reversed(undoing)):
            collector.add_step(*pair)
        self.steps = collector.create_steps(self.use_transactions)


def load_order(home: Path) -> list[Path]:
    r"""Return the files of sql/ in the order of the `\ir` lines of sql/load.sql."""
    lines = (home / "sql" / "load.sql").read_text(encoding="utf-8").splitlines()
    return [home / "sql" / line.split()[1] for line in lines if line.startswith(r"\ir ")]


def code_files(home: Path) -> list[Path]:
    """Return all files that an apply loads: those of sql/, and the runbook, which find_help() searches."""
    return [*load_order(home), *runbook.files(home)]


def migration_checksum(migration: Migration) -> str:
    """Return the fingerprint by which an applied migration is known again."""
    return _sha256(Path(migration.path))


def code_checksum(home: Path) -> str:
    """Return the fingerprint of sql/ as a whole, with the runbook."""
    return _sha256(*code_files(home))


def _sha256(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


class _GivenSchemaCursor(StatementCursor):
    """A cursor for a database in which somebody else made our schema, empty, and gave it to us."""

    # As in the class above.
    def execute(  # type: ignore[override]
        self, query: Statement, params: Params | None = None, **keywords: Any
    ) -> Self:
        """Execute anything but the making of the schema."""
        is_making = isinstance(query, str) and query.startswith(CREATE_SCHEMA)
        return super().execute("SELECT" if is_making else query, params, **keywords)


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo has no types
    """yoyo on one given connection.

    By itself yoyo runs each migration on a new connection and keeps its books on another, so that each is
    committed alone. On one connection an outer transaction holds migrations, books and sql/ together, and
    yoyo's own transactions, one for each statement, are nothing in it: what fails undoes it whole. The search path of
    that connection is pinned, so yoyo's tables are named with their schema.
    """

    def __init__(self, connection: psycopg.Connection):
        self._given = connection
        self._books_are_current = False
        self._books = books_schema(connection)
        self._schema_is_given = _schema_is_given(connection)
        uri = DatabaseURI("postgresql+psycopg", None, None, None, None, connection.info.dbname, {})
        super().__init__(uri, default_migration_table)

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection:
        return self._given

    def copy(self) -> AbstractContextManager[Self]:
        return nullcontext(self)

    def transaction(self, rollback_on_exit: bool = False) -> AbstractContextManager[psycopg.Transaction | None]:
        if not rollback_on_exit and self._given.info.transaction_status != TransactionStatus.IDLE:
            return nullcontext()
        return self._given.transaction(force_rollback=rollback_on_exit)

    def cursor(self) -> psycopg.Cursor:
        return _GivenSchemaCursor(self._given) if self._schema_is_given else self._given.cursor()

    def disable_transactions(self) -> AbstractContextManager[None]:
        return nullcontext()  # the connection is in autocommit mode

    def quote_identifier(self, name: str) -> str:
        quoted: str = super().quote_identifier(name)
        tables = (self.migration_table, self.log_table, self.version_table)
        return f"{self._books}.{quoted}" if name in tables else quoted

    def list_tables(self, **_: object) -> list[str]:
        rows = self._given.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s)", [self._books]
        )
        return [str(name) for (name,) in rows]

    def ensure_internal_schema_updated(self) -> None:
        # yoyo would take its lock table first, which outlives a killed process; we have a lock of our own.
        if self._books_are_current:
            return
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)
        self._books_are_current = True


@dataclass(frozen=True)
class InvalidIndex:
    """What an interrupted CREATE INDEX or REINDEX … CONCURRENTLY left: every write tends it, no query uses it."""

    name: str  # with its schema, quoted
    table: str
    repair: str  # the statement, to be run outside a transaction


@dataclass(frozen=True)
class State:
    """What a database has of this package, read without writing."""

    applied: list[Migration]
    pending: list[Migration]
    changed: list[Migration]  # applied, and the file edited since
    unknown: list[str]  # applied by a newer package
    unbooked: list[Migration]  # applied by install.sql, of which yoyo does not know yet
    invalid_indexes: list[InvalidIndex]
    code: str  # of sql/: "loaded", "differs" or "not loaded"

    @property
    def complete(self) -> bool:
        """Whether the database has exactly this package."""
        return not (self.pending or self.changed or self.unknown) and self.code == "loaded"


def read_state(connection: psycopg.Connection, home: Path) -> State:
    """Compare a database with this package.

    Raises:
        Refusal: yoyo's table names our migrations, but the schema is not there.
    """
    booked_ids = _booked_ids(connection)
    applied_ids = _applied_ids(connection)
    migrations = read_migrations(home)
    applied = [m for m in migrations if m.id in applied_ids]
    pending = [m for m in migrations if m.id not in applied_ids]
    checksums: dict[str, str] = {}
    if _exists(connection, CHECKSUMS):
        checksums = dict(connection.execute(f"SELECT migration_id, sha256 FROM {CHECKSUMS}").fetchall())
    elif applied:
        raise Refusal(
            f"yoyo's table {default_migration_table} says that {applied[-1].id} is applied, but there is no"
            f" table {CHECKSUMS}. Either the schema was dropped by hand (then delete our rows from yoyo's"
            " table), or another program's migrations have the same names (then give this one a database or a"
            " search_path of its own)."
        )
    (has_code,) = one_row(
        connection,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n"
        " ON n.oid = p.pronamespace WHERE n.nspname = 'lead_protection')",
    )
    if not has_code or CODE not in checksums:
        code = "not loaded"
    else:
        code = "loaded" if checksums[CODE] == code_checksum(home) else "differs"
    return State(
        applied=applied,
        pending=pending,
        changed=[m for m in applied if checksums.get(m.id) not in (None, migration_checksum(m))],
        # By our checksums, for yoyo's table may hold another program's migrations too.
        unknown=sorted((checksums.keys() & applied_ids) - {m.id for m in migrations}),
        unbooked=[m for m in applied if m.id not in booked_ids],
        invalid_indexes=_invalid_indexes(connection, pending),
        code=code,
    )


def apply(
    connection: psycopg.Connection,
    home: Path,
    progress: Progress,
    lock: ApplyLock,
    *,
    conninfo: str,
    lock_timeout: str = "3s",
    retries: int = 5,
) -> None:
    """Apply what is pending, then load sql/. The caller has taken the apply lock.

    Everything is one transaction; only a migration marked `-- transactional: false` ends it before and after. A lock
    that is not to be had within `lock_timeout` (as PostgreSQL writes it, with its unit; 0 waits for ever), and a
    deadlock, undo the transaction; after a pause it begins anew, up to `retries` times. Who was in the way is printed,
    as far as a second connection to `conninfo` can see it. Non-transactional migrations and repairs of indexes block
    nobody and wait as long as it takes.

    Raises:
        Refusal: the database and this package do not go together, or a right is missing; nothing was changed.
        ScriptError: a file failed; everything since the last such migration is undone.
        psycopg.Error: the connection failed.
    """
    connection.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", [lock_timeout])
    with LockWatch(connection, conninfo) as watch:
        for attempt in itertools.count(1):
            try:
                _apply_once(connection, home, progress, watch, lock)
                return
            except _Overtaken:
                continue
            except (ScriptError, psycopg.Error) as failure:
                error = failure.error if isinstance(failure, ScriptError) else failure
                if not lock.held and isinstance(error, _MADE_BY_ANOTHER):
                    lock.take()
                    if lock.held:
                        print("Another apply was first. Looking again.", flush=True)
                        continue
                if not isinstance(error, (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)):
                    raise
                print("In the way:", *watch.blockers(), sep="\n      ", flush=True)
                if attempt > retries:
                    print(
                        f"Gave up after {attempt} attempts. End those transactions or wait for them, or give a longer"
                        " --lock-timeout or more --retries.",
                        flush=True,
                    )
                    raise
                pause = min(2 ** (attempt - 1), 30)
                print(f"Attempt {attempt + 1} of {retries + 1} in {pause} s.", flush=True)
                time.sleep(pause)
                # By now there may be something to lock: what is pending is then looked up after it.
                lock.take()


class _Overtaken(Exception):
    """Between two transactions of a first apply another one was at work: what is pending must be looked up anew."""


def _apply_once(
    connection: psycopg.Connection, home: Path, progress: Progress, watch: LockWatch, lock: ApplyLock
) -> None:
    state = read_state(connection, home)
    refuse_to_apply(state, home)
    _require_rights(connection)
    print(f"Migrations: {len(state.applied)} applied, {len(state.pending)} pending.", flush=True)

    backend = _Backend(connection)
    committed: list[str] = []

    def apply_batch(batch: list[Migration], *, last: bool = False) -> None:
        transactional = all(m.use_transactions for m in batch)
        with connection.transaction() if transactional else _no_lock_timeout(connection, watch):
            if transactional and batch:
                _run_script(connection, home / UNBIND, home)
            for migration in batch:
                with _migration_step(progress, migration, Path(migration.path), home):
                    backend.apply_one(migration)
            if last:
                for migration in state.unbooked:
                    backend.mark_one(migration)
                with progress.step(f"sql/ ({len(load_order(home))} files)"):
                    _load_code(connection, home)
            _record_checksums(connection, state.applied + state.pending, [m.id for m in batch])
        committed.extend(m.id for m in batch)
        # After the first transaction of a first apply there is something to lock.
        if lock.take():
            raise _Overtaken

    try:
        for index in state.invalid_indexes:
            _repair(connection, index, progress, watch)
        batch: list[Migration] = []
        for migration in state.pending:
            if migration.use_transactions:
                batch.append(migration)
            else:
                apply_batch(batch)
                apply_batch([migration])
                batch = []
        apply_batch(batch, last=True)
    except (ScriptError, psycopg.Error):
        if committed:
            print(f"Undone, except what was committed before: {', '.join(committed)}.", flush=True)
        else:
            print(UNDONE, flush=True)
        raise


def rollback(connection: psycopg.Connection, home: Path, progress: Progress, chosen: list[Migration]) -> None:
    """Drop the code, then roll back the chosen migrations in this order.

    The apply lock is taken in the transaction that does it, for what it drops may be the very table.

    Raises:
        ScriptError: a file failed; everything is undone, unless a rollback file works CONCURRENTLY.
        psycopg.Error: the connection failed.
    """
    backend = _Backend(connection)
    # Its indexes are built outside a transaction, and can be dropped in one all the same.
    transactional = all(m.use_transactions or _can_be_undone_in_a_transaction(m) for m in chosen)
    unbooked = read_state(connection, home).unbooked
    try:
        with connection.transaction() if transactional else nullcontext():
            if transactional and not try_apply_lock(connection, patience=3):
                raise Refusal("another apply or rollback is at work in this database.")
            for migration in unbooked:
                backend.mark_one(migration)
            with progress.step("sql/drop.sql"):
                _run_script(connection, home / "sql" / "drop.sql", home)
                _forget_checksum(connection, CODE)
            for migration in chosen:
                with _migration_step(progress, migration, _rollback_file(migration), home):
                    backend.rollback_one(migration)
                _forget_checksum(connection, migration.id)
    except (ScriptError, psycopg.Error):
        if transactional:
            print(UNDONE, flush=True)
        raise


def _can_be_undone_in_a_transaction(migration: Migration) -> bool:
    path = _rollback_file(migration)
    return migration.is_raw_sql() and "CONCURRENTLY" not in path.read_text(encoding="utf-8")


def refuse_to_apply(state: State, home: Path) -> None:
    """Refuse what must not be applied to a database in this state.

    Raises:
        Refusal: the database is newer than this package, or an applied migration was edited.
    """
    _refuse_newer_database(state)
    if state.changed:
        files = ", ".join(str(Path(m.path).relative_to(home)) for m in state.changed)
        raise Refusal(
            f"applied migrations were edited since: {files}. Restore the files as they were released and put"
            " the change into a new migration."
        )


def print_plan(connection: psycopg.Connection, home: Path) -> None:
    """Print the SQL that apply would run now, in its order. Changes nothing: a read-only connection will do.

    Raises:
        Refusal: as of apply.
    """
    state = read_state(connection, home)
    refuse_to_apply(state, home)
    _require_rights(connection)
    print("-- What apply would run now, besides its books. To install by psql: lead-protection sql")
    for index in state.invalid_indexes:
        print(f"\n-- {index.name} is INVALID: its build was interrupted\n{index.repair};")
    if state.pending:
        print(f"\nSET search_path = {PINNED_PATH};")
    inside = False

    def begin(wanted: bool) -> None:
        nonlocal inside
        if wanted != inside:
            print("\nBEGIN;" if wanted else "\nCOMMIT;")
            inside = wanted

    given = _schema_is_given(connection)
    unbound = not state.applied
    for migration in state.pending:
        begin(migration.use_transactions)
        if inside and not unbound:
            print(f"\n-- {UNBIND}\n{(home / UNBIND).read_text(encoding='utf-8')}", end="")
            unbound = True
        text = Path(migration.path).read_text(encoding="utf-8")
        if given:
            text = text.replace(CREATE_SCHEMA, f"-- {CREATE_SCHEMA} -- it is there, and empty")
        print(f"\n-- migrations/{Path(migration.path).name}\n{text}", end="")
    if state.code == "loaded":
        print("\n-- sql/ is loaded as it is: apply would load it once more, to the same effect")
    else:
        begin(True)
        for path in load_order(home):
            print(f"\n-- {path.relative_to(home)}\n{path.read_text(encoding='utf-8')}", end="")
    begin(False)


def choose_for_rollback(state: State, steps: int | None) -> list[Migration]:
    """Return the last `steps` applied migrations, or all if None, newest first.

    Raises:
        Refusal: the database is newer than this package, or a rollback file is missing.
    """
    _refuse_newer_database(state)
    chosen = state.applied[::-1][:steps]
    for migration in chosen:
        # yoyo would do nothing for it and call it rolled back.
        if not _rollback_file(migration).exists():
            raise Refusal(f"{migration.id} has no {_rollback_file(migration).name}")
    return chosen


def refuse_to_leave_adopted_tables(connection: psycopg.Connection) -> None:
    """Refuse to drop the code while triggers on tables of the company's call it.

    Raises:
        Refusal: a table is adopted, or was, and its owner has not dropped our triggers yet.
    """
    if not _exists(connection, "lead_protection.adoptions"):
        return
    # By its table, or by its name, which older versions do not know, where a table was adopted as more than one thing.
    # Those of owners go with those of leads.
    adopted = connection.execute(
        "SELECT DISTINCT CASE count(*) OVER (PARTITION BY a.source)"
        " WHEN 1 THEN a.source ELSE coalesce(to_jsonb(a) ->> 'name', a.source) END"
        " FROM lead_protection.adoptions AS a WHERE a.disowned_at IS NULL AND a.kind <> 'owners' ORDER BY 1"
    ).fetchall()
    if adopted:
        calls = "\n".join(
            f"  CALL lead_protection.disown_source({sql.Literal(name).as_string(connection)});" for (name,) in adopted
        )
        raise Refusal(
            "triggers on tables of your own call what would be dropped. Disown these tables first, as the owner of"
            f" schema lead_protection, with what that means for them (docs/adoption.md):\n{calls}"
        )
    triggers = connection.execute(
        "SELECT format('DROP TRIGGER %I ON %I.%I;', t.tgname, n.nspname, c.relname)"
        " FROM pg_catalog.pg_trigger AS t"
        " INNER JOIN pg_catalog.pg_class AS c ON t.tgrelid = c.oid"
        " INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid"
        " INNER JOIN pg_catalog.pg_proc AS p ON t.tgfoid = p.oid"
        " WHERE p.pronamespace = to_regnamespace('lead_protection') AND starts_with(p.proname, 'follow_adopted_source')"
        " AND t.tgparentid = 0 ORDER BY 1"
    ).fetchall()
    if triggers:
        commands = "\n".join(f"  {command}" for (command,) in triggers)
        raise Refusal(
            "tables of your own are disowned, but have triggers yet that call what would be dropped: only the tables'"
            f" owner can drop them. As that one:\n{commands}"
        )


def load_code_after_yoyo(connection: psycopg.Connection, home: Path) -> None:
    """Load sql/ and record checksums at the end of a plain `yoyo apply`; migrations/post-apply.py calls it.

    Raises:
        ScriptError: a file failed; the migrations stay, and `lead-protection apply` loads sql/ later.
    """
    progress = Progress(connection)
    with connection.transaction(), progress.step(f"sql/ ({len(load_order(home))} files)"):
        pin_search_path(connection, local=True)
        _load_code(connection, home)
        _record_checksums(connection, read_migrations(home))


@contextmanager
def _no_lock_timeout(connection: psycopg.Connection, watch: LockWatch) -> Iterator[None]:
    """Wait for locks as long as it takes, and say for whom.

    What runs outside a transaction holds no lock that others wait for. CREATE INDEX CONCURRENTLY has to wait for every
    transaction that is older than itself, and a lock_timeout would only leave it INVALID.
    """
    (before,) = one_row(connection, "SELECT pg_catalog.current_setting('lock_timeout')")
    connection.execute("SET lock_timeout = 0")
    try:
        with watch.telling():
            yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", [before])


def indexes_built_by(migration: Migration) -> list[str]:
    """Return the names of the indexes that a migration builds CONCURRENTLY."""
    text = Path(migration.path).read_text(encoding="utf-8")
    return re.findall(r"(?i)\bINDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", text)


def _invalid_indexes(connection: psycopg.Connection, pending: list[Migration]) -> list[InvalidIndex]:
    """Find the INVALID indexes of our schema, and what repairs each.

    One that a pending migration builds is only dropped, and so are the copies that an interrupted REINDEX
    CONCURRENTLY leaves beside the index. Any other is rebuilt in place: it is never gone, come what may.
    """
    built = [name for migration in pending for name in indexes_built_by(migration)]
    rows = connection.execute(
        """
        SELECT pg_catalog.format('%%I.%%I', 'lead_protection', c.relname),
            pg_catalog.format('%%I.%%I', 'lead_protection', t.relname),
            c.relname = ANY (%s::text[]) OR c.relname ~ '_cc(new|old)[0-9]*$'
        FROM pg_catalog.pg_index AS i
        INNER JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
        INNER JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
        WHERE c.relnamespace = pg_catalog.to_regnamespace('lead_protection') AND c.relkind = 'i'
            AND NOT (i.indisvalid AND i.indisready)
        ORDER BY 3 DESC, 1
        """,
        [built],
    ).fetchall()
    return [
        InvalidIndex(name, table, f"{'DROP' if leftover else 'REINDEX'} INDEX CONCURRENTLY {name}")
        for name, table, leftover in rows
    ]


def _repair(connection: psycopg.Connection, index: InvalidIndex, progress: Progress, watch: LockWatch) -> None:
    with _no_lock_timeout(connection, watch), progress.step(f"INVALID index {index.name}"):
        # A build that is still at work, a DBA's for instance, holds this lock; when it is done, it was no leftover.
        with connection.transaction():
            connection.execute(f"LOCK TABLE {index.table} IN SHARE UPDATE EXCLUSIVE MODE")
        invalid = "SELECT NOT (indisvalid AND indisready) FROM pg_catalog.pg_index WHERE indexrelid = to_regclass(%s)"
        if connection.execute(invalid, [index.name]).fetchone() == (True,):
            try:
                connection.execute(index.repair)
            except psycopg.errors.InternalError_:  # tuple concurrently updated
                # A build lets its lock go a moment before it commits. Who comes in between still finds the index
                # INVALID, and its row changed by another.
                if connection.execute(invalid, [index.name]).fetchone() == (True,):
                    raise


def _schema_is_given(connection: psycopg.Connection) -> bool:
    """Tell whether our schema is there and empty: made by a DBA for a role that may make none."""
    row = one_row(
        connection,
        """
        SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'lead_protection'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = n.oid)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t WHERE t.typnamespace = n.oid))
        """,
    )
    return row == (True,)


def _require_rights(connection: psycopg.Connection) -> None:
    """Refuse where a right is missing that apply needs, with the statement that gives it.

    Raises:
        Refusal: the schema cannot be made or is somebody else's, or yoyo's tables cannot be made.
    """
    role, database, may_create, there, ours, place, may_keep_books, version = one_row(
        connection,
        """
        SELECT pg_catalog.quote_ident(CURRENT_USER), pg_catalog.quote_ident(pg_catalog.current_database()),
            pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
            n.oid IS NOT NULL, pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
            %(books)s, coalesce(has_schema_privilege(to_regnamespace(%(books)s)::oid, 'CREATE'), false),
            pg_catalog.current_setting('server_version_num')::integer / 10000
        FROM (VALUES (1)) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'lead_protection'
        """,
        {"books": books_schema(connection)},
    )
    if version < OLDEST_SERVER:
        raise Refusal(f"this server is PostgreSQL {version}; {OLDEST_SERVER} or newer is needed.")
    if there and not ours:
        raise Refusal(f"schema lead_protection belongs to another role than {role}: apply as its owner.")
    if not there and not may_create:
        raise Refusal(
            f"{role} may make no schema in this database. Have a superuser run sql/roles.sql (lead-protection sql"
            f" --roles), or: GRANT CREATE ON DATABASE {database} TO {role};"
        )
    if not _exists(connection, f"{place}.{default_migration_table}") and not may_keep_books:
        raise Refusal(
            f"{role} may make no table in {place}, where yoyo keeps its books."
            " Have a superuser run sql/roles.sql (lead-protection sql --roles), or:"
            f" CREATE SCHEMA {role} AUTHORIZATION {role};"
        )


def _load_code(connection: psycopg.Connection, home: Path) -> None:
    for path in load_order(home):
        _run_script(connection, path, home)
    connection.execute(runbook.load_sql(home))
    connection.execute(
        f"INSERT INTO {CHECKSUMS} AS known (migration_id, sha256) VALUES (%s, %s)"
        " ON CONFLICT (migration_id) DO UPDATE SET sha256 = excluded.sha256, recorded_at = now()"
        " WHERE known.sha256 <> excluded.sha256",
        [CODE, code_checksum(home)],
    )


def statements(text: str) -> list[str]:
    """Return the statements of a file of ours, without what is written before each. yoyo's parser takes seconds."""
    starts = [match.end() for match in _BODY_OR_BREAK.finditer(text) if match["tag"] is None]
    return [text[start:end] for start, end in itertools.pairwise([*starts, len(text)])]


def _run_script(connection: psycopg.Connection, path: Path, home: Path) -> None:
    """Execute a file statement by statement, so that an error has a line even where the server gives none."""
    for statement in statements(path.read_text(encoding="utf-8")):
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise ScriptError(path, home, error, statement) from error


@contextmanager
def _migration_step(progress: Progress, migration: Migration, path: Path, home: Path) -> Iterator[None]:
    """Show the step, and turn an error of yoyo's statements into one that names the file."""
    with progress.step(migration.id):
        try:
            yield
        except psycopg.Error as error:
            raise ScriptError(path, home, error, failed_statement(error)) from error


def _rollback_file(migration: Migration) -> Path:
    path = Path(migration.path)
    return path.with_suffix(".rollback.sql") if migration.is_raw_sql() else path


def _record_checksums(
    connection: psycopg.Connection, migrations: list[Migration], applied_now: Sequence[str] = ()
) -> None:
    """Record what was applied now, and what plain yoyo applied before without leaving a checksum."""
    applied_ids = _applied_ids(connection)
    rows = [(m.id, migration_checksum(m)) for m in migrations if m.id in applied_ids]
    if not _exists(connection, CHECKSUMS):
        return
    with connection.cursor() as cursor:
        # A plain `yoyo rollback` leaves rows behind; they say nothing about what was applied now.
        cursor.execute(f"DELETE FROM {CHECKSUMS} WHERE migration_id = ANY (%s)", [list(applied_now)])
        cursor.executemany(
            f"INSERT INTO {CHECKSUMS} (migration_id, sha256) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            rows,
        )


def _forget_checksum(connection: psycopg.Connection, migration_id: str) -> None:
    if _exists(connection, CHECKSUMS):
        connection.execute(f"DELETE FROM {CHECKSUMS} WHERE migration_id = %s", [migration_id])


def _refuse_newer_database(state: State) -> None:
    if state.unknown:
        raise Refusal(
            f"the database has migrations that this package does not carry: {', '.join(state.unknown)}."
            " It was applied by a newer version; use that version or a later one."
        )


def _booked_ids(connection: psycopg.Connection) -> set[str]:
    """Read yoyo's table without letting yoyo create it."""
    return _readable_ids(connection, f"{books_schema(connection)}.{default_migration_table}", "true")


def _applied_ids(connection: psycopg.Connection) -> set[str]:
    """Return what is in yoyo's books, and what install.sql applied where it could not write these.

    The rows of migration_checksums alone do not tell: a plain `yoyo rollback` leaves them behind.
    """
    undone = _readable_ids(connection, f"{books_schema(connection)}._yoyo_log", "operation = 'rollback'")
    recorded = _readable_ids(connection, CHECKSUMS, "true") - {CODE}
    return _booked_ids(connection) | (recorded - undone)


def _readable_ids(connection: psycopg.Connection, table: str, condition: str) -> set[str]:
    readable = "SELECT pg_catalog.has_table_privilege(pg_catalog.to_regclass(%s)::oid, 'SELECT')"
    if one_row(connection, readable, [table]) != (True,):
        return set()
    return {row[0] for row in connection.execute(f"SELECT migration_id FROM {table} WHERE {condition}")}


def _exists(connection: psycopg.Connection, relation: str) -> bool:
    return one_row(connection, "SELECT pg_catalog.to_regclass(%s)", [relation]) != (None,)
