"""The released versions, as they were: tests/releases.json says which commit each one is."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from command_line import PROJECT

RELEASES: dict[str, str] = json.loads((PROJECT / "tests" / "releases.json").read_text())


def git(*args: str) -> bytes:
    """Return what git prints; without the repository's history the test is skipped, except on a CI machine."""
    try:
        done = subprocess.run(["git", "-C", str(PROJECT), *args], capture_output=True)
        reason = done.stderr.decode().strip() if done.returncode else ""
    except FileNotFoundError:
        reason = "there is no git"
    if reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no history to take a release from: {reason}")
    return done.stdout


def unpack_release(version: str, to: Path) -> Path:
    """Write the tree of a release into a new folder `to`, and return that."""
    to.mkdir()
    subprocess.run(["tar", "-x", "-C", str(to)], input=git("archive", RELEASES[version]), check=True)
    return to
