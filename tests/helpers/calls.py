"""Calling the API and looking at rows, whatever the connection's row factory."""

import psycopg
import pytest
from psycopg.rows import dict_row


def rows(db, query, args=()) -> list[dict]:
    """All rows as dicts."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, args).fetchall()


def row(db, query, *args) -> dict:
    """The one row of a query as a dict; there must be just one."""
    (only,) = rows(db, query, args)
    return only


def call(db, function, *args, **named) -> list[dict]:
    """Call a function of ours by its name, with arguments by position or by name, and return its rows as dicts."""
    assert not (args and named)
    placeholders = ", ".join(["%s"] * len(args) or [f"{name} => %({name})s" for name in named])
    return rows(db, f"SELECT * FROM lead_protection.{function}({placeholders})", args or named)


def call_row(db, invocation, *args) -> dict:
    """The one row that a call of ours answers, which is written out with its placeholders."""
    return row(db, f"SELECT * FROM lead_protection.{invocation}", *args)


def refused(sqlstate, work, *args, **named) -> psycopg.Error:
    """Call `work` and check that it raises that SQLSTATE with a DETAIL and a HINT; return the error."""
    with pytest.raises(psycopg.Error) as caught:
        work(*args, **named)
    assert caught.value.sqlstate == sqlstate, caught.value
    assert caught.value.diag.message_detail and caught.value.diag.message_hint
    return caught.value


def make_policy(db, name, **terms) -> int:
    """Make a policy through the API and return its id."""
    return call(db, "create_policy_version", name=name, actor_id=5, **terms)[0]["policy_id"]
