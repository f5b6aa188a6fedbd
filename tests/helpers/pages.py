"""The pages of documentation, their blocks, and running them as a reader would."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from helpers.project import PROJECT, run_program
from helpers.server import Server

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

# Set in the environment, the tests write what they compare: generated pages, the answers of statements.
WRITE_REFERENCE = "LEAD_PROTECTION_WRITE_REFERENCE"


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the opening fence, its text, the line it begins in."""

    words: tuple[str, ...]
    text: str
    line: int


def sections(page: Path) -> dict[str, list[Block]]:
    """Return the blocks that can be run, by the heading of second level above them."""
    text = page.read_text(encoding="utf-8")
    found: dict[str, list[Block]] = {}
    for match in FENCE.finditer(text):
        words = tuple(match[1].split())
        if words and words[0] in ("sql", "sh", "python"):
            headings = re.findall(r"^## (.+)$", text[: match.start()], re.MULTILINE)
            line = text.count("\n", 0, match.start()) + 1
            found.setdefault(headings[-1] if headings else "", []).append(Block(words, match[2], line))
    return found


class Runner:
    """Runs blocks as a reader would, and gives the rows that the last one printed."""

    def __init__(self, server: Server, dbname: str, role: str):
        self.server, self.dbname, self.role = server, dbname, role

    def run(self, block: Block) -> list[list[str]]:
        """Run a block; whatever goes wrong in it fails the test."""
        language, *marks = block.words
        if language == "sql":
            return self._psql(block.text, marks)
        env = self.server.env | {"LEAD_PROTECTION_DATABASE_URL": self.server.url(self.dbname)}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        if language == "sh":
            done = run_program(["bash", "-euo", "pipefail", "-c", block.text], env=env)
        else:
            env["LEAD_PROTECTION_DATABASE_URL"] += "&options=" + quote(f"-c role={self.role}")
            done = run_program([sys.executable, "-W", "error", "-c", block.text], env=env)
        assert done.returncode == 0, f"line {block.line}:\n{done.stdout}{done.stderr}"
        return [[line] for line in done.stdout.splitlines()]

    def _psql(self, text: str, marks: list[str]) -> list[list[str]]:
        if "cron" in marks:
            done = self.server.psql(stdin=text)
        elif "owner" in marks or "cron-script" in marks:
            done = self.server.psql(stdin=text, dbname=self.dbname)
        else:
            done = self.server.psql(stdin=f"SET ROLE {role_of(marks, self.role)};\n{text}", dbname=self.dbname)
        return [line.split("|") for line in done.stdout.splitlines()]


def role_of(marks: list[str], otherwise: str) -> str:
    """The role that a block's marks name."""
    return next((role for role in (OPERATOR, CONSUMER) if role.split("_")[-1] in marks), otherwise)


def is_internal(comment: str) -> bool:
    """Whether an object of the schema calls itself internal, in its COMMENT ON."""
    return re.search(r"\bInternal[.:]", comment) is not None


def needs_cron(blocks: list[Block]) -> bool:
    return any(mark.startswith("cron") for block in blocks for mark in block.words[1:])
