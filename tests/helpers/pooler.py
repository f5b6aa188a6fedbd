"""PgBouncer as Debian ships it, in transaction mode, before the tests' server."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers import debian_tools
from helpers.project import poll
from helpers.prometheus import free_port
from helpers.server import Server

SETTINGS = """\
[databases]
* = host={host}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
default_pool_size = {sessions}
auth_type = trust
auth_file = {users}
ignore_startup_parameters = extra_float_digits
"""


@contextmanager
def pgbouncer(server: Server, *users: str, sessions: int) -> Iterator[int]:
    """Run it until the end of the block, with so many sessions of the server; gives the port on 127.0.0.1.

    It does not run as root: as the private server, it is then lent to the account `postgres`, with a copy of the
    program where that may read.
    """
    usr = debian_tools.unpacked("pooler")
    program = debian_tools.find("pooler", "sbin/pgbouncer")
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryFile("w+") as log:
        directory = Path(made)
        port = free_port()
        names = directory / "users.txt"
        names.write_text("".join(f'"{name}" ""\n' for name in users), encoding="utf-8")
        settings = directory / "pgbouncer.ini"
        settings.write_text(
            SETTINGS.format(host=server.host, port=port, sessions=sessions, users=names), encoding="utf-8"
        )
        copied = shutil.copy(shutil.which(program) or program, directory)
        for library in usr.glob("lib/*/lib*.so.*"):
            shutil.copy(library, directory)
        as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if as_owner:
            directory.chmod(0o755)
        process = subprocess.Popen(
            [*as_owner, "env", f"LD_LIBRARY_PATH={directory}", copied, str(settings)], stdout=log, stderr=log
        )

        def answers() -> bool:
            if process.poll() is not None:
                log.seek(0)
                pytest.fail(f"pgbouncer exited with {process.returncode}:\n{log.read()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        try:
            poll(answers, timeout=120, what="pgbouncer answers")
            yield port
        finally:
            process.terminate()
            process.wait(60)
