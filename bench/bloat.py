#!/usr/bin/env python3
"""A month of jobs and calls on a private PostgreSQL whose clock is set, and what it does to the tables.

Leads come in, are held, released, transferred and closed, users are active, the jobs run, two consumers take the
events, an adopted table is written to. The clock runs, and is put forward between the calls by libfaketime. Autovacuum
has the settings as shipped, but for a shorter nap: a month takes minutes here. After each quarter of a day it gets its
chance, until no table is above its threshold.
"""

import argparse
import random
import signal
import sys
import tempfile
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
from psycopg.rows import class_row

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "tests"), str(PROJECT)]

from helpers.command_line import run_ok  # noqa: E402
from helpers.faked_clock import FakedServer  # noqa: E402
from helpers.server import server_directory  # noqa: E402

QUARTERS = 4
START = """
INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)
SELECT n, n %% 100, now() - n * (INTERVAL '260 days' / %(leads)s), now() FROM generate_series(1, %(leads)s) AS n;
CREATE TABLE crm (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz NOT NULL, note text);
INSERT INTO crm SELECT 1000000 + n, n %% 100, now() - n * (INTERVAL '200 days' / %(adopted)s), 'x'
FROM generate_series(1, %(adopted)s) AS n;
SELECT lead_protection.register_event_consumer('crm');
SELECT lead_protection.register_event_consumer('mailer', ARRAY['lead.protection.reminder'])
"""
# Above its threshold, as autovacuum counts: dead rows, or rows that were inserted.
WAITING = """
SELECT s.relname
FROM pg_stat_user_tables AS s
INNER JOIN pg_class AS c ON s.relid = c.oid
CROSS JOIN LATERAL (
    SELECT
        coalesce(max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_threshold'), '50')::float8
        + coalesce(max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_scale_factor'), '0.2')::float8
        * greatest(c.reltuples, 0) AS dead
    FROM pg_options_to_table(c.reloptions) AS o
) AS t
WHERE
    s.schemaname = 'lead_protection'
    AND (s.n_dead_tup > t.dead OR s.n_ins_since_vacuum > 1000 + 0.2 * greatest(c.reltuples, 0))
"""
SIZES = """
SELECT
    s.relname, c.reltuples::bigint AS live, pg_total_relation_size(s.relid) / 1024 AS size, s.n_dead_tup AS dead,
    s.n_tup_upd AS updates, s.n_tup_hot_upd AS hot, s.n_tup_ins + s.n_tup_upd + s.n_tup_del AS written,
    s.autovacuum_count AS vacuums
FROM pg_stat_user_tables AS s INNER JOIN pg_class AS c ON s.relid = c.oid
WHERE s.schemaname = 'lead_protection'
"""
# Rows stay: what happened, what is asked for later. Events and what became of them, and the history of jobs, 90 days.
HISTORY = {
    "protection_log", "log_leaves", "log_nodes", "log_seals", "lead_history", "lead_holds", "lead_activities",
    "lead_extensions", "lead_reminders", "lead_expiries", "lead_warnings", "leads", "reminder_deliveries",
}  # fmt: skip
FOR_90_DAYS = {"outbox_events", "event_deliveries", "job_runs"}


class RunningClock(FakedServer):
    """A clock that runs, and is so far ahead of the true one."""

    def set(self, now: datetime) -> None:
        """Put it forward. Autovacuum sleeps by the clock: one that stands still would never wake it."""
        ahead = (now - datetime.now(UTC)).total_seconds()
        new = self.file.with_suffix(".new")
        new.write_text(f"{ahead:+.0f}\n")
        new.rename(self.file)


