"""Running the command line."""

import contextlib
import filecmp
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import lead_protection
from helpers.project import PROJECT
from lead_protection import cli, installer

PROGRAM = Path(lead_protection.__file__).parent


def start(*args: str, tree: Path = PROJECT, env: dict | None = None, **keywords) -> subprocess.Popen:
    """Start the command line of a source tree, as a process."""
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


def finish(process: subprocess.Popen, timeout: float = 60) -> tuple[int, str]:
    """Wait for the command line and return its exit status and all it printed."""
    output, _ = process.communicate(timeout=timeout)
    return process.returncode, output


def run_cli(*args: str, tree: Path = PROJECT, env: dict | None = None) -> tuple[int, str]:
    """Run the command line of a source tree and return its exit status and all it printed.

    It runs in this process unless its Python is another one, as that of a release is: to start a process takes longer
    than most commands do. The output is one, so only one thread at a time may call this.
    """
    if not _is_this_program(tree / "lead_protection"):
        return finish(start(*args, tree=tree, env=env))
    output = io.StringIO()
    with (
        patch.dict(os.environ, env or {}),
        patch.object(installer, "find_home", lambda: tree),
        patch.object(sys, "stdin", io.StringIO()),
        contextlib.chdir(tree),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        try:
            status = cli.main(args)
        except SystemExit as end:  # argparse's
            status = int(end.code)
    return status, output.getvalue()


def _is_this_program(package: Path) -> bool:
    names = [path.name for path in PROGRAM.glob("*.py")]
    same, _, _ = filecmp.cmpfiles(PROGRAM, package, names, shallow=False)
    return same == names


def run_ok(*args: str, **keywords) -> str:
    """Run the command line, which must succeed, and return all it printed."""
    status, output = run_cli(*args, **keywords)
    assert status == 0, output
    return output
