"""What the README and the cookbook show is what their statements answer.

Each page is run from top to bottom in a database of its own, with the rights of an application; a block marked
`operator` or `consumer` with those of an operator or a consumer. Dates, times and lengths of time differ from day to
day, and are left out of the comparison. Below a block marked `sample` only the heading is compared.

To write the answers anew, run this file with LEAD_PROTECTION_WRITE_REFERENCE=1.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.pages import APP, COOKBOOK, FENCE, README, WRITE_REFERENCE, Block, Runner, named_block, role_of
from helpers.server import Server

ANSWERED = re.compile(
    r"^<!-- id: (?P<id>[\w-]+) -->\n```(?P<words>[^\n]+)\n(?P<text>.*?)^```\n\n"
    r"```text(?P<mark>[^\n]*)\n(?P<answer>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# What differs from day to day: instants and dates, lengths of time, and checksums over them.
VARYING = re.compile(
    r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:[+-]\d\d|Z)?|\d+(?:\.\d+)? s\b|\b[0-9a-f]{64}\b"
)


def alike(answer: str) -> list[str]:
    """The lines of an answer without what differs from day to day, and without the width of its columns."""
    return [
        re.sub(r"-+", "-", re.sub(r" +", " ", VARYING.sub("0", line))).strip() for line in answer.strip().splitlines()
    ]


def answer_of(server: Server, dbname: str, block: re.Match) -> str:
    """Run a block as a reader would, and return what is printed."""
    language, *marks = block["words"].split()
    if language == "python":
        printed = Runner(server, dbname, APP).run(Block((language,), block["text"], 0))
        return "".join(f"{line}\n" for (line,) in printed)
    done = server.psql(
        *("--pset=format=aligned", "--pset=tuples_only=off", "--pset=footer=off"),
        dbname=dbname,
        stdin=f"SET ROLE {role_of(marks, APP)};\nSET TimeZone = 'Europe/Berlin';\n{block['text']}",
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


def run_page(page: Path, server: Server, dbname: str) -> None:
    """Run the blocks of a page in their order, and compare each answer with the one that the page shows."""
    text = page.read_text(encoding="utf-8")
    written, different = text, []
    for block in ANSWERED.finditer(text):
        answer = answer_of(server, dbname, block)
        shown, given = alike(block["answer"]), alike(answer)
        if "sample" in block["mark"]:
            shown, given = shown[:1], given[:1]
        if shown != given:
            different.append(f"{block['id']}:\n{answer}")
            written = written.replace(block[0], block[0].removesuffix(f"{block['answer']}```") + f"{answer}```")
    if os.environ.get(WRITE_REFERENCE):
        page.write_text(written, encoding="utf-8")
        different = []
    assert not different, f"stale; run this test with {WRITE_REFERENCE}=1 to write it anew:\n" + "\n".join(different)


def test_readme_answers_what_it_shows(db, server):
    run_page(README, server, db.info.dbname)


@pytest.mark.slow("each statement of the cookbook")
def test_cookbook_answers_what_it_shows(sample_dbname, server):
    run_page(COOKBOOK, server, sample_dbname)


@pytest.mark.parametrize("page", [README, COOKBOOK], ids=lambda page: page.name)
def test_every_block_has_a_name_and_an_answer(page):
    text = page.read_text(encoding="utf-8")
    runnable = [block[2] for block in FENCE.finditer(text) if block[1].split()[:1] in (["sql"], ["sh"], ["python"])]
    answered = list(ANSWERED.finditer(text))

    assert runnable == [block["text"] for block in answered]
    assert len({block["id"] for block in answered}) == len(answered)


def test_a_block_for_an_operator_says_so():
    for task in re.split(r"^### ", COOKBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        marked = [block for block in ANSWERED.finditer(task) if "operator" in block["words"].split()]
        assert bool(marked) == ("For an operator" in task), task.splitlines()[0]


@pytest.mark.slow("the sample, and the pipeline over it")
def test_ten_day_list_of_the_cookbook_shows_running_clocks_of_open_leads_only(sample_dbname, server):
    some = named_block(COOKBOOK, "ten-days")
    query = replace(some, text=some.text.replace("LIMIT 3", "LIMIT 50"))
    server.psql("CALL lead_protection.run_protection_pipeline()", dbname=sample_dbname)
    runner = Runner(server, sample_dbname, APP)

    listed = [int(row[0]) for row in runner.run(query)]
    assert len(listed) > 10

    server.psql(f"UPDATE lead_protection.leads SET closed_at = now() WHERE id = {listed[0]}", dbname=sample_dbname)
    server.psql(
        "SELECT lead_protection.create_lead_hold(id, user_id, 'x', 1) FROM lead_protection.leads"
        f" WHERE id = {listed[1]}",
        dbname=sample_dbname,
    )
    # Some expire at the same instant, in any order.
    assert sorted(int(row[0]) for row in runner.run(query)) == sorted(listed[2:])
