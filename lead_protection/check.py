"""Checks tables of the company's own, also where nothing is installed yet."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from lead_protection.database import Refusal, UsageError, one_row, painted

# What a table may be taken as, and the name by which it is found if none is given.
KINDS = {
    "leads": "leads",
    "activities": "lead_activities",
    "holds": "lead_holds",
    "reminders": "lead_reminders",
}
UNKNOWN_ARGUMENT = "LP055"
# What checks a table, each after those that it calls; they need nothing else.
FUNCTIONS = (
    "read/column_type",
    "check/hides_rows",
    "check/check_table",
    "check/check_rights",
    "check/check_sql",
    "check/check_column",
    "check/check_source",
)
COLOURS = {"ok": 32, "warning": 33, "problem": 31}


def check_tables(
    connection: psycopg.Connection, home: Path, table: str | None, kind: str, arguments: list[str]
) -> bool:
    """Print what is found of a table, or of all tables that bear one of our names; return whether all can be taken.

    Raises:
        UsageError: an argument that the check does not have, or arguments without a table.
        Refusal: there is no such table, or none with one of our names.
    """
    if table is None and arguments:
        raise UsageError("which table? Columns are those of one table.")
    with _functions(connection, home):
        found = [(kind, table)] if table else list(_tables_of_our_names(connection))
        if not found:
            raise Refusal(
                f"no table of another schema is named {', '.join(KINDS.values())}."
                " Name yours: lead-protection check SCHEMA.TABLE"
            )
        return all([_check(connection, *pair, arguments) for pair in found])


@contextmanager
def _functions(connection: psycopg.Connection, home: Path) -> Iterator[None]:
    """Make the functions that check for this session only, in a transaction that is rolled back."""
    names = "|".join(function.split("/")[1] for function in FUNCTIONS)
    with connection.transaction(force_rollback=True):
        for function in FUNCTIONS:
            text = (home / "sql" / "functions" / "adoption" / f"{function}.sql").read_text(encoding="utf-8")
            connection.execute(re.sub(rf"\blead_protection\.({names})\b", r"pg_temp.\1", text))
        yield


def _tables_of_our_names(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    for kind, name in KINDS.items():
        rows = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_catalog.pg_class AS c"
            " WHERE c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND c.relnamespace <> coalesce(pg_catalog.to_regnamespace('lead_protection'), 0)"
            " AND c.relnamespace <> pg_catalog.pg_my_temp_schema() ORDER BY 1",
            [name],
        )
        yield from ((kind, table) for (table,) in rows.fetchall())


def _check(connection: psycopg.Connection, kind: str, table: str, arguments: list[str]) -> bool:
    if one_row(connection, "SELECT pg_catalog.to_regclass(%s)", [table]) == (None,):
        raise Refusal(f"there is no table {table}. Give its schema, and double quotes where the name needs them.")
    mapping = {name: value for name, _, value in (argument.partition("=") for argument in arguments)}
    try:
        findings = connection.execute(
            "SELECT * FROM pg_temp.check_source(%s::regclass, %s, %s)", [table, kind, Jsonb(mapping)]
        ).fetchall()
    except psycopg.DatabaseError as error:
        if error.sqlstate != UNKNOWN_ARGUMENT:
            raise
        raise UsageError(f"{error.diag.message_primary}.") from error
    print(f"\n{table} as {kind}")
    severities = set()
    for severity, item, finding, advice in findings:
        severities.add(severity)
        print(f"  {painted(f'{severity:<8}', COLOURS[severity])} {item:<28} {finding}")
        if advice:
            print(re.sub(r"(?m)^", " " * 11, advice))
    return "problem" not in severities