class Month:
    """The days, one after the other."""

    def __init__(self, server: RunningClock, url: str, given: argparse.Namespace):
        """Connect."""
        self.server, self.given, self.chance = server, given, random.Random(1)
        self.db = psycopg.connect(url, autocommit=True)
        self.now = datetime.now(UTC)
        self.held: list[tuple[int, int]] = []
        self.number = 0
        self.waited = self.gave_up = 0.0
        self.took: dict[str, float] = {}

    def call(self, query: str, arguments: tuple = ()) -> list:
        """Make a call; what is refused was not to be."""
        begun = time.monotonic()
        try:
            return self.db.execute(query, arguments, prepare=True).fetchall()
        except psycopg.Error as refused:
            if not (refused.sqlstate or "").startswith("LP"):
                raise
            return []
        finally:
            what = query.split("lead_protection.", 1)[-1].split("(")[0]
            self.took[what] = self.took.get(what, 0) + time.monotonic() - begun

    def run(self, procedure: str) -> None:
        """Run a job."""
        begun = time.monotonic()
        self.db.execute(f"CALL lead_protection.{procedure}()")
        self.took[procedure] = self.took.get(procedure, 0) + time.monotonic() - begun

    def key(self) -> str:
        """A key that was never given."""
        self.number += 1
        return f"key {self.number}"

    def calls(self) -> list:
        """What happens on one day, in the order in which it happens; shares of the leads that there are."""
        leads = self.given.leads
        day = [
            *[self.enter] * (leads // 260), *[self.act] * (leads // 40), *[self.hold] * (leads // 100),
            *[self.release] * (leads // 100), *[self.transfer] * (leads // 400), *[self.close] * (leads // 400),
            *[self.extend] * (leads // 800), *[self.write_adopted] * (leads // 400),
        ]  # fmt: skip
        self.chance.shuffle(day)
        return day

    def some(self) -> tuple[int, int]:
        """A lead that lives."""
        while True:
            found = self.db.execute(
                "SELECT id, user_id FROM lead_protection.leads WHERE id = %s AND closed_at IS NULL",
                (self.chance.randint(1, self.given.leads),),
                prepare=True,
            ).fetchone()
            if found:
                return found

    def enter(self) -> None:
        """A lead comes in."""
        self.call("SELECT lead_protection.protect_lead(%s, 1, %s)", (self.chance.randint(0, 99), self.key()))

    def act(self) -> None:
        """A user is active."""
        self.call(
            "SELECT lead_protection.record_lead_activity(%s, %s, 'QUALIFIED_CALL', now(), %s, 1)",
            (*self.some(), self.key()),
        )

    def hold(self) -> None:
        """A hold is made."""
        lead = self.some()
        if self.call("SELECT lead_protection.create_lead_hold(%s, %s, 'x', 1)", lead):
            self.held.append(lead)

    def release(self) -> None:
        """One of the holds is released."""
        if self.held:
            lead = self.held.pop(self.chance.randrange(len(self.held)))
            self.call("SELECT lead_protection.release_lead_hold(%s, %s, 1)", lead)

    def transfer(self) -> None:
        """Another user takes over."""
        self.call(
            "SELECT lead_protection.transfer_lead(%s, %s, %s, 'x', 1)", (*self.some(), self.chance.randint(0, 99))
        )

    def close(self) -> None:
        """It was lost."""
        self.call("SELECT lead_protection.close_lead(%s, %s, 'LOST', 'x', 1)", self.some())

    def extend(self) -> None:
        """Some days more."""
        self.call("SELECT lead_protection.extend_lead(%s, %s, 3, 'x', 2, 1, %s)", (*self.some(), self.key()))

    def write_adopted(self) -> None:
        """The company writes to a table of its own."""
        self.db.execute(
            "UPDATE crm SET user_id = %s WHERE id = %s",
            (self.chance.randint(0, 99), 1_000_000 + self.chance.randint(1, self.given.leads // 10)),
            prepare=True,
        )

    def consume(self) -> None:
        """Both consumers take what there is."""
        for name in ("crm", "mailer"):
            while self.call(
                "WITH claimed AS MATERIALIZED (SELECT * FROM lead_protection.claim_events(%s, 20)),"
                " batch AS (SELECT lease_token, array_agg(id) AS ids FROM claimed GROUP BY 1)"
                " SELECT a.* FROM batch, LATERAL lead_protection.acknowledge_events(%s, lease_token, ids) AS a",
                (name, name),
            ):
                pass

    def day(self) -> None:
        """One day: the jobs between the calls, and the night."""
        calls, runs = self.calls(), self.given.runs
        for number in range(runs):
            self.now += timedelta(days=1) / runs
            self.server.set(self.now)
            for call in calls[number * len(calls) // runs : (number + 1) * len(calls) // runs]:
                call()
            self.run("follow_adopted_tables")
            self.run("run_protection_pipeline")
            self.consume()
            if number == runs // 8:
                self.run("run_nightly_maintenance")
            if number % (runs // QUARTERS) == runs // QUARTERS - 1:
                self.let_autovacuum_work()

    def let_autovacuum_work(self) -> None:
        """Wait until no table is above its threshold, 20 seconds at most."""
        begun = time.monotonic()
        self.db.execute("SELECT pg_stat_force_next_flush()")
        while self.db.execute(WAITING).fetchall():
            if time.monotonic() > begun + 20:
                self.gave_up += 1
                break
            time.sleep(0.02)
        self.waited += time.monotonic() - begun

    def sizes(self) -> dict:
        """What is known of each table by its name."""
        with self.db.cursor(row_factory=class_row(SimpleNamespace)) as cursor:
            return {table.relname: table for table in cursor.execute(SIZES).fetchall()}


def report(found: dict[int, dict], rewritten: dict, most: int) -> None:
    """Print the table of results."""
    days = sorted(found)
    last = found[days[-1]]
    largest = sorted(last, key=lambda name: -last[name].size)[:most]
    others = sorted(last.keys() - {*largest})
    kinds = {
        "rows stay": [name for name in largest if name in HISTORY],
        "rows stay for 90 days": [name for name in largest if name in FOR_90_DAYS],
        "bounded": [name for name in largest if name not in HISTORY | FOR_90_DAYS],
        "small, and written to": [name for name in others if last[name].written],
    }
    print(f"{'':<18}" + "".join(f"{f'day {day}':>18}" for day in days) + f"{'anew':>7}")
    print(
        f"{'':<18}"
        + f"{'KiB':>6}{'rows':>7}{'dead':>5}" * len(days)
        + f"{'KiB':>7}{'updates':>8}{'HOT':>5}{'vacuums':>8}"
    )
    for kind, names in kinds.items():
        print(kind)
        for name in names:
            at = [found[day][name] for day in days]
            share = f"{100 * at[-1].hot // at[-1].updates}%" if at[-1].updates else "-"
            cells = "".join(f"{table.size:>6}{table.live:>7}{table.dead:>5}" for table in at)
            print(f"{name:<18}{cells}{rewritten[name].size:>7}{at[-1].updates:>8}{share:>5}{at[-1].vacuums:>8}")
    sums = [sum(table.size for table in tables.values()) for tables in (*found.values(), rewritten)]
    print(f"{'all tables':<18}" + "".join(f"{kib:>6}{'':>12}" for kib in sums[:-1]) + f"{sums[-1]:>7}")
    never = ", ".join(name for name in others if not last[name].written)
    print(textwrap.fill(f"never written to: {never}", 116))


def main() -> None:
    """Live a month and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--leads", type=int, default=6_000, help="that there are at first")
    parser.add_argument("--runs", type=int, default=24, help="of the pipeline a day; pg_cron makes 288")
    parser.add_argument("--tables", type=int, default=12, help="how many of the largest to show")
    given = parser.parse_args()
    begun = time.monotonic()
    # Who terminates it gets no server left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server_directory() as directory, tempfile.TemporaryDirectory(prefix="lead-protection-clock-") as clock:
        Path(clock).chmod(0o755)
        server = RunningClock(directory, Path(clock), datetime.now(UTC))
        server.server.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        server.server.execute("SELECT pg_reload_conf()")
        server.server.execute("CREATE DATABASE bloat")
        url = server.server.url("bloat")
        run_ok("apply", "--database", url)
        month = Month(server, url, given)
        print(month.db.execute("SELECT version()").fetchone()[0])
        with psycopg.ClientCursor(month.db) as cursor:
            cursor.execute(START, {"leads": given.leads, "adopted": given.leads // 10})
        month.db.execute("CALL lead_protection.adopt_leads('crm', 1)")
        month.db.execute("CALL lead_protection.switch_on_adoption()")
        month.run("run_protection_pipeline")
        month.consume()
        month.db.execute("VACUUM ANALYZE")
        month.db.execute("SELECT pg_stat_reset()")
        print(f"{given.leads} leads, {given.leads // 10} adopted; {len(month.calls())} calls a day,"
              f" {given.runs} runs of the pipeline a day", flush=True)  # fmt: skip
        found = {}
        shown = {1, given.days, *range(10, given.days, 10)}
        for day in range(1, given.days + 1):
            month.day()
            if day in shown:
                found[day] = month.sizes()
                print(f"day {day}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        for name in found[given.days]:
            month.db.execute(f"VACUUM FULL lead_protection.{name}")
        report(found, month.sizes(), given.tables)
        print(f"waited {month.waited:.0f} s for autovacuum, in vain {month.gave_up:.0f} times;"
              f" {time.monotonic() - begun:.0f} s in all")  # fmt: skip
        for what, took in sorted(month.took.items(), key=lambda each: -each[1])[:9]:
            print(f"{took:8.1f} s {what}", file=sys.stderr)
        drift = month.db.execute("SELECT count(*) FROM lead_protection.find_clock_drift()").fetchone()
        failed = month.db.execute("SELECT count(*) FROM lead_protection.job_runs WHERE outcome = 'failed'").fetchone()
        print(f"clocks that differ from the rule: {drift[0]}; runs that failed: {failed[0]}")


if __name__ == "__main__":
    main()
