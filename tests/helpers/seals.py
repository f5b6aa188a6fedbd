"""Exports, and what verify.py finds in them; histories to be tampered with."""

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from helpers.facts import ago
from lead_protection import verify


def seal(db: psycopg.Connection) -> int:
    """Seal what is new in the log; how many rows that were."""
    ((sealed,),) = db.execute("SELECT lead_protection.seal_protection_log()")
    return sealed


def checkpoint(db: psycopg.Connection, number: int | None = None) -> str:
    """The checkpoint of a seal, as somebody outside keeps it."""
    ((text,),) = db.execute("SELECT lead_protection.seal_checkpoint(%s)", (number,))
    return text


def export(
    db: psycopg.Connection, leads: Sequence[int] | None = None, number: int | None = None, with_texts: bool = False
) -> str:
    """An export of leads, or of all."""
    lines = db.execute("SELECT lead_protection.export_log(%s::bigint[], %s, %s)", (leads, number, with_texts))
    return "".join(f"{line}\n" for (line,) in lines)


def verified(text: str, *checkpoints: str) -> verify.Check:
    """What verify.py finds in an export, by the seals that were kept outside."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        leads = verify.read_export(Path(file.name))
        check = verify.Check(next(leads), verify.seals_in("\n".join(checkpoints)))
        for lead in leads:
            check.lead(lead)
        check.end()
    return check


def problems(check: verify.Check) -> list[str]:
    """The problems as they are printed."""
    return [str(problem) for problem in check.problems]


def live(db: psycopg.Connection, lead_ids: Sequence[int], seed: int, steps: int) -> None:
    """Let something happen to leads that are there, by the functions; what is refused is refused."""
    chance = random.Random(seed)
    for step in range(steps):
        lead_id = chance.choice(lead_ids)
        user = f"(SELECT user_id FROM lead_protection.leads WHERE id = {lead_id})"
        key = f"{seed}-{step}"
        call = chance.choice(
            [
                f"create_lead_hold({lead_id}, {user}, 'because {key}', 5)",
                f"create_lead_hold({lead_id}, {user}, 'PRICE_APPROVAL', 5, now() - INTERVAL '3 days', now())",
                f"release_lead_hold({lead_id}, {user}, 5)",
                f"extend_lead({lead_id}, {user}, 3, 'asked for', 6, 5, '{key}')",
                f"record_lead_activity({lead_id}, {user}, 'QUALIFIED_CALL', now() - INTERVAL '2 days', '{key}', 5)",
                f"transfer_lead({lead_id}, {user}, {chance.choice([7, 8, 9])}, 'moved', 5)",
                f"backdate_lead({lead_id}, {user}, now() - INTERVAL '{90 + step} days', 'earlier', 'letter {key}', 5)",
                f"close_lead({lead_id}, {user}, 'LOST', 'no', 5)",
                f"reopen_lead({lead_id}, {user}, 'yes', 5)",
            ]
        )
        try:
            db.execute(f"SELECT lead_protection.{call}")
        except psycopg.Error as refused:
            assert refused.sqlstate.startswith("LP"), refused


def history(db: psycopg.Connection, leads: int = 8, seals: int = 4, seed: int = 1) -> list[str]:
    """A history of leads 1, 2, … under several seals, with some rows after the last; the checkpoints of the seals."""
    for lead_id in range(1, leads + 1):
        db.execute(
            "INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (%s, 7, %s)",
            (lead_id, ago(10 * lead_id)),
        )
    kept = []
    for number in range(seals):
        live(db, range(1, leads + 1), 100 * seed + number, 3 * leads)
        assert seal(db) > 0
        kept.append(checkpoint(db))
    live(db, range(1, leads + 1), 100 * seed + seals, leads)
    return kept


def sealed_rows(db: psycopg.Connection) -> list[tuple[int, int]]:
    """Lead and number of each row that is sealed, in order."""
    return db.execute("SELECT lead_id, log_number FROM lead_protection.log_leaves ORDER BY 1, 2").fetchall()


def changed_json(text: str, change) -> str:
    """An export whose head or leads were changed by a function: of the parsed head, and each lead."""
    head, *lines = text.splitlines()
    parsed = [json.loads(head.removesuffix("[") + "[]}"), *(json.loads(line.lstrip(",")) for line in lines[:-1])]
    change(*parsed[:1], *parsed[1:])
    out = [json.dumps(parsed[0]).removesuffix("]}")]
    out += [("," if n else "") + json.dumps(lead) for n, lead in enumerate(parsed[1:])]
    return "\n".join([*out, "]}"]) + "\n"
