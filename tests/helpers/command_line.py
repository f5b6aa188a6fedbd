"""Running the command line as a process."""

import os
import subprocess
import sys
from pathlib import Path

from helpers.project import PROJECT


def start(*args: str, tree: Path = PROJECT, env: dict | None = None, **keywords) -> subprocess.Popen:
    """Start the command line of a source tree."""
    keywords = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    } | keywords
    return subprocess.Popen(
        [sys.executable, "-m", "lead_protection", *args],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)} | (env or {}),
        text=True,
        **keywords,
    )


def line_of(process: subprocess.Popen) -> str:
    """Wait for the next line that the command line prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """Wait for the command line and return its exit status and all it printed."""
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def run_cli(*args: str, **keywords) -> tuple[int, str]:
    """Run the command line and return its exit status and all it printed."""
    return finish(start(*args, **keywords))


def run_ok(*args: str, **keywords) -> str:
    """Run the command line, which must succeed, and return all it printed."""
    status, output = run_cli(*args, **keywords)
    assert status == 0, output
    return output
