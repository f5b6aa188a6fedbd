"""A PostgreSQL of its own, which can be stopped, and a streaming standby of it, which can be promoted."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.server import private_postgres, server_directory

# As root the server's programs run as `postgres`, like the server itself.
AS_OWNER = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


class Cluster:
    """A private PostgreSQL in a directory of its own."""

    def __init__(self, directory: str):
        self.directory = directory
        self.start()

    def start(self) -> None:
        private_postgres("start", self.directory)

    def stop(self) -> None:
        private_postgres("stop", self.directory)

    def url(self, dbname: str = "postgres") -> str:
        return private_postgres("url", self.directory, dbname)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new cluster, deleted at the end."""
    with server_directory() as directory:
        yield Cluster(directory)


@contextmanager
def standby_of(primary: Cluster) -> Iterator[Cluster]:
    """A streaming standby of a cluster, from a base backup; deleted at the end. SELECT pg_promote() promotes it."""
    with server_directory() as name:
        directory = Path(name)
        if AS_OWNER:
            shutil.chown(directory, "postgres")
        backup = Path(private_postgres("bin", primary.directory), "pg_basebackup")
        subprocess.run(
            [*AS_OWNER, backup, "--pgdata", directory / "data", "--write-recovery-conf", "--checkpoint=fast",
             "--dbname", primary.url()],
            check=True, cwd="/", capture_output=True,
        )  # fmt: skip
        # By this private-postgres knows a directory of its own.
        subprocess.run([*AS_OWNER, "touch", directory / "server.log"], check=True, cwd="/")
        yield Cluster(name)
