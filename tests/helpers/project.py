"""The project's folder, its programs, and waiting for a condition."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

# `pytest --fast` and `pytest --thorough` set them before any test is read.
FAST = THOROUGH = False
# What is drawn by chance is drawn from it. It is another one in each run, and printed at its head.
SEED_VARIABLE = "LEAD_PROTECTION_SEED"


def cases(number: int, *, usual: int | None = None, fast: int) -> int:
    """How many random cases to draw: all in a thorough run, fewer in a usual one, and fewest in a fast one."""
    if FAST:
        return fast
    return number if THOROUGH or usual is None else usual


def left_to(target: str) -> pytest.MarkDecorator:
    """Mark what takes too long for `make test`: a thorough run has it, and this target of make."""
    return pytest.mark.skipif(not THOROUGH, reason=f"make {target} runs it")


def seed() -> int:
    """The seed of this run."""
    return int(os.environ[SEED_VARIABLE])


def run_program(command: list, **keywords) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; keywords as for subprocess.run. Its output is text, in the result."""
    return subprocess.run(command, capture_output=True, text=True, **({"input": ""} | keywords))


def poll(condition: Callable[[], object], *, timeout: float = 10, what: str | None = None):
    """Call `condition` until it returns something true, and return that.

    After `timeout` seconds the test fails; `what` says in the message what was waited for.
    """
    limit = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > limit:
            what = what or getattr(condition, "__name__", repr(condition))
            pytest.fail(f"after {timeout} s still not true: {what}; last result {result!r}")
        time.sleep(0.05)
    return result
