"""Every public function has a rule, and each rule is one that its function can follow."""

import os
import re

import psycopg
import pytest

from helpers.pages import WRITE_REFERENCE
from helpers.project import PROJECT
from lead_protection.router import AFTER_CATALOG
from lead_protection.routing import KINDS, NOT_READ, READ_ON_ONE, RULES

SCALING = PROJECT / "docs" / "scaling.md"

# By what a kind finds its node.
WANTED = {"lead": "lead_id", "hold": "hold_id", "log": "lead_id", "list": "lead_ids", "lease": "lease_token"}


@pytest.fixture
def functions(db: psycopg.Connection) -> dict[str, dict]:
    ((catalog,),) = db.execute("SELECT lead_protection.catalog_of_node()").fetchall()
    return catalog["functions"]


def test_every_public_function_has_a_rule(functions):
    assert set(functions) - set(RULES) == set()
    assert set(RULES) - set(functions) == {"erase_texts"} - set(functions)


def test_a_rule_fits_its_function(functions):
    for name, rule in RULES.items():
        arguments = {argument[1] for argument in functions[name]["arguments"] or [] if argument[0] in "ib"}
        wanted = WANTED.get(rule.kind)
        assert wanted is None or wanted in arguments, name
        assert rule.kind in KINDS
        if rule.group_by:
            assert functions[name]["returns_set"], name


def test_what_is_read_is_there(db: psycopg.Connection):
    ((catalog,),) = db.execute("SELECT lead_protection.catalog_of_node()").fetchall()
    assert set(catalog["relations"]) >= READ_ON_ONE | NOT_READ
    assert not READ_ON_ONE & NOT_READ


@pytest.mark.parametrize("relation", sorted(READ_ON_ONE - {"policy_assignments", "help_operations"}))
def test_what_is_read_on_one_node_is_about_no_lead(db: psycopg.Connection, relation):
    columns = db.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('lead_protection.' || %s)", [relation]
    ).fetchall()
    assert not {("lead_id",), ("user_id",)} & set(columns)


def test_the_page_shows_the_rules():
    """LEAD_PROTECTION_WRITE_REFERENCE=1 writes the table anew."""
    lines = ["| functions | go to | what they promise |", "|---|---|---|"]
    for name, kind in KINDS.items():
        functions = ", ".join(f"`{function}`" for function, rule in sorted(RULES.items()) if rule.kind == name)
        if name != "own":
            lines.append(f"| {functions} | {kind.goes_to} | {kind.promise} |")
    begin, end = "<!-- routing: begin -->\n", "<!-- routing: end -->"
    text = SCALING.read_text(encoding="utf-8")
    head, rest = text.split(begin)
    shown = "\n" + "\n".join(lines) + "\n\n"
    if os.environ.get(WRITE_REFERENCE):
        SCALING.write_text(head + begin + shown + end + rest.split(end)[1], encoding="utf-8")
        text = SCALING.read_text(encoding="utf-8")
    assert text.split(begin)[1].split(end)[0] == shown


def test_every_file_of_the_router_is_in_the_load_order():
    home = PROJECT / "sql" / "router"
    listed = re.findall(r"(?m)^\\ir (\S+)$", (home / "load.sql").read_text(encoding="utf-8"))
    listed += [name.removeprefix("router/") for name in AFTER_CATALOG if name.startswith("router/")]
    assert sorted(listed) == sorted({path.name for path in home.glob("*.sql")} - {"load.sql"})
