"""Whoever may do everything in the database is found by a seal that was kept outside: that, and where."""

import os
import random
import re

import psycopg
import pytest

from helpers.project import cases
from helpers.seals import export, history, problems, verified

TAMPERINGS = int(os.environ.get("LEAD_PROTECTION_TAMPERINGS", cases(400, usual=100, fast=20)))

LOG = "lead_protection.protection_log"

# What makes another value of each field that is hashed.
CHANGES = {
    "event_id": "gen_random_uuid()",
    "event_type": "CASE event_type WHEN 'lead.hold.created' THEN 'lead.hold.released' ELSE 'lead.hold.created' END",
    "user_id": "coalesce(user_id, 0) + 1",
    "actor_id": "coalesce(actor_id, 0) + 1",
    "occurred_at": "occurred_at - INTERVAL '1 microsecond'",
    "recorded_at": "recorded_at + INTERVAL '1 day'",
    "state_before": "CASE state_before WHEN 'GRACE' THEN 'PROTECTED' ELSE 'GRACE' END",
    "state_after": "CASE state_after WHEN 'EXPIRED' THEN 'PROTECTED' ELSE 'EXPIRED' END",
    "expires_before": "coalesce(expires_before, now()) + INTERVAL '1 day'",
    "expires_after": "coalesce(expires_after, now()) - INTERVAL '1 second'",
    "session_role": "'somebody'",
    "application_name": "coalesce(application_name, '') || '.'",
    "chained_at": "coalesce(chained_at, now()) + INTERVAL '1 second'",
    "reason": "coalesce(reason, '') || ' indeed'",
    "details": 'details || \'{"evidence": "made up"}\'',
    "details ": "details || '{\"policy_id\": 99}'",
}


