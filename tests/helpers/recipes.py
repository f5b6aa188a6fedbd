"""The ten systems of docs/adoption-recipes.md: how their own programs write, and what they then hold to be true."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import psycopg

UTC_AGO = "(now() AT TIME ZONE 'UTC') - {days} * INTERVAL '1 day'"


def uuids(number: int) -> str:
    """A uuid for a number."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def short_ids(number: int) -> str:
    """An id of 17 characters, as EspoCRM makes them."""
    return uuids(number).replace("-", "")[:17]


@dataclass(frozen=True)
class System:
    """A system's table of leads, and its writes; in a statement {key}, {keys}, {user} stand for literals."""

    table: str
    columns: tuple[str, ...]  # key, owner, start
    won: str  # assignments
    lost: str
    open: str
    starts: str = UTC_AGO
    trash: str | None = None  # an assignment that deletes softly
    key: Callable[[int], str] = str
    users: tuple[str, ...] = ("11", "12", "13", "14")
    nobody: str = "NULL"  # what stands for no owner
    more: dict[str, str] = field(default_factory=dict)  # columns without a default, and their values
    setup: str = ""
    delete_user: str = ""
    heir: str | None = None  # who has a deleted user's leads; None: nobody; "same": they stay
    start_sql: str = "{start} AT TIME ZONE 'UTC'"
    outcome_sql: str = ""
    rows_sql: str = ""  # key, start, outcome of each row that is a lead

    def literal(self, user: str | None) -> str:
        """The owner as a literal."""
        return self.nobody if user is None else f"'{user}'"

    def insert(self, rows: list[tuple[str, str | None, int]]) -> str:
        """One statement, or transaction, that inserts rows of key, owner and age in days."""
        names = ", ".join((*self.columns, *self.more))
        values = ", ".join(
            f"('{key}', {self.literal(user)}, {', '.join((self.starts.format(days=days), *self.more.values()))})"
            for key, user, days in rows
        )
        return f"INSERT INTO {self.table} ({names}) VALUES {values}"

    def update(self, keys: list[str], assignments: str) -> str:
        """A statement that changes rows."""
        return f"UPDATE {self.table} SET {assignments} WHERE {self.columns[0]} IN ({self.listed(keys)})"

    def assign(self, keys: list[str], user: str | None) -> str:
        """A statement that gives rows to a user, or to nobody."""
        return self.update(keys, f"{self.columns[1]} = {self.literal(user)}")

    def delete(self, keys: list[str]) -> str:
        """A statement that deletes rows for good."""
        return f"DELETE FROM {self.table} WHERE {self.columns[0]} IN ({self.listed(keys)})"

    def listed(self, keys: list[str]) -> str:
        """Keys as a list of literals."""
        return ", ".join(f"'{key}'" for key in keys)

    def copy(self, db: psycopg.Connection, rows: list[tuple[str, str | None, datetime]]) -> None:
        """COPY rows of key, owner and start."""
        with (
            db.cursor() as cursor,
            cursor.copy(f"COPY {self.table} ({', '.join((*self.columns, *self.more))}) FROM STDIN") as copy,
        ):
            for key, user, start in rows:
                owner = (None if self.nobody == "NULL" else self.nobody.strip("'")) if user is None else user
                extra = [value.strip("'") for value in self.more.values()]
                copy.write_row((key, owner, start.replace(tzinfo=None) if "UTC" in self.starts else start, *extra))

    def rows(self, db: psycopg.Connection) -> dict[str, tuple[datetime, str | None]]:
        """What the tables say, read apart from what is tested: start and outcome of each lead."""
        key, _, start = self.columns
        query = self.rows_sql or (
            f"SELECT rtrim({key}::text), {self.start_sql.format(start=start)}, {self.outcome_sql} FROM {self.table}"
        )
        return {row[0]: row[1:] for row in db.execute(query)}


