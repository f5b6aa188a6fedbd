"""Checks tables of the company's own, also where nothing is installed yet."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from lead_protection.database import Refusal, UsageError, painted

# What a table may be taken as: the function that checks it, and the name by which it is found if none is given.
KINDS = {
    "leads": ("check_lead_source", "leads"),
    "activities": ("check_activity_source", "lead_activities"),
    "holds": ("check_hold_source", "lead_holds"),
    "reminders": ("check_reminder_source", "lead_reminders"),
}
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
            names = ", ".join(name for _, name in KINDS.values())
            raise Refusal(
                f"no table of another schema is named {names}. Name yours: lead-protection check SCHEMA.TABLE"
            )
        return all([_check(connection, *pair, arguments) for pair in found])


@contextmanager
def _functions(connection: psycopg.Connection, home: Path) -> Iterator[None]:
    """Make the functions that check for this session only, in a transaction that is rolled back."""
    with connection.transaction(force_rollback=True):
        for name in ["hides_rows", "check_source", *_function_names()]:
            text = (home / "sql" / "functions" / "adoption" / "check" / f"{name}.sql").read_text(encoding="utf-8")
            for ours in ("lead_protection.check_", "lead_protection.hides_rows"):
                text = text.replace(ours, ours.replace("lead_protection", "pg_temp"))
            connection.execute(text)
        yield


def _function_names() -> list[str]:
    return [function for function, _ in KINDS.values()]


def _tables_of_our_names(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    for kind, (_, name) in KINDS.items():
        rows = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_catalog.pg_class AS c"
            " WHERE c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND c.relnamespace <> coalesce(pg_catalog.to_regnamespace('lead_protection'), 0)"
            " AND c.relnamespace <> pg_catalog.pg_my_temp_schema() ORDER BY 1",
            [name],
        )
        yield from ((kind, table) for (table,) in rows.fetchall())


def _check(connection: psycopg.Connection, kind: str, table: str, arguments: list[str]) -> bool:
    function = KINDS[kind][0]
    given = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        given[name] = value
    names = connection.execute(
        "SELECT p.proargnames[2:p.pronargs] FROM pg_catalog.pg_proc AS p"
        " WHERE p.proname = %s AND p.pronamespace = pg_catalog.pg_my_temp_schema()",
        [function],
    ).fetchone()[0]
    if unknown := given.keys() - set(names):
        raise UsageError(f"a table of {kind} has no {', '.join(sorted(unknown))}; there are: {', '.join(names)}.")
    if connection.execute("SELECT pg_catalog.to_regclass(%s)", [table]).fetchone()[0] is None:
        raise Refusal(f"there is no table {table}. Give its schema, and double quotes where the name needs them.")
    call = sql.SQL("SELECT * FROM pg_temp.{}({})").format(
        sql.Identifier(function),
        sql.SQL(", ").join(
            [
                sql.SQL("{}::regclass").format(sql.Literal(table)),
                *(
                    sql.SQL("{} => {}").format(sql.Identifier(name), sql.Literal(value))
                    for name, value in given.items()
                ),
            ]
        ),
    )
    print(f"\n{table} as {kind}")
    severities = set()
    for severity, item, finding, advice in connection.execute(call):
        severities.add(severity)
        print(f"  {painted(f'{severity:<8}', COLOURS[severity])} {item:<28} {finding}")
        if advice:
            print(re.sub(r"(?m)^", " " * 11, advice))
    return "problem" not in severities
