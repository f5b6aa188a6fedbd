"""Load on a server: a session in a thread of its own, over and over, which outlives the server."""

import threading
from collections.abc import Callable

import psycopg


class Load(threading.Thread):
    """Calls `work` with a connection, over and over, until told to stop; a lost connection is replaced.

    `url` may be set to that of another server: the next connection goes there.
    """

    def __init__(self, url: str, work: Callable[[psycopg.Connection], None]):
        super().__init__(daemon=True)
        self.url, self.work = url, work
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.lost = 0
        self.start()

    def run(self) -> None:
        """Work until told to stop."""
        while not self.stopping.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True) as db:
                    while not self.stopping.is_set():
                        self.work(db)
            except psycopg.OperationalError:
                self.lost += 1
                self.stopping.wait(0.05)
            except BaseException as failure:
                self.failure = failure
                raise

    def stop(self) -> None:
        """Wait until it has stopped; it must not have failed."""
        self.stopping.set()
        self.join(60)
        assert not self.is_alive() and self.failure is None