def outcome(deleted: str, won: str, lost: str) -> str:
    """SQL for the outcome of a row."""
    return f"CASE WHEN {deleted} THEN 'DELETED' WHEN {won} THEN 'CONVERTED' WHEN {lost} THEN 'LOST' END"


class OwnersApart(System):
    """A system that has its owners in a table of their own: a row there for each owner."""

    owners, owner_lead, owner_user = "public.lead_assigned_to", "lead_id", "profile_id"

    def insert(self, rows: list[tuple[str, str | None, int]]) -> str:
        """Leads, and their owners, in one transaction."""
        key, _, start = self.columns
        values = ", ".join(f"('{k}', {self.starts.format(days=days)})" for k, _, days in rows)
        return (
            f"INSERT INTO {self.table} ({key}, {start}) VALUES {values}; "
            + "; ".join(self.give(k, user) for k, user, _ in rows if user is not None)
        ).rstrip("; ")

    def give(self, key: str, user: str) -> str:
        """A statement that names an owner."""
        return f"INSERT INTO {self.owners} ({self.owner_lead}, {self.owner_user}) VALUES ('{key}', '{user}')"

    def assign(self, keys: list[str], user: str | None) -> str:
        """Who was assigned is taken out, and another one put in: one transaction."""
        out = f"DELETE FROM {self.owners} WHERE {self.owner_lead} IN ({self.listed(keys)})"
        return "; ".join([out, *(self.give(key, user) for key in keys if user is not None)])

    def delete(self, keys: list[str]) -> str:
        """Owners first, as Django does it."""
        return f"{self.assign(keys, None)}; {super().delete(keys)}"

    def copy(self, db: psycopg.Connection, rows: list[tuple[str, str | None, datetime]]) -> None:
        """COPY into both tables, in one transaction."""
        key, _, start = self.columns
        with db.transaction(), db.cursor() as cursor:
            with cursor.copy(f"COPY {self.table} ({key}, {start}) FROM STDIN") as copy:
                for k, _, begun in rows:
                    copy.write_row((k, begun))
            with cursor.copy(f"COPY {self.owners} ({self.owner_lead}, {self.owner_user}) FROM STDIN") as copy:
                for k, user, _ in rows:
                    if user is not None:
                        copy.write_row((k, user))


class Vtiger(System):
    """Two rows a lead: what every record has, and what a lead has."""

    def insert(self, rows: list[tuple[str, str | None, int]]) -> str:
        """Both rows, in one transaction."""
        entities = ", ".join(
            f"({key}, {user or 0}, 'Leads', {self.starts.format(days=days)}, now() AT TIME ZONE 'UTC')"
            for key, user, days in rows
        )
        return (
            "INSERT INTO public.vtiger_crmentity (crmid, smownerid, setype, createdtime, modifiedtime)"
            f" VALUES {entities}; INSERT INTO public.vtiger_leaddetails (leadid, lastname)"
            f" VALUES {', '.join(f'({key}, chr(120))' for key, _, _ in rows)}"
        )

    def update(self, keys: list[str], assignments: str) -> str:
        """In the table that has the columns; opened again in both."""
        entity = f"UPDATE public.vtiger_crmentity SET %s WHERE crmid IN ({self.listed(keys)})"
        if "smownerid" in assignments or "deleted" in assignments:
            return entity % assignments
        opened = f"; {entity % 'deleted = 0'}" if assignments == self.open else ""
        return super().update(keys, assignments) + opened

    def delete(self, keys: list[str]) -> str:
        """The recycle bin is emptied: the one table, and by its foreign key the other."""
        return f"DELETE FROM public.vtiger_crmentity WHERE crmid IN ({self.listed(keys)})"

    def copy(self, db: psycopg.Connection, rows: list[tuple[str, str | None, datetime]]) -> None:
        """COPY into both tables, in one transaction."""
        with db.transaction(), db.cursor() as cursor:
            with cursor.copy(
                "COPY public.vtiger_crmentity (crmid, smownerid, setype, createdtime, modifiedtime) FROM STDIN"
            ) as copy:
                for key, user, start in rows:
                    copy.write_row((key, user or 0, "Leads", start.replace(tzinfo=None), start.replace(tzinfo=None)))
            with cursor.copy("COPY public.vtiger_leaddetails (leadid, lastname) FROM STDIN") as copy:
                for key, _, _ in rows:
                    copy.write_row((key, "x"))


