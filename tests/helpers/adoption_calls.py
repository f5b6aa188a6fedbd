"""Adopted tables: what waits, what stands here, what was published."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from helpers.facts import events, states
from helpers.project import run_program
from helpers.sources import CRM, follow


def sqlstate(db, statement, *args) -> psycopg.Error:
    """The error that a statement raises; one that raises none fails the test."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(statement, *args)
    return caught.value


def schema_of(server, dbname, schema) -> str:
    """All that pg_dump tells of a schema."""
    dump = psycopg.conninfo.make_conninfo(server.url(dbname))
    done = run_program([str(server.bin / "pg_dump"), "--schema-only", f"--schema={schema}", dump], env=server.env)
    assert done.returncode == 0, done.stderr
    # From some minor release on, a dump bears a random key.
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def lead_here(db, lead_id):
    """User, start, closing and outcome of a lead here, once what was written was followed."""
    follow(db)
    return db.execute(
        "SELECT user_id, created_at, closed_at IS NOT NULL, closed_as FROM lead_protection.leads WHERE id = %s",
        (lead_id,),
    ).fetchone()


def queue(db):
    """What cannot be followed and waits: key and SQLSTATE."""
    follow(db)
    return db.execute(
        "SELECT row_key, split_part(error, ':', 1) FROM lead_protection.adoption_queue ORDER BY lead_key, row_key"
    ).fetchall()


def let_pauses_pass(db):
    """As if what waits in the queue had been tried for the last time a day ago."""
    db.execute("UPDATE lead_protection.adoption_queue SET tried_at = tried_at - INTERVAL '1 day'")


def news(db, lead_id=None):
    """The events there are, once what was written was followed."""
    follow(db)
    return events(db) if lead_id is None else events(db, lead_id)


def run_the_night(db):
    """The nightly job, which finds what is out of step, and a run of the pipeline, which follows it."""
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    db.execute("CALL lead_protection.run_protection_pipeline()")


def check(db, source, **changes):
    """Severity and item of all findings that are not ok."""
    arguments = {
        name: value for name, value in (source.arguments | changes).items() if name not in ("batch_size", "name")
    }
    query = "SELECT severity, split_part(item, ' ', 1) FROM lead_protection.check_source(%s, 'leads', %s)"
    return [row for row in db.execute(query, (source.table, Jsonb(arguments))) if row[0] != "ok"]


def ages(db, *days):
    """The CRM's table, adopted, with a lead for each age in days."""
    db.execute(CRM.ddl)
    for number, age in enumerate(days, 1):
        db.execute(CRM.insert_sql(number, age, 101))
    db.execute(CRM.adopt_sql())


def list_states(db):
    """The states of the leads in the order of their ids, once what was written was followed."""
    follow(db)
    return list(states(db).values())


def previewed(db):
    """What switching on would find, once what was written was followed."""
    follow(db)
    return {row[0]: row[1] for row in db.execute("SELECT * FROM lead_protection.preview_switch_on()") if row[1]}


CALLS = """
CREATE TABLE crm.calls (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), lead_no bigint, caller bigint, at timestamptz, what text
);
"""

ADOPT_CALLS = (
    "CALL lead_protection.adopt_activities('crm.calls', 900, lead_column => 'lead_no', user_column => 'caller',"
    " occurred_column => 'at', kind => $$CASE what WHEN 'call' THEN 'QUALIFIED_CALL' WHEN 'mail' THEN 'EMAIL_SENT'"
    " WHEN 'odd' THEN 'ODD' END$$)"
)
