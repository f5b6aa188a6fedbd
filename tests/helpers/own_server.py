"""A server for one test alone."""

import psycopg

from helpers.server import private_postgres, start_server


class OwnServer:
    """A private PostgreSQL of its own, whose roles and settings a test may spoil."""

    def __init__(self, directory: str):
        self.directory = directory
        self.server = start_server(directory)

    def url(self, dbname: str, user: str = "postgres") -> str:
        return self.server.url(dbname).replace("postgres@", f"{user}@", 1)

    def connect(self, dbname: str, user: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(dbname, user), autocommit=True)

    def restart(self) -> None:
        private_postgres("stop", self.directory)
        private_postgres("start", "--fast", self.directory)