TEXT_USERS = tuple(short_ids(n) for n in range(11, 15))
UUID_USERS = tuple(uuids(n) for n in range(11, 15))
SUGAR = outcome("deleted = 1", "converted = 1", "status = 'Dead'")

SYSTEMS: dict[str, System] = {
    "freshplan": System(
        table="public.leads",
        columns=("id", "owner_user_id", "protection_start_at"),
        more={"company_name": "'x'"},
        users=UUID_USERS,
        won="status = 'CONVERTED'",
        lost="status = 'LOST'",
        trash="status = 'DELETED'",
        open="status = 'ACTIVE', gdpr_deleted = false",
        delete_user="UPDATE public.leads SET owner_user_id = NULL WHERE owner_user_id = {user}",
        outcome_sql=outcome("status = 'DELETED' OR gdpr_deleted", "status = 'CONVERTED'", "status = 'LOST'"),
    ),
    "Odoo": System(
        table="public.crm_lead",
        columns=("id", "user_id", "create_date"),
        more={"name": "'x'"},
        setup="INSERT INTO public.res_users (id, login) SELECT n, n FROM generate_series(11, 14) AS n",
        won="active = true, probability = 100",
        lost="active = false, probability = 0",
        open="active = true, probability = 10",
        delete_user="DELETE FROM public.res_users WHERE id = {user}",
        outcome_sql=outcome("false", "active AND probability = 100", "NOT active"),
    ),
    "yudao": System(
        table="public.crm_clue",
        columns=("id", "owner_user_id", "create_time"),
        more={"name": "'x'"},
        nobody="0",
        starts="(now() AT TIME ZONE 'Asia/Shanghai') - {days} * INTERVAL '1 day'",
        won="transform_status = true",
        lost="transform_status = true",
        trash="deleted = 1",
        open="transform_status = false, deleted = 0",
        delete_user="UPDATE public.crm_clue SET owner_user_id = NULL WHERE owner_user_id = {user}",
        start_sql="{start} AT TIME ZONE 'Asia/Shanghai'",
        outcome_sql=outcome("deleted = 1", "transform_status", "false"),
    ),
    "Krayin": System(
        table="public.leads",
        columns=("id", "user_id", "created_at"),
        more={"title": "'x'"},
        setup="INSERT INTO public.users (id, name) SELECT n, n FROM generate_series(11, 14) AS n",
        won="lead_pipeline_stage_id = 5",
        lost="lead_pipeline_stage_id = 6",
        open="lead_pipeline_stage_id = 2",
        delete_user="DELETE FROM public.users WHERE id = {user}",
        outcome_sql=outcome("false", "lead_pipeline_stage_id = 5", "lead_pipeline_stage_id = 6"),
    ),
    "Vtiger": Vtiger(
        table="public.vtiger_leaddetails",
        columns=("leadid", "smownerid", "createdtime"),
        nobody="0",
        won="converted = 1",
        lost="leadstatus = 'Junk Lead'",
        trash="deleted = 1",
        open="converted = 0, leadstatus = 'Cold'",
        delete_user="UPDATE public.vtiger_crmentity SET smownerid = 12 WHERE smownerid = {user}",
        heir="12",
        rows_sql="SELECT leadid::text, createdtime AT TIME ZONE 'UTC', "
        + outcome("deleted = 1", "converted = 1", "leadstatus IN ('Lost Lead', 'Junk Lead')")
        + " FROM public.vtiger_leaddetails INNER JOIN public.vtiger_crmentity ON leadid = crmid",
    ),
    "EspoCRM": System(
        table="public.lead",
        columns=("id", "assigned_user_id", "created_at"),
        key=short_ids,
        users=TEXT_USERS,
        won="status = 'Converted'",
        lost="status = 'Dead'",
        trash="deleted = true",
        open="status = 'In Process', deleted = false",
        heir="same",
        outcome_sql=outcome("deleted", "status = 'Converted'", "status = 'Dead'"),
    ),
    "SuiteCRM": System(
        table="public.leads",
        columns=("id", "assigned_user_id", "date_entered"),
        key=uuids,
        users=("1", *UUID_USERS[:3]),
        nobody="''",
        won="converted = 1, status = 'Converted'",
        lost="status = 'Dead'",
        trash="deleted = 1",
        open="status = 'Assigned', converted = 0, deleted = 0",
        heir="same",
        outcome_sql=SUGAR,
    ),
    "Twenty": System(
        table="public.opportunity",
        columns=("id", '"ownerId"', '"createdAt"'),
        key=uuids,
        users=UUID_USERS,
        starts="now() - {days} * INTERVAL '1 day'",
        setup='INSERT INTO public."workspaceMember" (id) VALUES ' + ", ".join(f"('{user}')" for user in UUID_USERS),
        won="stage = 'CUSTOMER'",
        lost="stage = 'CUSTOMER'",
        trash='"deletedAt" = now()',
        open="stage = 'MEETING', \"deletedAt\" = NULL",
        delete_user='DELETE FROM public."workspaceMember" WHERE id = {user}',
        start_sql="{start}",
        outcome_sql=outcome('"deletedAt" IS NOT NULL', "stage = 'CUSTOMER'", "false"),
    ),
    "ERPNext": System(
        table='public."tabLead"',
        columns=("name", "lead_owner", "creation"),
        key=lambda number: f"CRM-LEAD-2026-{number:05}",
        users=("ann@example.com", "Bo.Müller@example.com", "o'neill@example.com".replace("'", ""), "dee@example.com"),
        nobody="''",
        starts="(now() AT TIME ZONE 'Europe/Berlin') - {days} * INTERVAL '1 day'",
        won="status = 'Converted'",
        lost="status = 'Do Not Contact'",
        open="status = 'Open'",
        delete_user='UPDATE public."tabLead" SET lead_owner = NULL WHERE lead_owner = {user}',
        start_sql="{start} AT TIME ZONE 'Europe/Berlin'",
        outcome_sql=outcome("false", "status = 'Converted'", "status IN ('Lost Quotation', 'Do Not Contact')"),
    ),
    "Django-CRM": OwnersApart(
        table="public.lead",
        columns=("id", "profile_id", "created_at"),
        key=uuids,
        users=UUID_USERS,
        starts="now() - {days} * INTERVAL '1 day'",
        won="status = 'converted'",
        lost="status = 'closed'",
        trash="is_active = false",
        open="status = 'assigned', is_active = true",
        delete_user="DELETE FROM public.lead_assigned_to WHERE profile_id = {user}",
        start_sql="{start}",
        outcome_sql=outcome("NOT is_active", "status = 'converted'", "status IN ('recycled', 'closed')"),
    ),
}


