"""Loads the runbook into help_operations, where the SQL function find_help() searches it.

docs/runbook.md is the one source. Each `## ` heading is an operation. Below it:

- `<!-- keywords: … -->`: words of those who ask; `<!-- now: … -->`: how it stands, with health checks in braces;
- paragraphs, of which `**Meaning.**` and `**Impact.**` begin the summary and the business context, and
  `**Diagnosis.**`, `**Mitigation.**` and `**Verify.**` a phase;
- fenced blocks: the code of a step, explained by the paragraphs before it; tables; links to other operations;
- in the first line of a block, after `-- put in yours first:`, what it needs of whoever runs it, as variables of psql.

docs/runbook.de.md has the same headings in the same order, in German, with a paragraph that is the summary, and a
numbered list: the words of the steps that have any, in their order.
"""

import json
import re
from pathlib import Path
from typing import Any

from psycopg import sql

PAGE, GERMAN_PAGE = "runbook.md", "runbook.de.md"

_COMMENT = re.compile(r"^<!-- (\w+): (.*?)\s*-->$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LEAD = re.compile(r"^\*\*(Meaning|Impact|Diagnosis|Mitigation|Verify)(?:\*\* |\.\*\* ?)")
_PUT_IN = re.compile(r"\A-- put in yours first:.*(?:\n-- {5}.*)*")
_ITEM = re.compile(r"^\d+\. ", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
# Who runs a block, by the mark after its language; without one: a member of lead_protection_operator.
_RUN_AS = {"owner": "owner", "privacy": "privacy", "cron": "owner in the cron database", "cron-script": "owner"}


def files(home: Path) -> list[Path]:
    """Return the two pages, which belong to the code: apply loads them whenever they changed."""
    return [home / "docs" / name for name in (PAGE, GERMAN_PAGE)]


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def read_operations(home: Path) -> list[dict[str, Any]]:
    """Return the rows of help_operations, without its generated columns.

    Raises:
        ValueError: a section, or the words of a step, have no counterpart in the German page.
    """
    english, german = (_sections(path.read_text(encoding="utf-8")) for path in files(home))
    if len(english) != len(german):
        raise ValueError(f"docs/{PAGE} has {len(english)} sections, docs/{GERMAN_PAGE} {len(german)}")
    operations = []
    for position, (section, translation) in enumerate(zip(english, german, strict=True), start=1):
        operation, translated = _operation(*section), _german(*translation)
        steps = _with_german_words(section[0], operation["steps"], translated.pop("steps"))
        operations.append(operation | {"position": position, "steps": json.dumps(steps)} | translated)
    return operations


def load_sql(home: Path) -> str:
    """Return the statements that write help_operations anew."""
    operations = read_operations(home)
    columns = ", ".join(operations[0])
    rows = ",\n".join(
        f"({', '.join(sql.Literal(value).as_string(None) for value in operation.values())})" for operation in operations
    )
    return (
        "DELETE FROM lead_protection.help_operations;\n"
        f"INSERT INTO lead_protection.help_operations ({columns}) VALUES\n{rows};\n"
    )


def _sections(page: str) -> list[tuple[str, str]]:
    """Return headings of second level and the text below each; a # in a fenced block is no heading."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _plain(text: str) -> str:
    """Return a paragraph as one line, its links as their words."""
    return _LINK.sub(r"\1", " ".join(text.split()))


def _operation(title: str, text: str) -> dict[str, Any]:
    comments = dict(_COMMENT.findall(text))
    paragraphs: dict[str | None, list[str]] = {}
    steps: list[dict[str, object]] = []
    tables: list[dict[str, str]] = []
    phase: str | None = None
    said: list[str] = []

    def step(language: str | None = None, run_as: str | None = None, code: str | None = None) -> None:
        nonlocal said
        if said or code:
            text = "\n".join(said) or None
            steps.append(
                {
                    "phase": phase,
                    "text": text,
                    "language": language,
                    "run_as": run_as,
                    "parameters": parameters(code or ""),
                    "code": code,
                }
            )
        said = []

    for part, is_code in _parts(_COMMENT.sub("", text)):
        if is_code:
            words, code = part.split("\n", 1)
            language, *marks = words.split()
            run_as = next((_RUN_AS[mark] for mark in marks if mark in _RUN_AS), "operator")
            step(language, run_as, code)
            continue
        for paragraph in re.split(r"\n\s*\n", part.strip()):
            lead = _LEAD.match(paragraph)
            if lead and lead[1] != phase:
                step()
                phase = lead[1]
            paragraph = _LEAD.sub("", paragraph)
            if paragraph.startswith("|"):
                tables += _rows(paragraph)
            elif paragraph:
                paragraphs.setdefault(phase, []).append(_plain(paragraph))
                if phase not in ("Meaning", "Impact"):
                    said.append(_plain(paragraph))
    step()
    return {
        "anchor": anchor(title),
        "title": title,
        "summary": " ".join(paragraphs.get("Meaning") or paragraphs[None][:1]),
        "business_context": " ".join(paragraphs.get("Impact", [])),
        "situation": _plain(comments.get("now", "")),
        "keywords": _plain(comments.get("keywords", "")),
        "steps": steps,
        "troubleshooting": json.dumps(tables),
        "next_steps": json.dumps(_links(text, anchor(title))),
    }


def parameters(code: str) -> list[str]:
    """Return the names of what a block needs of whoever runs it, as its first line says them."""
    said = _PUT_IN.match(code)
    return re.findall(r"\\set (\w+)", said[0]) if said else []


def _german(title: str, text: str) -> dict[str, Any]:
    comments = dict(_COMMENT.findall(text))
    summary, *steps = _ITEM.split(_COMMENT.sub("", text))
    return {
        "title_de": title,
        "summary_de": _plain(summary),
        "steps": [_plain(step) for step in steps],
        "situation_de": _plain(comments.get("now", "")),
        "keywords_de": _plain(comments.get("keywords", "")),
    }


def _with_german_words(title: str, steps: list[dict[str, Any]], german: list[str]) -> list[dict[str, Any]]:
    with_words = [step for step in steps if step["text"]]
    if len(with_words) != len(german):
        raise ValueError(
            f"section {title}: docs/{PAGE} has {len(with_words)} steps with words, docs/{GERMAN_PAGE} {len(german)}"
        )
    words = iter(german)
    return [step | {"text_de": next(words) if step["text"] else None} for step in steps]


def _parts(text: str) -> list[tuple[str, bool]]:
    """Return prose and fenced blocks in their order; a block as `words` and `code`, on lines of their own."""
    parts, end = [], 0
    for match in _FENCE.finditer(text):
        parts += [(text[end : match.start()], False), (f"{match[1]}\n{match[2]}", True)]
        end = match.end()
    return [*parts, (text[end:], False)]


def _rows(table: str) -> list[dict[str, str]]:
    """Return the rows of a table as objects, by its first line."""
    lines = [[_plain(cell) for cell in line.strip()[1:-1].split("|")] for line in table.splitlines()]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]


def _links(text: str, own: str) -> list[dict[str, str | None]]:
    """Return where a section leads to, each place once."""
    found: dict[str, dict[str, str | None]] = {}
    for title, target in _LINK.findall(_FENCE.sub("", text)):
        page, _, fragment = target.partition("#")
        if (page, fragment) != ("", own):
            found[target] = {"title": " ".join(title.split()), "anchor": fragment or None, "page": page or PAGE}
    return list(found.values())
