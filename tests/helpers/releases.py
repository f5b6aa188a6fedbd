"""The released versions, as they were: tests/releases.json says which commit each one is."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from helpers.project import PROJECT

RELEASES: dict[str, str] = json.loads((PROJECT / "tests" / "releases.json").read_text())


def git(*args: str) -> bytes:
    """Return what git prints; where the repository's history is not there the test is skipped.

    On a CI machine only a shallow clone excuses that.
    """
    try:
        done = subprocess.run(["git", "-C", str(PROJECT), *args], capture_output=True)
        reason = done.stderr.decode().strip() if done.returncode else ""
    except FileNotFoundError:
        reason = "there is no git"
    if reason:
        excused = not os.environ.get("CI") or _is_shallow()
        (pytest.skip if excused else pytest.fail)(f"no history to take a release from: {reason}")
    return done.stdout


def _is_shallow() -> bool:
    done = subprocess.run(["git", "-C", str(PROJECT), "rev-parse", "--is-shallow-repository"], capture_output=True)
    return done.stdout.strip() == b"true"


def unpack_release(version: str, to: Path) -> Path:
    """Write the tree of a release into a new folder `to`, and return that."""
    to.mkdir()
    subprocess.run(["tar", "-x", "-C", str(to)], input=git("archive", RELEASES[version]), check=True)
    return to
