"""The export and verify.py, as a program that nothing but the file is given to."""

import ast
import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path

import psycopg
import pytest

from helpers.command_line import run_cli
from helpers.project import PROJECT
from helpers.seals import changed_json, checkpoint, export, history, live, problems, seal, verified

VERIFY = PROJECT / "lead_protection" / "verify.py"


@pytest.fixture
def kept(db) -> list[str]:
    return history(db)


def run(tmp_path: Path, text: str, *checkpoints: str) -> tuple[int, str]:
    """Run verify.py alone: no package of ours, or of others, is to be found."""
    file = tmp_path / "export.json"
    file.write_text(text, encoding="utf-8")
    arguments = []
    for number, kept in enumerate(checkpoints):
        (tmp_path / f"seal-{number}.txt").write_text(kept, encoding="utf-8")
        arguments += ["--seal", str(tmp_path / f"seal-{number}.txt")]
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(VERIFY), str(file), *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


def test_verify_is_short_and_needs_nothing_else():
    """400 lines of code: without blank lines, comments and docstrings."""
    text = VERIFY.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    without = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in silent]
    lines = {line for t in tokens for line in range(t.start[0], t.end[0] + 1)} - without
    assert len(lines) <= 400
    imports = [line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert set(imports) <= set(sys.stdlib_module_names)


def test_all_is_well(kept, db, tmp_path):
    mail = f"> Dear auditor,\r\n{kept[-1].replace(chr(10), chr(13) + chr(10))}\r\nyours"
    for text in (export(db), export(db, [1, 2]), export(db, with_texts=True)):
        status, printed = run(tmp_path, text, mail)
        assert status == 0 and "Problems: 0.\n" in printed and "No seal" not in printed
    # It is one JSON document.
    assert [lead["lead_id"] for lead in json.loads(export(db))["leads"]] == list(range(1, 9))
    status, printed = run(tmp_path, export(db))
    assert status == 0 and "No seal from outside was given" in printed


def test_rows_after_the_seal_are_told_and_not_yet_proved(kept, db):
    count = "SELECT count(*) FROM lead_protection.{}"
    rows, sealed = (db.execute(count.format(table)).fetchone()[0] for table in ("protection_log", "log_leaves"))
    assert rows > sealed
    for text in (export(db), export(db, [*range(1, 9)])):
        check = verified(text, kept[-1])
        assert (check.rows, check.sealed, problems(check)) == (rows, sealed, [])
    # One that is gone leaves its number, if there are later ones.
    with db.transaction(force_rollback=True):
        db.execute("SET LOCAL session_replication_role = replica")
        ((lead_id, number),) = db.execute(
            "SELECT g.lead_id, min(g.log_number) FROM lead_protection.protection_log AS g"
            " WHERE g.log_number > (SELECT max(f.log_number) FROM lead_protection.log_leaves AS f"
            "  WHERE f.lead_id = g.lead_id) GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
        ).fetchall()
        db.execute(
            "DELETE FROM lead_protection.protection_log WHERE (lead_id, log_number) = (%s, %s)", (lead_id, number)
        )
        assert problems(verified(export(db), kept[-1])) == [
            f"lead {lead_id}, row {number}: log_number: the row is gone"
        ]


@pytest.mark.slow("the history of dozens of leads, and a process")
def test_an_export_leads_to_the_seal_that_was_kept(kept, db, tmp_path):
    """Of one lead to any seal, also an older one; another than the one given cannot be checked."""
    for number, text in enumerate(kept, start=1):
        for leads in ([1, 5], None):
            check = verified(export(db, leads, number), text)
            assert problems(check) == [] and check.sealed > 0
    status, printed = run(tmp_path, export(db, [1]), kept[0])
    assert status == 2 and "--seal 1" in printed
    # Of all leads the newest export has all seals.
    assert problems(verified(export(db), *kept)) == [] == problems(verified(export(db), kept[0]))
    with pytest.raises(psycopg.Error) as refused:
        export(db, [1], 99)
    assert refused.value.sqlstate == "LP115"
    with pytest.raises(psycopg.Error) as refused:
        export(db, [1, 4711])
    assert refused.value.sqlstate == "LP002"


def test_one_lead_changed_is_found_in_its_own_export(kept, db):
    with db.transaction(force_rollback=True):
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute("UPDATE lead_protection.protection_log SET actor_id = 99 WHERE lead_id = 3 AND log_number = 2")
        assert problems(verified(export(db, [3]), kept[-1])) == [
            "lead 3, row 2: row_hash: the row was sealed, and said something else then"
        ]
        db.execute("DELETE FROM lead_protection.protection_log WHERE lead_id = 3")
        told = problems(verified(export(db, [3]), kept[-1]))
        assert "lead 3, row 2: log_number: the row was sealed, and is gone" in told


FACTS = {
    "lead_holds": ("start_at = start_at - INTERVAL '1 day'", "holds: {}: start_at is"),
    "lead_holds ": ("voided_at = now(), voided_by = 1", "holds: {}: voided is True, by the log it is False"),
    "lead_extensions": ("days = days + 1", "extensions: {}: days is"),
    "lead_activities": ("occurred_at = occurred_at + INTERVAL '1 hour'", "activities: {}: occurred_at is"),
    "leads": ("created_at = created_at - INTERVAL '1 day'", "leads: {}: started_at is"),
    "leads ": ("user_id = user_id + 1", "leads: {}: user_id is"),
    "leads  ": ("closed_at = now() - INTERVAL '1 minute', closed_as = 'LOST'", "leads: {}: closed_at is"),
}


@pytest.mark.parametrize("table", FACTS)
@pytest.mark.slow("once for each table of facts")
def test_a_fact_that_the_log_tells_otherwise(kept, db, table):
    """Changed as a row, with triggers off, and the clock counted anew: every date follows from the facts."""
    change, found = FACTS[table]
    key = "id" if table.startswith("leads") else "lead_id"
    # What the log told of: a recorded activity that moved nothing is not in it.
    db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (100, 7)")
    db.execute("SELECT lead_protection.create_lead_hold(100, 7, 'x', 5, now() - INTERVAL '1 hour')")
    db.execute("SELECT lead_protection.extend_lead(100, 7, 3, 'x', 6, 5, 'k')")
    ((policy,),) = db.execute("SELECT policy_id FROM lead_protection.create_policy_version('p', 1, rule => 'parallel')")
    db.execute("SELECT lead_protection.backdate_lead(100, 7, now() - INTERVAL '9 days', 'x', 'y', 5)")
    db.execute("SELECT lead_protection.move_leads_to_policy('{100}', %s, 'x', 1)", (policy,))
    db.execute(
        "SELECT lead_protection.record_lead_activity(100, 7, 'QUALIFIED_CALL', now() - INTERVAL '1 day', 'a', 5)"
    )
    seal(db)
    assert problems(verified(export(db, [100]), checkpoint(db))) == []
    db.execute("SET session_replication_role = replica")
    ((fact,),) = db.execute(f"UPDATE lead_protection.{table} SET {change} WHERE {key} = 100 RETURNING id").fetchall()
    db.execute("SELECT lead_protection.refresh_lead_clocks('{100}')")
    db.execute("RESET session_replication_role")
    told = problems(verified(export(db, [100]), checkpoint(db)))
    assert [text for text in told if text.startswith(f"lead 100: {found.format(fact)}")], told


def test_a_date_that_does_not_follow(kept, db):
    db.execute(
        "UPDATE lead_protection.lead_clocks SET protection_expires_at = protection_expires_at + INTERVAL '1 day'"
        " WHERE lead_id = (SELECT min(lead_id) FROM lead_protection.v_user_lead_protection WHERE NOT on_hold"
        " AND state = 'PROTECTED')"
    )
    (problem,) = problems(verified(export(db), kept[-1]))
    assert ": protection_expires_at: the database shows" in problem


def test_texts_are_exported_on_demand_only(kept, db):
    live(db, [1], seed=9, steps=20)
    assert "because" not in export(db) and "evidence" not in export(db)
    told = export(db, with_texts=True)
    assert "because" in told and problems(verified(told, kept[-1])) == []

    def reword(head, *leads):
        rows = [row for lead in leads for row in lead["log"] if row.get("reason")]
        rows[0]["reason"] += "!"

    (problem,) = problems(verified(changed_json(told, reword), kept[-1]))
    assert problem.endswith("row_hash: the row was sealed, and said something else then")


@pytest.mark.slow("the history of dozens of leads, and a process")
def test_what_cannot_be_checked(kept, db, tmp_path):
    text = export(db, [1, 2])
    cut = text[: len(text) // 2]

    def newer(head, *leads):
        head["format"] = "lead-protection export v2"

    def unknown_term(head, *leads):
        for policy in head["policies"].values():
            policy["full_moon"] = True

    def unknown_value(head, *leads):
        for policy in head["policies"].values():
            policy["hold_unit"] = "fortnight"

    for spoiled, said in (
        (cut, "It cannot be checked"),
        ("\n".join(text.splitlines()[:-1]) + "\n", "cut off"),
        (changed_json(text, newer), "no export of a version"),
        (changed_json(text, unknown_term), "full_moon"),
        (changed_json(text, unknown_value), "hold_unit"),
        ("", "It cannot be checked"),
    ):
        status, printed = run(tmp_path, spoiled, kept[-1])
        assert status == 2 and said in printed, printed
    assert run(tmp_path, text, "no checkpoint here")[0] == 2


def test_an_export_that_was_changed_on_its_way(kept, db):
    """Whoever hands it over may have changed it: the seal finds what the database cannot know."""

    def other_root(head, *leads):
        head["seals"][-1][3] = "00" * 32

    def other_path(head, *leads):
        leads[0]["leaves"][0][3][0] = "00" * 32

    def other_leaf(head, *leads):
        leads[0]["leaves"][0][2] = "00" * 32

    for change in (other_root, other_path, other_leaf):
        assert problems(verified(changed_json(export(db, [1]), change), kept[-1])), change


@pytest.mark.slow("the history of dozens of leads, and a process")
def test_commands(kept, db, database_url, tmp_path):
    def call(*arguments: str) -> tuple[int, str]:
        return run_cli(*arguments, "--database", database_url)

    assert call("seal") == (0, kept[-1])
    assert call("seal", "--number", "1") == (0, kept[0])
    status, said = call("seal", "--number", "99")
    assert status == 1 and "LP115" in said
    assert call("export")[0] == call("export", "1", "--all")[0] == 2
    file = tmp_path / "all.json"
    assert call("export", "--all", "--output", str(file))[0] == 0
    assert run(tmp_path, file.read_text(encoding="utf-8"), kept[-1])[0] == 0
    status, text = call("export", "1", "--seal", "2")
    assert status == 0 and run(tmp_path, text, kept[1])[0] == 0
    assert call("export", "4711")[0] == 1


@pytest.mark.slow("the history of dozens of leads, and a process")
def test_a_time_stamp(kept, tmp_path):
    """As docs/seals.md has it, with an authority of the test's own."""

    def openssl(*arguments: str) -> str:
        done = subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True)
        return done.stdout + done.stderr

    (tmp_path / "seal.txt").write_text(kept[-1], encoding="utf-8")
    (tmp_path / "tsa.cnf").write_text(
        "[req]\ndistinguished_name = dn\nx509_extensions = tsa\nprompt = no\n[dn]\nCN = authority of the test\n"
        "[tsa]\nbasicConstraints = critical, CA:true\nextendedKeyUsage = critical, timeStamping\n"
        "[stamp]\nserial = serial\ndigests = sha256\ndefault_policy = 1.2.3.4.1\nsigner_digest = sha256\n",
        encoding="utf-8",
    )
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "tsa.pem", "-config", "tsa.cnf"
    )
    openssl("ts", "-query", "-data", "seal.txt", "-sha256", "-cert", "-out", "seal.tsq")
    openssl(
        "ts", "-reply", "-config", "tsa.cnf", "-section", "stamp", "-queryfile", "seal.tsq", "-inkey", "key.pem",
        "-signer", "tsa.pem", "-out", "seal.tsr",
    )  # fmt: skip
    stamped = ("ts", "-verify", "-data", "seal.txt", "-in", "seal.tsr", "-CAfile", "tsa.pem")
    assert "Verification: OK" in openssl(*stamped)
    (tmp_path / "seal.txt").write_text(kept[0], encoding="utf-8")
    assert "Verification: FAILED" in openssl(*stamped)