@dataclass
class Fact:
    """What a writer knows of a row that it wrote."""

    user: str | None
    # When the present owner got it; None: it was inserted with that owner.
    since: tuple[datetime, datetime] | None = None
    is_closed: bool = False
    is_gone: bool = False


class Company:
    """A writer of the company's: does what its program does to rows of its own, and keeps book."""

    def __init__(self, system: System, db: psycopg.Connection, numbers: range, seed: int):
        self.system, self.db, self.dice = system, db, random.Random(seed)
        self.numbers = iter(numbers)
        self.facts: dict[str, Fact] = {}
        self.done: list[str] = []  # told when a row is not as it should be

    def execute(self, statement: str) -> tuple[datetime, datetime]:
        """Execute it, as one transaction; between which instants it was."""
        begun = datetime.now(UTC)
        with self.db.transaction():
            self.db.execute(statement)
        self.done.append(f"{begun} to {datetime.now(UTC)}: {statement}")
        return begun, datetime.now(UTC)

    def insert(self, count: int) -> None:
        """Insert rows in one statement; every fourth is nobody's."""
        new = [
            (
                self.system.key(next(self.numbers)),
                self.dice.choice([*self.system.users[:3], None]),
                self.dice.randint(0, 300),
            )
            for _ in range(count)
        ]
        self.execute(self.system.insert(new))
        self.facts |= {key: Fact(user) for key, user, _ in new}

    def copy(self, count: int) -> None:
        """The same with COPY."""
        new = [
            (self.system.key(next(self.numbers)), self.dice.choice([*self.system.users, None]), datetime.now(UTC))
            for _ in range(count)
        ]
        self.system.copy(self.db, new)
        self.facts |= {key: Fact(user) for key, user, _ in new}

    def opened(self) -> list[str]:
        """The keys of rows that are open."""
        return [key for key, fact in self.facts.items() if not (fact.is_closed or fact.is_gone)]

    def closed(self) -> list[str]:
        """The keys of rows that are closed."""
        return [key for key, fact in self.facts.items() if fact.is_closed and not fact.is_gone]

    def assign(self, keys: list[str], user: str | None) -> None:
        """Give rows to a user, or to nobody, in one statement."""
        window = self.execute(self.system.assign(keys, user))
        for key in keys:
            if self.facts[key].user != user:
                self.facts[key] = replace(self.facts[key], user=user, since=window)

    def close(self, keys: list[str], assignments: str) -> None:
        """Close or delete rows softly."""
        self.execute(self.system.update(keys, assignments))
        for key in keys:
            self.facts[key].is_closed = True

    def reopen(self, keys: list[str]) -> None:
        """Open rows that are closed."""
        self.execute(self.system.update(keys, self.system.open))
        for key in keys:
            self.facts[key].is_closed = False

    def delete(self, keys: list[str]) -> None:
        """Delete rows for good."""
        self.execute(self.system.delete(keys))
        for key in keys:
            self.facts[key].is_gone = True

    def delete_user(self, user: str) -> tuple[datetime, datetime]:
        """Delete a user, whosever rows they have; between which instants it was."""
        return self.execute(self.system.delete_user.format(user=f"'{user}'") or "SELECT")

    def lose_user(self, user: str, window: tuple[datetime, datetime]) -> None:
        """Note in the book what became of the rows of a user who was deleted."""
        for key, fact in self.facts.items():
            if fact.user == user and self.system.heir != "same" and not fact.is_gone:
                self.facts[key] = replace(fact, user=self.system.heir, since=window)

    def to_and_fro(self, key: str) -> None:
        """Give a row to another and back within one transaction: nothing has happened."""
        user = self.facts[key].user
        other = self.dice.choice(self.system.users)
        self.execute(f"{self.system.assign([key], other)}; {self.system.assign([key], user)}")

    def write(self) -> None:
        """Do something, as the dice say."""
        dice, system = self.dice, self.system
        if len(self.opened()) < 4:
            self.insert(4)
        some = dice.sample(self.opened(), dice.choice([1, 1, 1, 3]))
        work = dice.randint(0, 9)
        if work <= 1:
            self.insert(dice.choice([1, 5]))
        elif work <= 4:
            self.assign(some, dice.choice(system.users[:3]))
        elif work == 5:
            self.assign(some, None)
        elif work == 6:
            self.close(some, dice.choice([system.won, system.lost, system.trash or system.lost]))
        elif work == 7 and self.closed():
            self.reopen([dice.choice(self.closed())])
        elif work == 8:
            self.to_and_fro(some[0])
        else:
            self.delete(some[:1])
