"""The pages of documentation, their blocks, and running them as a reader would."""

import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from helpers.project import PROJECT, run_program
from helpers.server import Server
from lead_protection import runbook

README = PROJECT / "README.md"
CHANGELOG = PROJECT / "CHANGELOG.md"
API = PROJECT / "docs" / "api.md"
COOKBOOK = PROJECT / "docs" / "cookbook.md"
LIMITS = PROJECT / "docs" / "limits.md"
DESIGN_DECISIONS = PROJECT / "docs" / "design-decisions.md"
RUNBOOK = PROJECT / "docs" / "runbook.md"
ERROR_CODES = PROJECT / "docs" / "error-codes.md"
RULE = PROJECT / "docs" / "rule.md"
EVENTS = PROJECT / "docs" / "events.md"
ADOPTION = PROJECT / "docs" / "adoption.md"
RECIPES = PROJECT / "docs" / "adoption-recipes.md"
REFERENCE = PROJECT / "docs" / "reference.md"
INTERNALS = PROJECT / "docs" / "internals.md"
PAGES = [
    README,
    *(PROJECT / name for name in ("CONTRIBUTING.md", "SECURITY.md")),
    CHANGELOG,
    *sorted((PROJECT / "docs").glob("*.md")),
]

FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

APP, OPERATOR, CONSUMER = "lead_protection_app", "lead_protection_operator", "lead_protection_consumer"
PRIVACY = "lead_protection_privacy"

# Set in the environment, the tests write what they compare: generated pages, the answers of statements.
WRITE_REFERENCE = "LEAD_PROTECTION_WRITE_REFERENCE"


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the opening fence, its text, the line it begins in, its name if it has one."""

    words: tuple[str, ...]
    text: str
    line: int
    id: str | None = None


# The name of a block stands on a line of its own before the fence.
ID = re.compile(r"^<!-- id: ([a-z0-9-]+) -->\n\Z", re.MULTILINE)


def sections(page: Path) -> dict[str, list[Block]]:
    """Return the blocks that can be run, by the heading of second level above them."""
    return {heading: [*some] for heading, some in _sections(page.read_text(encoding="utf-8")).items()}


@cache
def _sections(text: str) -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for match in FENCE.finditer(text):
        words = tuple(match[1].split())
        if words and words[0] in ("sql", "sh", "python"):
            before = text[: match.start()]
            headings = re.findall(r"^## (.+)$", before, re.MULTILINE)
            name = ID.search(before)
            block = Block(words, match[2], before.count("\n") + 1, name[1] if name else None)
            found.setdefault(headings[-1] if headings else "", []).append(block)
    return found


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that can be run, from top to bottom."""
    return [block for section in sections(page).values() for block in section]


def named_block(page: Path, name: str) -> Block:
    """Return the one block of that name on a page."""
    return named(blocks(page))[name]


def named(some: list[Block]) -> dict[str, Block]:
    """Return the blocks that have a name by it; no two may have the same."""
    found = {one.id: one for one in some if one.id}
    assert len(found) == len([one for one in some if one.id]), "two blocks have one name"
    return found


def wrong_starts(name: str) -> str:
    """A block of the runbook for leads that came in while the clock was behind, with placeholders of psycopg."""
    text = named(sections(RUNBOOK)["The server's clock was behind"])[name].text
    return text.replace("%", "%%").replace(":'behind'", "%(behind)s").replace(":first", "%(first)s")


class Results(dict):
    """What blocks printed, by their names."""

    def take(self, *names: str) -> list:
        """Return what these blocks printed."""
        return [self[name] for name in names]


class Runner:
    """Runs blocks as a reader would, and gives the rows that the last one printed."""

    def __init__(self, server: Server, dbname: str, role: str):
        self.server, self.dbname, self.role = server, dbname, role

    def run(self, block: Block, values: dict[str, str] | None = None) -> list[list[str]]:
        """Run a block; whatever goes wrong in it fails the test.

        `values` are what its reader puts in; one that is a query of its own is what that answers.
        """
        language, *marks = block.words
        if language == "sql":
            return self._psql(block.text, marks, values or {})
        env = self.server.env | {"LEAD_PROTECTION_DATABASE_URL": self.server.url(self.dbname)}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        if language == "sh":
            done = run_program(["bash", "-euo", "pipefail", "-c", block.text], env=env)
        else:
            env["LEAD_PROTECTION_DATABASE_URL"] += "&options=" + quote(f"-c role={self.role}")
            done = run_program([sys.executable, "-W", "error", "-c", block.text], env=env)
        assert done.returncode == 0, f"line {block.line}:\n{done.stdout}{done.stderr}"
        return [[line] for line in done.stdout.splitlines()]

    def run_all(self, some: list[Block], values: dict[str | None, dict[str, str]] | None = None) -> Results:
        """Run blocks in their order, and return what those with a name printed.

        `values` are what their reader puts in: under None in any block, under the name of a block in that one.
        """
        given = values or {}
        printed = [(one.id, self.run(one, given.get(None, {}) | given.get(one.id, {}))) for one in some]
        assert set(named(some)) == {name for name, _ in printed if name}
        return Results((name, rows) for name, rows in printed if name)

    def _psql(self, text: str, marks: list[str], values: dict[str, str]) -> list[list[str]]:
        given = []
        for name in runbook.parameters(text):
            value = values[name]
            if value.startswith("SELECT "):
                value = self.server.psql(value, dbname=self.dbname).stdout.strip()
            given += ["--set", f"{name}={value}"]
        if "cron" in marks:
            done = self.server.psql(*given, stdin=text)
        elif "owner" in marks or "cron-script" in marks:
            done = self.server.psql(*given, stdin=text, dbname=self.dbname)
        else:
            done = self.server.psql(*given, stdin=f"SET ROLE {role_of(marks, self.role)};\n{text}", dbname=self.dbname)
        return [line.split("|") for line in done.stdout.splitlines()]


def role_of(marks: list[str], otherwise: str) -> str:
    """The role that a block's marks name."""
    return next((role for role in (OPERATOR, CONSUMER, PRIVACY) if role.split("_")[-1] in marks), otherwise)


def is_internal(comment: str) -> bool:
    """Whether an object of the schema calls itself internal, in its COMMENT ON."""
    return re.search(r"\bInternal[.:]", comment) is not None


def needs_cron(some: list[Block]) -> bool:
    return any(mark.startswith("cron") for one in some for mark in one.words[1:])
