"""All rows of the schema's tables, as text: to tell whether something was lost, or is not there in the first place."""

from collections.abc import Mapping

import psycopg
from psycopg import sql

Columns = dict[str, list[str]]


def columns_of_tables(db: psycopg.Connection, *, instants: bool = True, leave_out: Mapping | None = None) -> Columns:
    """Return the columns of each table in their order, on request without those that hold instants."""
    rows = db.execute(
        "SELECT t.table_name, c.column_name, c.data_type FROM information_schema.tables AS t"
        " JOIN information_schema.columns AS c USING (table_schema, table_name)"
        " WHERE t.table_schema = 'lead_protection' AND t.table_type = 'BASE TABLE'"
        " ORDER BY t.table_name, c.ordinal_position"
    )
    found: Columns = {}
    for table, column, data_type in rows:
        if column not in (leave_out or {}).get(table, ()) and (instants or not data_type.startswith("timestamp")):
            found.setdefault(table, []).append(column)
    return found


def rows_of_tables(db: psycopg.Connection, columns: Columns) -> dict[str, list[tuple]]:
    """Return all rows of these columns, sorted."""
    db.execute("SET TimeZone = 'UTC'")
    found = {}
    for table, names in columns.items():
        texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        query = sql.SQL("SELECT {} FROM lead_protection.{}").format(texts, sql.Identifier(table))
        found[table] = sorted(db.execute(query).fetchall(), key=repr)
    return found


def written(db: psycopg.Connection) -> list[tuple]:
    """All rows of all tables that a call may write. The many days of calendars come with a row of calendars only."""
    names = db.execute(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'lead_protection' AND table_type = 'BASE TABLE' AND table_name <> 'calendar_days'"
        " ORDER BY 1"
    ).fetchall()
    return sorted(
        (name, *values)
        for (name,) in names
        for values in db.execute(f"SELECT t::text FROM lead_protection.{name} AS t")
    )


def fetch(url: str, query: str) -> list[tuple]:
    """The rows of a query, on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()
