"""Puts migrations/ and sql/ into a database, and takes them out again.

migrations/ is yoyo's: run once, in order, remembered by name. sql/ is the code: loaded on every apply, whole.
All of one apply is one transaction, so a failure anywhere leaves the database as it was.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psycopg
import yoyo
from yoyo import internalmigrations
from yoyo.backends import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, default_migration_table, read_sql_migration, topological_sort

from lead_protection import runbook
from lead_protection.database import Progress, Refusal, ScriptError

# The row of migration_checksums that tells which sql/ is loaded. No migration can have this name.
CODE = "sql/"

CHECKSUMS = "lead_protection.migration_checksums"
UNDONE = "Undone: the database is as it was before."


def find_home() -> Path:
    """Return the folder of migrations/ and sql/: the package in a wheel, its parent in the source tree."""
    package = Path(__file__).resolve().parent
    return package if (package / "migrations").is_dir() else package.parent


def read_migrations(home: Path) -> list[Migration]:
    """Return the migrations this package carries, in the order in which they are applied."""
    return list(topological_sort(yoyo.read_migrations(str(home / "migrations"))))


def load_order(home: Path) -> list[Path]:
    r"""Return the files of sql/ in the order of the `\ir` lines of sql/load.sql."""
    lines = (home / "sql" / "load.sql").read_text(encoding="utf-8").splitlines()
    return [home / "sql" / line.split()[1] for line in lines if line.startswith(r"\ir ")]


def code_files(home: Path) -> list[Path]:
    """Return all files that an apply loads: those of sql/, and the runbook, which find_help() searches."""
    return [*load_order(home), *runbook.files(home)]


def _sha256(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


class _Backend(PostgresqlPsycopgBackend):
    """yoyo on one given connection.

    By itself yoyo runs each migration on a new connection and keeps its books on another, so that each is
    committed alone. On one connection an outer transaction holds migrations, books and sql/ together, and
    yoyo's own transactions become savepoints in it.
    """

    def __init__(self, connection: psycopg.Connection):
        self._given = connection
        uri = DatabaseURI("postgresql+psycopg", None, None, None, None, connection.info.dbname, {})
        super().__init__(uri, default_migration_table)

    def connect(self, dburi):
        return self._given

    def copy(self):
        return nullcontext(self)

    def transaction(self, rollback_on_exit=False):
        return self.connection.transaction(force_rollback=rollback_on_exit)

    def disable_transactions(self):
        return nullcontext()  # the connection is in autocommit mode

    def ensure_internal_schema_updated(self):
        # yoyo would take its lock table first, which outlives a killed process; we hold an advisory lock.
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)


@dataclass(frozen=True)
class State:
    """What a database has of this package, read without writing."""

    applied: list[Migration]
    pending: list[Migration]
    changed: list[Migration]  # applied, and the file edited since
    unknown: list[str]  # applied by a newer package
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
    applied_ids = _applied_ids(connection)
    migrations = read_migrations(home)
    applied = [m for m in migrations if m.id in applied_ids]
    checksums = {}
    if _exists(connection, CHECKSUMS):
        checksums = dict(connection.execute(f"SELECT migration_id, sha256 FROM {CHECKSUMS}").fetchall())
    elif applied:
        raise Refusal(
            f"yoyo's table {default_migration_table} says that {applied[-1].id} is applied, but there is no"
            f" table {CHECKSUMS}. Either the schema was dropped by hand (then delete our rows from yoyo's"
            " table), or another program's migrations have the same names (then give this one a database or a"
            " search_path of its own)."
        )
    has_code = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n"
        " ON n.oid = p.pronamespace WHERE n.nspname = 'lead_protection')"
    ).fetchone()[0]
    if not has_code or CODE not in checksums:
        code = "not loaded"
    else:
        code = "loaded" if checksums[CODE] == _sha256(*code_files(home)) else "differs"
    return State(
        applied=applied,
        pending=[m for m in migrations if m.id not in applied_ids],
        changed=[m for m in applied if checksums.get(m.id) not in (None, _sha256(Path(m.path)))],
        # By our checksums, for yoyo's table may hold another program's migrations too.
        unknown=sorted((checksums.keys() & applied_ids) - {m.id for m in migrations}),
        code=code,
    )


def apply(connection: psycopg.Connection, home: Path, progress: Progress) -> None:
    """Apply what is pending, then load sql/. The caller holds the apply lock.

    Everything is one transaction; only a migration marked `-- transactional: false` ends it before and after.

    Raises:
        Refusal: the database and this package do not go together; nothing was changed.
        ScriptError: a file failed; everything since the last such migration is undone.
        psycopg.Error: the connection failed.
    """
    state = read_state(connection, home)
    _refuse_newer_database(state)
    if state.changed:
        files = ", ".join(str(Path(m.path).relative_to(home)) for m in state.changed)
        raise Refusal(
            f"applied migrations were edited since: {files}. Restore the files as they were released and put"
            " the change into a new migration."
        )
    print(f"Migrations: {len(state.applied)} applied, {len(state.pending)} pending.", flush=True)

    backend = _Backend(connection)
    committed: list[str] = []

    def apply_batch(batch: list[Migration], *, last: bool = False) -> None:
        transactional = all(m.use_transactions for m in batch)
        with connection.transaction() if transactional else nullcontext():
            for migration in batch:
                with _migration_step(progress, migration, Path(migration.path), home):
                    backend.apply_one(migration)
            if last:
                with progress.step(f"sql/ ({len(load_order(home))} files)"):
                    _load_code(connection, home)
            _record_checksums(connection, state.applied + state.pending, [m.id for m in batch])
        committed.extend(m.id for m in batch)

    try:
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
    """Drop the code, then roll back the chosen migrations in this order. The caller holds the apply lock.

    Raises:
        ScriptError: a file failed; everything is undone, except after a non-transactional migration.
        psycopg.Error: the connection failed.
    """
    backend = _Backend(connection)
    transactional = all(m.use_transactions for m in chosen)
    try:
        with connection.transaction() if transactional else nullcontext():
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


def load_code_after_yoyo(connection: psycopg.Connection, home: Path) -> None:
    """Load sql/ and record checksums at the end of a plain `yoyo apply`; migrations/post-apply.py calls it.

    Raises:
        ScriptError: a file failed; the migrations stay, and `lead-protection apply` loads sql/ later.
    """
    progress = Progress(connection)
    with connection.transaction(), progress.step(f"sql/ ({len(load_order(home))} files)"):
        _load_code(connection, home)
        _record_checksums(connection, read_migrations(home))


def _load_code(connection: psycopg.Connection, home: Path) -> None:
    # The load pins the search path for its transaction, in which yoyo still has to find its own tables.
    (search_path,) = connection.execute("SELECT current_setting('search_path')").fetchone()
    for path in load_order(home):
        _run_script(connection, path, home)
    runbook.load(connection, home)
    connection.execute("SELECT set_config('search_path', %s, true)", [search_path])
    connection.execute(
        f"INSERT INTO {CHECKSUMS} AS known (migration_id, sha256) VALUES (%s, %s)"
        " ON CONFLICT (migration_id) DO UPDATE SET sha256 = excluded.sha256, recorded_at = now()"
        " WHERE known.sha256 <> excluded.sha256",
        [CODE, _sha256(*code_files(home))],
    )


def _run_script(connection: psycopg.Connection, path: Path, home: Path) -> None:
    """Execute a file statement by statement, so that an error has a line even where the server gives none."""
    for statement in read_sql_migration(str(path))[2]:
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
            raise ScriptError(path, home, error, getattr(error, "statement", None)) from error


def _rollback_file(migration: Migration) -> Path:
    path = Path(migration.path)
    return path.with_suffix(".rollback.sql") if migration.is_raw_sql() else path


def _record_checksums(
    connection: psycopg.Connection, migrations: list[Migration], applied_now: Sequence[str] = ()
) -> None:
    """Record what was applied now, and what plain yoyo applied before without leaving a checksum."""
    applied_ids = _applied_ids(connection)
    rows = [(m.id, _sha256(Path(m.path))) for m in migrations if m.id in applied_ids]
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


def _applied_ids(connection: psycopg.Connection) -> set[str]:
    """Read yoyo's table without letting yoyo create it; it is in the first schema of search_path."""
    if not _exists(connection, default_migration_table):
        return set()
    return {row[0] for row in connection.execute(f"SELECT migration_id FROM {default_migration_table}")}


def _exists(connection: psycopg.Connection, relation: str) -> bool:
    return connection.execute("SELECT pg_catalog.to_regclass(%s)", [relation]).fetchone()[0] is not None
