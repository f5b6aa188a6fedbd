"""docs/security.md: behind each claim is a test, and the test is there."""

import re

from helpers.pages import PAGES
from helpers.project import PROJECT

PAGE = PROJECT / "docs" / "security.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_named_test_exists():
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 30
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"^def {test}\(", (PROJECT / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_claim_names_a_test():
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"^\| (?!might|asset|---)", line)
    ]
    claims = [line for line in rows if line.count(" | ") == 2]
    assert [line for line in claims if not NAMED.search(line)] == []
    assert len(claims) > 20


def test_who_finds_a_hole_is_led_here():
    assert PAGE in PAGES
    assert "docs/security.md" in (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    assert "docs/security.md" in (PROJECT / "README.md").read_text(encoding="utf-8")