class Tamperer:
    """A superuser with triggers off, in a transaction that is undone; each of its ways returns what must be named."""

    def __init__(self, db: psycopg.Connection, seed: int, kept: list[str]):
        self.db, self.chance, self.kept = db, random.Random(seed), kept
        self.rows = db.execute("SELECT lead_id, log_number FROM lead_protection.log_leaves ORDER BY leaf").fetchall()
        self.lead_id, self.number = self.chance.choice(self.rows)
        self.last = max(number for lead_id, number in self.rows if lead_id == self.lead_id)

    def execute(self, statement: str, **values) -> psycopg.Cursor:
        return self.db.execute(statement, {"lead": self.lead_id, "row": self.number} | values)

    def rehash(self, first: int) -> None:
        """Give the leaves of all rows of the lead from `first` on fresh hashes, as if they had always been so."""
        (last,) = self.execute(f"SELECT max(log_number) FROM {LOG} WHERE lead_id = %(lead)s").fetchone()
        for number in range(first, last + 1):
            self.execute(
                "UPDATE lead_protection.log_leaves AS f SET row_hash = lead_protection.log_row_hash("
                "  (SELECT p.row_hash FROM lead_protection.log_leaves AS p"
                "   WHERE p.lead_id = f.lead_id AND p.log_number = f.log_number - 1),"
                "  lead_protection.log_row_digest(g))"
                f" FROM {LOG} AS g WHERE f.lead_id = %(lead)s AND f.log_number = %(row)s"
                " AND (g.lead_id, g.log_number) = (f.lead_id, f.log_number)",
                row=number,
            )

    def here(self, *numbers: int) -> str:
        """A pattern of what names one of these rows of the lead, or the lead as a whole where there are none."""
        rows = "|".join(map(str, numbers))
        return rf"^lead {self.lead_id}, row ({rows}): " if numbers else rf"^lead {self.lead_id}[,:] "

    def change(self) -> str:
        column = self.chance.choice(list(CHANGES))
        self.execute(
            f"UPDATE {LOG} SET {column.strip()} = {CHANGES[column]} WHERE lead_id = %(lead)s AND log_number = %(row)s"
        )
        return self.here(self.number)

    def change_a_leaf(self) -> str:
        self.execute(
            "UPDATE lead_protection.log_leaves SET row_hash = sha256('y')"
            " WHERE lead_id = %(lead)s AND log_number = %(row)s"
        )
        return self.here(self.number)

    def add_a_text(self) -> str:
        """To a row that had none, or whose texts were erased: its hash does not say which texts there are."""
        self.execute(
            f"UPDATE {LOG} SET texts_salt = NULL, reason = 'invented' WHERE lead_id = %(lead)s AND log_number = %(row)s"
        )
        return self.here(self.number)

    def erase_texts_in_silence(self) -> str:
        self.execute("DELETE FROM lead_protection.protection_log WHERE event_type = 'lead.texts.erased'")
        self.lead_id, self.number = self.chance.choice(
            self.execute(f"SELECT lead_id, log_number FROM {LOG} WHERE reason IS NOT NULL ORDER BY 1, 2").fetchall()
        )
        self.execute(
            f"UPDATE {LOG} AS g SET reason = NULL, details = details - 'evidence', texts_salt = NULL,"
            " texts_hash = lead_protection.log_texts_hash(g) WHERE lead_id = %(lead)s AND log_number = %(row)s"
        )
        return self.here(self.number)

    def delete(self) -> str:
        self.execute(f"DELETE FROM {LOG} WHERE lead_id = %(lead)s AND log_number = %(row)s")
        return self.here(self.number)

    def invented(self, number: str) -> None:
        columns = (
            "lead_id, user_id, event_type, occurred_at, actor_id, state_before, state_after, expires_before,"
            " expires_after, details, texts_salt, transaction_id"
        )
        self.execute(
            f"INSERT INTO {LOG} ({columns}, log_number) SELECT {columns}, {number} FROM {LOG}"
            " WHERE lead_id = %(lead)s AND log_number = %(row)s"
        )

    def insert(self) -> str:
        """A row beside another, of the same number, and where the next ones are moved up for it."""
        self.execute("DROP INDEX lead_protection.protection_log_numbers")
        # Behind the last row that is sealed there is nothing that a seal could tell from a new row.
        if self.number == self.last or self.chance.random() < 0.5:
            self.invented("log_number")
            return self.here(self.number)
        self.execute(f"UPDATE {LOG} SET log_number = log_number + 1 WHERE lead_id = %(lead)s AND log_number > %(row)s")
        self.invented("log_number + 1")
        return self.here(*range(self.number, self.last + 1))

    def insert_without_number(self) -> str:
        self.invented("NULL")
        return self.here()

    def swap(self) -> str:
        other = self.chance.choice([n for n in range(1, self.last + 2) if n != self.number])
        self.execute("DROP INDEX lead_protection.protection_log_numbers")
        self.execute(
            f"UPDATE {LOG} SET log_number = %(row)s + %(other)s - log_number"
            " WHERE lead_id = %(lead)s AND log_number IN (%(row)s, %(other)s)",
            other=other,
        )
        return self.here(self.number, other)

    def renumber(self) -> str:
        self.execute("DROP INDEX lead_protection.protection_log_numbers")
        self.execute(f"UPDATE {LOG} SET log_number = log_number + 1 WHERE lead_id = %(lead)s AND log_number >= %(row)s")
        return self.here(self.number)

    def move_to_another_lead(self) -> str:
        self.execute(f"UPDATE {LOG} SET lead_id = 4711 WHERE lead_id = %(lead)s AND log_number = %(row)s")
        return self.here(self.number)

    def truncate_the_end(self) -> str:
        self.execute(f"DELETE FROM {LOG} WHERE lead_id = %(lead)s AND log_number >= %(row)s")
        return self.here(*range(self.number, self.last + 1))

    def delete_a_whole_lead(self) -> str:
        """All that there is of it, the leaves too."""
        for table in (
            "lead_holds",
            "lead_activities",
            "lead_extensions",
            "lead_history",
            "lead_clocks",
            "protection_log",
        ):
            self.execute(f"DELETE FROM lead_protection.{table} WHERE lead_id = %(lead)s")
        self.execute("DELETE FROM lead_protection.leads WHERE id = %(lead)s")
        self.execute("DELETE FROM lead_protection.log_leaves WHERE lead_id = %(lead)s")
        return r"^the log: seal: leaves \d+ to \d+ are not those of seal \d+"

    def restore_an_older_log(self) -> str:
        """As it was at one of the seals before the last."""
        number = self.chance.randrange(1, len(self.kept))
        gone = self.db.execute(
            f"DELETE FROM {LOG} AS g WHERE NOT EXISTS (SELECT FROM lead_protection.log_leaves AS f"
            "  CROSS JOIN lead_protection.log_seals AS s"
            "  WHERE s.number = %s AND f.leaf < s.tree_size AND (f.lead_id, f.log_number) = (g.lead_id, g.log_number))"
            " RETURNING g.lead_id, g.log_number",
            (number,),
        ).fetchall()
        self.lead_id, row = self.chance.choice([row for row in gone if row in self.rows])
        return self.here(row)

    def restore_everything(self) -> str:
        """The log with its leaves, nodes and seals, as they were."""
        self.restore_an_older_log()
        self.db.execute(
            "DELETE FROM lead_protection.log_leaves AS f WHERE NOT EXISTS ("
            f" SELECT FROM {LOG} AS g WHERE (f.lead_id, f.log_number) = (g.lead_id, g.log_number))"
        )
        self.db.execute(
            "DELETE FROM lead_protection.log_seals WHERE tree_size > (SELECT count(*) FROM lead_protection.log_leaves)"
        )
        return rf"^the log: seal: seal {len(self.kept)} was kept outside, and here it is gone"

    def rewrite_the_rows(self) -> str:
        """Other dates, in all that follows."""
        self.execute(
            f"UPDATE {LOG} SET expires_after = expires_after + INTERVAL '30 days'"
            " WHERE lead_id = %(lead)s AND log_number >= %(row)s"
        )
        return self.here(self.number)

    def rewrite_chain_and_leaves(self) -> str:
        """Other dates, and fresh hashes for all that follows."""
        self.rewrite_the_rows()
        self.rehash(self.number)
        # By the seals, which follow upon each other up to the one outside: in the first that covers what was changed.
        ((number, since, until),) = self.execute(
            "SELECT s.number, coalesce(lag(s.tree_size) OVER (ORDER BY s.number), 0), s.tree_size - 1"
            " FROM lead_protection.log_seals AS s ORDER BY s.tree_size"
            " <= (SELECT leaf FROM lead_protection.log_leaves WHERE lead_id = %(lead)s AND log_number = %(row)s), 1"
            " LIMIT 1"
        ).fetchall()
        owner = rf"lead {self.lead_id} row {self.number}\b"
        return rf"^the log: seal: leaves {since} to {until} are not those of seal {number};.*({owner}|…)"

    def rewrite_everything(self) -> str:
        """The chain, the leaves, the nodes, and every seal anew, each at its time and over as many leaves."""
        self.rewrite_chain_and_leaves()
        self.db.execute("DELETE FROM lead_protection.log_nodes")
        self.db.execute(
            "DO $$ DECLARE s record; b text; p bytea := decode(repeat('00', 32), 'hex'); BEGIN"
            " FOR s IN SELECT * FROM lead_protection.log_seals ORDER BY number LOOP"
            "  UPDATE lead_protection.log_seals SET previous = p,"
            "   root = (lead_protection.leaf_path(s.tree_size - 1, s.tree_size)).root WHERE number = s.number;"
            "  p := sha256(convert_to(lead_protection.seal_checkpoint(s.number), 'UTF8'));"
            " END LOOP; END $$"
        )
        return rf"^the log: seal: seal {len(self.kept)} was kept outside, and here it is another one"

    WAYS = (
        "change", "change", "change", "change", "change_a_leaf", "add_a_text", "erase_texts_in_silence", "delete",
        "insert", "insert_without_number", "swap", "renumber", "move_to_another_lead", "truncate_the_end",
        "delete_a_whole_lead", "restore_an_older_log", "restore_everything", "rewrite_the_rows",
        "rewrite_chain_and_leaves", "rewrite_everything",
    )  # fmt: skip


@pytest.fixture
def kept(db) -> list[str]:
    """A history, and the checkpoints of its seals, which somebody kept outside."""
    checkpoints = history(db)
    assert problems(verified(export(db), *checkpoints)) == []
    return checkpoints


@pytest.mark.slow("an export and a verification for each")
def test_random_tamperings(db, kept):
    """Each is found, and located, by the last seal that was kept outside."""
    found = set()
    for seed in range(TAMPERINGS):
        with db.transaction(force_rollback=True):
            db.execute("SET LOCAL session_replication_role = replica")
            tamperer = Tamperer(db, seed, kept)
            way = tamperer.WAYS[seed % len(tamperer.WAYS)]
            named = getattr(tamperer, way)()
            told = problems(verified(export(db), kept[-1]))
        assert [problem for problem in told if re.search(named, problem)], (seed, way, named, told)
        found.add(way)
    assert found == set(Tamperer.WAYS)
