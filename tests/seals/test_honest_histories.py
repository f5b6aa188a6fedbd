"""No false alarm: transactions that commit late, are rolled back, or die with their session."""

import os
import random

import psycopg
import pytest

from helpers.facts import insert_leads_of_age
from helpers.project import cases
from helpers.seals import checkpoint, export, problems, seal, sealed_rows, verified

HISTORIES = int(os.environ.get("LEAD_PROTECTION_HONEST_HISTORIES", cases(12, usual=4, fast=1)))
LEADS, SESSIONS, STEPS = 12, 3, 25


class Sessions:
    """Sessions that change leads of their own at once, each in transactions of any length."""

    def __init__(self, connect):
        self.connect, self.key = connect, 0
        self.open = [connect(autocommit=False) for _ in range(SESSIONS)]

    def start_over(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def end(self) -> None:
        for session in self.open:
            self.chance.choice([session.commit, session.rollback])()

    def step(self) -> str:
        place = self.chance.randrange(SESSIONS)
        session = self.open[place]
        does = self.chance.choice(["write"] * 5 + ["commit"] * 3 + ["roll back", "part", "die"])
        if does == "write":
            self.write(session, place)
        elif does == "commit":
            session.commit()
        elif does == "roll back":
            session.rollback()
        elif does == "part":
            session.execute("SAVEPOINT part")
            self.write(session, place)
            session.execute("ROLLBACK TO part")
            self.write(session, place)
        else:
            # As a crash of the program, or of its machine, does: nobody says that it is over.
            with self.connect() as killer:
                killer.execute("SELECT pg_terminate_backend(%s, 10000)", (session.info.backend_pid,))
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
            self.open[place] = self.connect(autocommit=False)
        return does

    def write(self, session: psycopg.Connection, place: int) -> None:
        """Something that is not refused, for a lead of the session's own: no other waits for its lock."""
        self.key += 1
        lead_id = self.chance.randrange(LEADS // SESSIONS) * SESSIONS + place + 1
        call = self.chance.choice(
            [
                f"extend_lead({lead_id}, 7, 1, 'asked', 6, 5, '{self.key}')",
                f"record_lead_activity({lead_id}, 7, 'QUALIFIED_CALL', now() - INTERVAL '1 day', '{self.key}', 5)",
                f"create_lead_hold({lead_id}, 7, 'x', 5)",
                f"release_lead_hold({lead_id}, 7, 5)",
            ]
        )
        session.execute("SAVEPOINT call")
        try:
            session.execute(f"SELECT lead_protection.{call}")
        except psycopg.Error as refused:
            # The limit of what may be granted is reached.
            assert refused.sqlstate.startswith("LP"), refused
            session.execute("ROLLBACK TO call")


# A database of its own for each hundred: all that was sealed is looked at after each history.
@pytest.mark.parametrize("first", range(0, HISTORIES, 100))
def test_random_histories(first, db, connect):
    insert_leads_of_age(db, *[10 * n for n in range(1, LEADS + 1)])
    kept: list[str] = []
    done = set()
    seeds = range(first, min(first + 100, HISTORIES))
    sessions = Sessions(connect)
    for seed in seeds:
        sessions.start_over(seed)
        for step in range(STEPS):
            done.add(sessions.step())
            if step % 5 == 0 and seal(db):
                kept.append(checkpoint(db))
        sessions.end()
        if seal(db):
            kept.append(checkpoint(db))
        # All that was committed is sealed, once, and nothing else.
        rows = "SELECT lead_id, log_number FROM lead_protection.protection_log ORDER BY 1, 2"
        assert sealed_rows(db) == db.execute(rows).fetchall()
        if seed % 10 == 0 or seed == seeds[-1]:
            check = verified(export(db), *kept)
            assert problems(check) == [] and check.sealed == len(sealed_rows(db)), seed
    assert done == {"write", "commit", "roll back", "part", "die"} or len(seeds) < 12
    assert sealed_rows(db)
