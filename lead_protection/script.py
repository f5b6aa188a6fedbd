"""Writes the psql script that does what apply does, for those who have nothing but psql.

It keeps the same books: migration_checksums, and yoyo's table where there is one. A later `lead-protection apply` knows
what the script did, and the script knows what apply did.
"""

import json
from itertools import groupby
from pathlib import Path

from yoyo.migrations import Migration

from lead_protection import __version__, runbook
from lead_protection.database import LOCKED_TABLE, PINNED_PATH, Refusal
from lead_protection.installer import (
    CHECKSUMS,
    CODE,
    CREATE_SCHEMA,
    OLDEST_SERVER,
    UNBIND,
    code_checksum,
    indexes_built_by,
    load_order,
    migration_checksum,
    read_migrations,
)


def install_script(home: Path) -> str:
    """Return the psql script that installs what is in `home`, or upgrades an older version to it.

    Raises:
        Refusal: a migration is no SQL.
    """
    migrations = read_migrations(home)
    for migration in migrations:
        if not migration.is_raw_sql():
            raise Refusal(f"{migration.id} is no SQL file: a psql script cannot carry it")
        migration.load()
    alone = [m.id for m in migrations if not m.use_transactions]
    head = (Path(__file__).parent / "install_head.sql").read_text(encoding="utf-8")
    for name, value in {
        "VERSION": __version__,
        "TRANSACTIONS": "Everything is one transaction: a failure leaves the database as it was."
        if not alone
        else f"One transaction, ended before and after: {', '.join(alone)}. A failure undoes what is not committed.",
        "CARRIED": json.dumps({m.id: migration_checksum(m) for m in migrations}),
        "OLDEST": str(OLDEST_SERVER),
        "PATH": PINNED_PATH,
        "LOCKED": LOCKED_TABLE,
    }.items():
        head = head.replace(f"@{name}@", value)

    parts = [head, _BEGIN]
    for transactional, group in groupby(migrations, lambda migration: migration.use_transactions):
        batch = list(group)
        if transactional:
            parts.append(_unbind(home, batch))
        parts += map(_guarded, batch)
    for path in load_order(home):
        parts.append(f"\n-- {path.relative_to(home).as_posix()}\n{path.read_text(encoding='utf-8')}")
    parts.append(f"\n-- docs/{runbook.PAGE}\n{runbook.load_sql(home)}")
    parts.append(f"""
{_record(CODE, code_checksum(home))}
COMMIT;
\\echo Lead Protection {__version__} is installed.
""")
    return "".join(parts)


def _unbind(home: Path, batch: list[Migration]) -> str:
    """Return what goes before a transaction's migrations, where any of them is pending."""
    ids = ", ".join(f"'{migration.id}'" for migration in batch)
    return f"""
SELECT string_to_array(current_setting('lead_protection.pending'), ',') && ARRAY[{ids}] AS pending \\gset
\\if :pending
-- {UNBIND}
{(home / UNBIND).read_text(encoding="utf-8")}
\\endif
"""


def _guarded(migration: Migration) -> str:
    """Return a migration that runs only where it is pending, with its entry in the books."""
    text = Path(migration.path).read_text(encoding="utf-8")
    text = text.replace(CREATE_SCHEMA, f"\\if :no_schema\n{CREATE_SCHEMA}\n\\endif")
    books = _record(migration.id, migration_checksum(migration))
    if not migration.use_transactions:
        text = f"COMMIT;\nSET lock_timeout = 0;\n{_drop_leftovers(migration)}{text}\n{_RESET}{_BEGIN}"
    return f"""
SELECT '{migration.id}' = ANY (string_to_array(current_setting('lead_protection.pending'), ',')) AS pending \\gset
\\if :pending
\\echo '{migration.id}'
{text}
{books}
\\if :has_yoyo
INSERT INTO :yoyo_table (migration_hash, migration_id, applied_at_utc)
VALUES ('{migration.hash}', '{migration.id}', now() AT TIME ZONE 'UTC');
\\endif
\\endif
"""


# Each transaction takes the lock that lets one apply at a time into a database, once there is something to lock.
_BEGIN = f"""BEGIN;
SELECT to_regclass('{LOCKED_TABLE}') IS NOT NULL AS has_lock \\gset
\\if :has_lock
LOCK TABLE {LOCKED_TABLE} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
\\endif
"""
_RESET = "SELECT pg_catalog.set_config('lock_timeout', :'lock_timeout', false) AS lock_timeout \\gset\n"


def _drop_leftovers(migration: Migration) -> str:
    """Return what drops the INVALID indexes of an earlier, interrupted run of this very migration."""
    names = ", ".join(f"'{name}'" for name in indexes_built_by(migration))
    if not names:
        return ""
    return f"""SELECT pg_catalog.format('DROP INDEX CONCURRENTLY lead_protection.%I', c.relname)
FROM pg_catalog.pg_index AS i INNER JOIN pg_catalog.pg_class AS c ON i.indexrelid = c.oid
WHERE c.relnamespace = pg_catalog.to_regnamespace('lead_protection') AND c.relname IN ({names})
    AND NOT (i.indisvalid AND i.indisready)
\\gexec
"""


def _record(migration_id: str, sha256: str) -> str:
    """Return the statement that notes the fingerprint of what was applied; nothing if it is noted already."""
    return f"""INSERT INTO {CHECKSUMS} AS known (migration_id, sha256) VALUES ('{migration_id}', '{sha256}')
ON CONFLICT (migration_id) DO UPDATE SET sha256 = excluded.sha256, recorded_at = now()
WHERE known.sha256 <> excluded.sha256;"""
