"""A backend that dies at a chosen write: a trigger on every table counts the rows that are written, and ends it."""

import json
import re
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from helpers.calls import row
from helpers.facts import drift
from helpers.project import poll
from helpers.schemas import faults_in_outbox

# The count is a sequence, which no rollback takes back. Deferred triggers fire within COMMIT.
PLANT = """
CREATE SCHEMA killing;
CREATE SEQUENCE killing.writes;
CREATE FUNCTION killing.kill() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    reached text := TG_ARGV[0];
BEGIN
    IF reached IS NULL THEN
        reached := nextval('killing.writes');
    END IF;
    IF reached = current_setting('killing.at', true) THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    END IF;
    RETURN coalesce(new, old);
END $$;
DO $$
DECLARE name regclass;
BEGIN
    FOR name IN
        SELECT c.oid FROM pg_class AS c
        WHERE c.relkind = 'r' AND c.relnamespace IN ('lead_protection'::regnamespace, 'public'::regnamespace)
    LOOP
        EXECUTE format('CREATE TRIGGER zz_kill BEFORE INSERT OR UPDATE OR DELETE ON %s
            FOR EACH ROW EXECUTE FUNCTION killing.kill()', name);
        EXECUTE format('CREATE CONSTRAINT TRIGGER zz_kill_at_commit AFTER INSERT OR UPDATE OR DELETE ON %s
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION killing.kill(''commit'')', name);
    END LOOP;
END $$;
"""

# Of each value what is the same whenever, and after however many attempts, the call is made.
OWN = re.compile(
    r"(^|_)(hold|policy|calendar|event|adoption|run|job)_id$|^(id|sequence_number|lease_token|backend_pid)$"
)
COLUMNS = """
SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class AS c
INNER JOIN pg_attribute AS a ON c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'lead_protection'::regnamespace AND c.relkind = 'r'
    AND c.relname NOT IN ('job_runs', 'metric_counters', 'metric_counts', 'metric_values', 'migration_checksums',
        'help_operations', 'calendar_days', 'passed_over_leads', 'lock_rows', 'adoption_notes')
    AND format_type(a.atttypid, NULL) !~ '^(timestamp|date|uuid|tstzmultirange|tstzrange|jsonb|xid8|oid|bytea)'
    AND a.attname !~ %s AND a.attname NOT IN ('stops', 'content_id')
GROUP BY c.relname ORDER BY c.relname
"""
FINGERPRINT = """
SELECT string_agg(format(
    'SELECT %%L AS name, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM lead_protection.%%I AS t',
    c.relname, c.relname
), ' UNION ALL ')
FROM pg_class AS c
WHERE c.relnamespace = 'lead_protection'::regnamespace AND c.relkind = 'r'
    AND c.relname NOT IN ('calendar_days', 'help_operations')
"""
UNPUBLISHED = """
SELECT g.event_id FROM lead_protection.protection_log AS g
WHERE NOT EXISTS (SELECT FROM lead_protection.outbox_events AS e WHERE e.id = g.event_id)
"""
UNTOLD = """
SELECT 'expiry', x.lead_id FROM lead_protection.lead_expiries AS x
WHERE NOT x.adopted AND NOT EXISTS (
    SELECT FROM lead_protection.protection_log AS g
    WHERE g.lead_id = x.lead_id AND g.event_type = 'lead.protection.expired' AND g.occurred_at = x.recorded_at)
UNION ALL
SELECT 'reminder', r.lead_id FROM lead_protection.lead_reminders AS r
WHERE NOT r.adopted AND NOT EXISTS (
    SELECT FROM lead_protection.protection_log AS g
    WHERE g.lead_id = r.lead_id AND g.event_type = 'lead.protection.reminder' AND g.occurred_at = r.sent_at)
"""


def session(url: str, kill_at: int | str = 0) -> psycopg.Connection:
    """A session, autocommit, that dies at that write, counted from 1, or at `commit`; 0: it lives."""
    return psycopg.connect(url, autocommit=True, options=f"-c killing.at={kill_at}")


def dies(url: str, call: str, kill_at: int | str) -> bool:
    """Whether a call dies at that write. False: it was done, there are not so many."""
    with closing(session(url)) as other:
        other.execute("SELECT setval('killing.writes', 1, false)")
        with closing(session(url, kill_at)) as victim:
            pid = victim.info.backend_pid
            try:
                victim.execute(call)
            except psycopg.errors.AdminShutdown:
                # It tells its end before it gives back its locks, and a job passes over what is locked.
                gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s) AS gone"
                poll(lambda: row(other, gone, pid)["gone"], timeout=60, what="the backend is gone")
                return True
    return False


def writes(url: str) -> int:
    """How many rows were written since the count was set to 0."""
    with closing(session(url)) as other:
        return row(other, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM killing.writes")["n"]


def fingerprint(db: psycopg.Connection) -> list:
    """Differs once any row of ours does."""
    return sorted(db.execute(row(db, FINGERPRINT)["string_agg"]).fetchall(), key=repr)


def broken(db: psycopg.Connection) -> dict[str, list]:
    """What must never be, by name; empty: all is well."""
    found = {
        "drift": drift(db),
        "no event": db.execute(UNPUBLISHED).fetchall(),
        "not told": db.execute(UNTOLD).fetchall(),
        "schema": [(fault,) for fault in faults_in_outbox(db)],
    }
    return {name: wrong for name, wrong in found.items() if wrong}


def state(db: psycopg.Connection) -> dict[str, list[str]]:
    """All rows, without instants and numbers, which each run has of its own."""
    return {
        name: sorted(map(repr, db.execute(f"SELECT {columns} FROM lead_protection.{name}").fetchall()))
        for name, columns in db.execute(COLUMNS, (OWN.pattern,)).fetchall()
    }


def answer(found: list[dict]) -> str:
    """What was answered, without instants and numbers."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if not OWN.search(key)}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return type(value).__name__ if isinstance(value, (datetime, date, timedelta, UUID)) else value

    text = json.dumps(plain(found), default=str, sort_keys=True)
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[^\"]*|[0-9a-f]{8}-[0-9a-f-]{27}", "~", text)
