"""Prometheus and its exporters as Debian ships them, started for real on free ports."""

import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from helpers import debian_tools
from helpers.project import poll


def program_path(program: str) -> str:
    """The path of one of these programs."""
    return debian_tools.find("monitoring", f"bin/{program}")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(program: str, *args: str, port: int, env: dict | None = None, ready: str = "/metrics") -> Iterator[str]:
    """Run a server until the end of the block, from when its page `ready` answers; gives its address."""
    address = f"127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [program_path(program), *args], env=os.environ | (env or {}), stdout=log, stderr=log, start_new_session=True
        )

        def answers() -> bool:
            if process.poll() is not None:
                log.seek(0)
                pytest.fail(f"{program} exited with {process.returncode}:\n{log.read()}")
            try:
                return bool(get(address, ready))
            except (URLError, ConnectionError):
                return False

        try:
            poll(answers, timeout=30, what=f"{program} answers")
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def get(address: str, path: str) -> str:
    """Fetch a page."""
    with urlopen(f"http://{address}{path}", timeout=10) as answer:
        return answer.read().decode()


def ask(address: str, query: str) -> list[dict]:
    """Ask Prometheus for the instant vector of a query."""
    answer = json.loads(get(address, f"/api/v1/query?{urlencode({'query': query})}"))
    assert answer["status"] == "success", answer
    return answer["data"]["result"]
