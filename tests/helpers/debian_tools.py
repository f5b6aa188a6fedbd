"""Programs as Debian ships them, which scripts/debian-tools finds or unpacks when they are first asked for."""

import os
from functools import cache
from pathlib import Path

import pytest

from helpers.project import PROJECT, run_program


@cache
def unpacked(group: str) -> Path:
    """What stands for /usr where they are.

    Where they cannot be had the test is skipped; a CI machine must have them.
    """
    done = run_program([str(PROJECT / "scripts" / "debian-tools"), group])
    if done.returncode != 0:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(done.stderr)
    return Path(done.stdout.strip())


def find(group: str, *names: str) -> str:
    """The first of these paths below /usr that is there: unpacked, or installed."""
    for usr in (unpacked(group), Path("/usr")):
        for name in names:
            if (usr / name).exists():
                return str(usr / name)
    return Path(names[0]).name  # somewhere on PATH
