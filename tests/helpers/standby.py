"""A PostgreSQL of its own, which can be stopped, killed and backed up; a standby of it, which can be promoted."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from helpers.project import poll
from helpers.server import home_of, postmaster, private_postgres, server_directory

# As root the server's programs run as `postgres`, like the server itself.
AS_OWNER = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def as_owner(*command: str | Path) -> str:
    """Run a program as the server's account, and return what it printed."""
    done = subprocess.run([*AS_OWNER, *command], capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Cluster:
    """A private PostgreSQL in a directory of its own, which waits for the disk."""

    def __init__(self, directory: str):
        self.directory = directory
        self.start()

    def start(self) -> None:
        """Start it, with what `configure` has written."""
        private_postgres("start", self.directory)

    def stop(self) -> None:
        """Stop it, as is proper."""
        private_postgres("stop", self.directory)

    def kill(self) -> None:
        """Kill the postmaster, and wait until no process of it works."""
        pid = str(postmaster(self.home))
        children = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True).stdout.split()
        os.kill(int(pid), signal.SIGKILL)
        poll(lambda: not any(runs(each) for each in (pid, *children)), timeout=60, what="its processes have gone")
        # Where nobody has fetched what is left of a process, the next server would take it for one that listens.
        for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            Path(self.sockets, name).unlink(missing_ok=True)

    def url(self, dbname: str = "postgres") -> str:
        """The libpq URL of a database."""
        return private_postgres("url", self.directory, dbname)

    def connect(self, dbname: str = "postgres") -> psycopg.Connection:
        """A connection, autocommit."""
        return psycopg.connect(self.url(dbname), autocommit=True)

    @property
    def home(self) -> Path:
        """Where the cluster is."""
        return home_of(self.directory)

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return Path(private_postgres("bin", self.directory))

    @property
    def sockets(self) -> str:
        """Where it listens."""
        return (self.home / "socket_directory").read_text().strip()

    def configure(self, **settings: str) -> None:
        """Write settings, which outdo all others from the next start on."""
        configure(self.home, **settings)

    def base_backup(self, directory: str, *options: str) -> None:
        """Copy it, while it works, to where another one is to be."""
        if AS_OWNER:
            shutil.chown(directory, "postgres")
        as_owner(
            self.bin / "pg_basebackup", f"--pgdata={directory}/data", "--checkpoint=fast", f"--dbname={self.url()}",
            *options,
        )  # fmt: skip
        # By this private-postgres knows a directory of its own.
        as_owner("touch", f"{directory}/server.log")


def runs(pid: str) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def configure(home: Path, **settings: str) -> None:
    """Write settings for a cluster that need not run; of a name the last one counts."""
    with (home / "data" / "postgresql.auto.conf").open("a") as file:
        for name, value in settings.items():
            quoted = value.replace("'", "''")
            file.write(f"{name.replace('__', '.')} = '{quoted}'\n")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new cluster, deleted at the end."""
    with server_directory() as directory:
        yield Cluster(directory)


@contextmanager
def standby_of(primary: Cluster) -> Iterator[Cluster]:
    """A streaming standby of a cluster, from a base backup; deleted at the end. SELECT pg_promote() promotes it."""
    with server_directory() as directory:
        primary.base_backup(directory, "--write-recovery-conf")
        # Newer programs than the server write options there that the server's own libpq does not know.
        configure(Path(directory), primary_conninfo=primary.url())
        yield Cluster(directory)
