"""Tables of companies' own, no two alike: what is adopted in the tests, and how they are written to."""

import itertools
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from helpers.model import Lead, Policy, Version, protection


@dataclass(frozen=True)
class Source:
    """A table of leads as some company has it, and the arguments with which it is adopted."""

    table: str
    ddl: str
    columns: dict[str, str]  # id, user, start, status
    users: list  # as the table names them
    starts: str  # SQL with a number of days: a start so long ago
    won: str  # an assignment that closes a row as converted
    lost: str
    open: str
    trash: str | None  # an assignment that deletes a row softly; None: there is none
    arguments: dict[str, str] = field(default_factory=dict)

    def adopt_sql(self, **changes) -> str:
        """The call that adopts it."""
        arguments = {"source": self.table, "actor_id": 900, "batch_size": 25} | self.arguments | changes
        given = ", ".join(
            f"{name} => " + (str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'")
            for name, value in arguments.items()
        )
        return f"CALL lead_protection.adopt_leads({given})"

    def insert_sql(self, number: int, days: float, user: object) -> str:
        """The statement that inserts a row, open, begun so many days ago."""
        c = self.columns
        return (
            f"INSERT INTO {self.table} ({c['id']}, {c['user']}, {c['start']})"
            f" VALUES ({number}, '{user}', {self.starts.format(days=days)})"
        )


CRM = Source(
    table="crm.leads",
    ddl="""
        CREATE SCHEMA crm;
        CREATE TABLE crm.leads (
            id bigint PRIMARY KEY, owner_id bigint, created_at timestamptz DEFAULT now(),
            status text NOT NULL DEFAULT 'new', deleted_at timestamptz, note text
        )""",
    columns={"id": "id", "user": "owner_id", "start": "created_at"},
    users=list(range(101, 109)),
    starts="now() - {days} * INTERVAL '1 day'",
    won="status = 'won'",
    lost="status = 'lost'",
    open="status = 'new', deleted_at = NULL",
    trash="deleted_at = now()",
    arguments={
        "user_column": "owner_id",
        "converted_when": "status IN ('won', 'invoiced')",
        "lost_when": "status = 'lost'",
        "deleted_when": "deleted_at IS NOT NULL",
    },
)
SALES = Source(
    table='"Sales"."Opportunity"',
    ddl="""
        CREATE SCHEMA "Sales";
        CREATE TYPE "Sales".stage AS ENUM ('open', 'won', 'lost');
        CREATE TABLE "Sales"."Opportunity" (
            "Title" text, "OppNo" integer NOT NULL UNIQUE, "Rep" uuid NOT NULL,
            "Opened" timestamp NOT NULL, "Stage" "Sales".stage NOT NULL DEFAULT 'open'
        )""",
    columns={"id": '"OppNo"', "user": '"Rep"', "start": '"Opened"'},
    users=[uuid.UUID(int=n) for n in range(1, 9)],
    starts="(now() AT TIME ZONE 'Europe/Berlin') - {days} * INTERVAL '1 day'",
    won="\"Stage\" = 'won'",
    lost="\"Stage\" = 'lost'",
    open="\"Stage\" = 'open'",
    trash=None,
    arguments={
        "id_column": "OppNo",
        "user_column": "Rep",
        "start_column": "Opened",
        "time_zone": "Europe/Berlin",
        "converted_when": "\"Stage\" = 'won'",
        "lost_when": "\"Stage\" = 'lost'",
    },
)
LEGACY = Source(
    table="legacy.kunden",
    ddl="""
        CREATE SCHEMA legacy;
        CREATE TABLE legacy.kunden (
            nr bigint PRIMARY KEY, vertreter varchar(40), angelegt date NOT NULL, umsatz numeric DEFAULT 0,
            aktiv boolean NOT NULL DEFAULT true, gesperrt char(1) DEFAULT 'N'
        )""",
    columns={"id": "nr", "user": "vertreter", "start": "angelegt"},
    users=["Müller", "O'Neill", "van der Berg", " Weiß", "100%", "müller"],
    starts="current_date - ({days})::integer",
    won="aktiv = false, umsatz = 12.50",
    lost="aktiv = false, umsatz = 0",
    open="aktiv = true, gesperrt = 'N'",
    trash="gesperrt = 'J'",
    arguments={
        "id_column": "nr",
        "user_column": "vertreter",
        "start_column": "angelegt",
        "time_zone": "Europe/Vienna",
        "converted_when": "NOT aktiv AND umsatz > 0",
        "lost_when": "NOT aktiv",
        "deleted_when": "gesperrt = 'J'",
    },
)
NUMBERS = itertools.count(100_000)  # of new rows; no two the same in a session
SOURCES = {"crm": CRM, "sales": SALES, "legacy": LEGACY}


def quoted(user: object) -> str:
    """A user's name as it stands between quotes in SQL."""
    return str(user).replace("'", "''")


def fill(db: psycopg.Connection, source: Source, rows: int = 300) -> None:
    """Make the table, with rows of all ages and fates."""
    dice = random.Random(4711)
    db.execute(source.ddl)
    for number in range(1, rows + 1):
        db.execute(source.insert_sql(number, dice.randint(0, 400), quoted(dice.choice(source.users))))
        if (change := dice.choice([source.won, source.lost, source.trash, None, None, None])) is not None:
            db.execute(f"UPDATE {source.table} SET {change} WHERE {source.columns['id']} = {number}")


def random_write(source: Source, dice: random.Random, own: list[int]) -> str:
    """A statement as the company's own program might give it."""
    c, table = source.columns, source.table
    some = own or [dice.randint(1, 300)]
    one = dice.choice(some)
    user = quoted(dice.choice(source.users))
    start = source.starts.format(days=dice.randint(0, 300))
    inserted = next(NUMBERS)
    own.append(inserted)
    insert = source.insert_sql(inserted, dice.randint(0, 300), user)
    return dice.choice(
        [
            insert,
            insert,
            f"{source.insert_sql(one, 5, user)} ON CONFLICT ({c['id']}) DO UPDATE SET {c['user']} = '{user}'",
            f"MERGE INTO {table} AS t USING (VALUES ({one}), ({inserted})) AS n (id) ON t.{c['id']} = n.id"
            f" WHEN MATCHED THEN UPDATE SET {source.won} WHEN NOT MATCHED THEN"
            f" INSERT ({c['id']}, {c['user']}, {c['start']}) VALUES (n.id, '{user}', {start})",
            f"UPDATE {table} SET {c['user']} = '{user}' WHERE {c['id']} = {one}",
            f"UPDATE {table} SET {c['start']} = {start} WHERE {c['id']} = {one}",
            f"UPDATE {table} SET {source.won} WHERE {c['id']} = {one}",
            f"UPDATE {table} SET {source.lost} WHERE {c['id']} = {one}",
            f"UPDATE {table} SET {source.open} WHERE {c['id']} = {one}",
            f"UPDATE {table} SET {source.trash or source.lost} WHERE {c['id']} = {one}",
            f"DELETE FROM {table} WHERE {c['id']} = {one}",
        ]
    )


@contextmanager
def under_load(source: Source, connect: Callable[..., psycopg.Connection], writers: int = 3) -> Iterator[list[int]]:
    """Write to the table from several sessions for as long as the block runs, and at least 60 statements each.

    They write some hundred statements a second: at full speed a slow machine would have ever more to follow. Each of
    them has rows of its own, so that they wait for nobody but us. Gives the list of how many statements each has done;
    whatever fails in a writer fails the test.
    """
    stop, done, failures = threading.Event(), [0] * writers, []

    def write(writer: int) -> None:
        dice = random.Random(writer)
        own = [n for n in range(1, 301) if n % writers == writer]
        try:
            with connect() as connection:
                while not stop.is_set() or done[writer] < 60:
                    connection.execute(random_write(source, dice, own))
                    done[writer] += 1
                    stop.wait(0.005)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
    assert not failures, failures[0]
    assert not any(thread.is_alive() for thread in threads)


MAPPED = {
    "crm": """
        SELECT id, owner_id, created_at, CASE WHEN deleted_at IS NOT NULL THEN 'DELETED'
            WHEN status IN ('won', 'invoiced') THEN 'CONVERTED' WHEN status = 'lost' THEN 'LOST' END
        FROM crm.leads""",
    "sales": """
        SELECT "OppNo", (SELECT user_id FROM lead_protection.adopted_users WHERE user_key = "Rep"::text),
            "Opened" AT TIME ZONE 'Europe/Berlin',
            CASE "Stage" WHEN 'won' THEN 'CONVERTED' WHEN 'lost' THEN 'LOST' END
        FROM "Sales"."Opportunity\"""",
    "legacy": """
        SELECT nr, (SELECT user_id FROM lead_protection.adopted_users WHERE user_key = vertreter),
            angelegt::timestamp AT TIME ZONE 'Europe/Vienna',
            CASE WHEN gesperrt = 'J' THEN 'DELETED' WHEN aktiv THEN NULL WHEN umsatz > 0 THEN 'CONVERTED'
                ELSE 'LOST' END
        FROM legacy.kunden""",
}


def follow(db: psycopg.Connection) -> None:
    """What the schedule does each minute."""
    db.execute("CALL lead_protection.follow_adopted_tables()")


def assert_in_step(db: psycopg.Connection, name: str) -> None:
    """Once it was followed, row by row: the company's table, our leads, and the model of the rule say the same."""
    follow(db)
    theirs = {row[0]: row[1:] for row in db.execute(MAPPED[name])}
    ours = {
        row[0]: row[1:]
        for row in db.execute("""
            SELECT l.id, l.user_id, l.created_at, l.closed_as, v.protection_expires_at, v.state,
                EXISTS (
                    SELECT FROM lead_protection.lead_history AS h WHERE h.lead_id = l.id AND h.user_id <> l.user_id
                ),
                now()
            FROM lead_protection.leads AS l INNER JOIN lead_protection.v_user_lead_protection AS v ON l.id = v.lead_id
        """)
    }
    gone = ours.keys() - theirs.keys()
    assert theirs.keys() <= ours.keys()
    assert {ours[lead_id][2] for lead_id in gone} <= {"DELETED"}
    for lead_id, (user_id, started_at, outcome) in theirs.items():
        our_user, our_start, closed_as, expires_at, state, transferred, now = ours[lead_id]
        assert closed_as == outcome, lead_id
        if outcome is not None:
            assert state == "CLOSED", lead_id
            continue
        assert our_user == user_id, lead_id
        if not transferred:
            assert our_start == started_at, lead_id
        expected = protection(Lead((Version(our_user, Policy(), our_start),)), now)
        assert expected is not None and expires_at == expected.protection_expires_at, lead_id
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall() == []
