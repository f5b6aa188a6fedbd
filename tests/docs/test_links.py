"""Links lead somewhere, and lists are complete."""

import re
from collections.abc import Iterator
from pathlib import Path

from helpers.pages import ERROR_CODES, FENCE, PAGES
from helpers.project import PROJECT
from lead_protection.runbook import anchor

# --- links, codes, names ---


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(\s*([^)\s]+)\s*\)", text):
            if "://" not in target:
                yield page, target


def test_links_lead_to_a_file_and_a_heading():
    broken = []
    for page, target in links():
        path, _, fragment = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists():
            broken.append(f"{page.name}: {target}")
        elif fragment:
            headings = re.findall(r"^#+ (.+)$", FENCE.sub("", goal.read_text(encoding="utf-8")), re.MULTILINE)
            if fragment not in map(anchor, headings):
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_error_codes_are_listed_with_those_that_raise_them():
    raised: dict[str, set[str]] = {}
    for path in (PROJECT / "sql").rglob("*.sql"):
        for code in re.findall(r"ERRCODE = '(LP\w{3})'", path.read_text(encoding="utf-8")):
            raised.setdefault(code, set()).add(path.stem)
    rows = re.findall(r"^\| `(LP\w{3})` \| ([^|]*) \|", ERROR_CODES.read_text(encoding="utf-8"), re.MULTILINE)

    assert [code for code, _ in rows] == sorted(raised)
    for code, by in rows:
        assert raised[code] <= set(re.findall(r"`(\w+)`", by)), code
