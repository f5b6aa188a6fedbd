"""Tests that only widen what others prove, and so are left to the night."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pytest

from helpers.project import PROJECT


def but_by_night(values: Iterable, by_day: Iterable, reason: str, guard: str) -> list:
    """Parameters of a test, of which a usual run takes only those of `by_day`: the others only widen what they prove.

    `guard` names the test, as the mark `thorough` wants it.
    """
    chosen, at_night = tuple(by_day), pytest.mark.thorough(reason, by_day=guard)
    return [
        value if value in chosen else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=at_night)
        for value in values
    ]


def faults_in_guards(given: Mapping[str, Any]) -> str:
    """Say what is wrong with the keywords of a mark `thorough`: each name in by_day must be a test that is there."""
    guards = given.get("by_day", "").split()
    missing = [guard for guard in guards if not _is_there(*guard.partition("::")[::2])]
    return "by_day names none" if not guards else ", ".join(missing)


@cache
def _is_there(file: str, name: str) -> bool:
    path = PROJECT / "tests" / file
    return path.is_file() and re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
