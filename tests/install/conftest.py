"""Servers for tests that spoil roles and settings."""

from collections.abc import Iterator

import pytest

from helpers.own_server import OwnServer
from helpers.server import server_directory


@pytest.fixture
def bare() -> Iterator[OwnServer]:
    """A server on which nothing was ever installed, with an empty database `crm`."""
    with server_directory() as directory:
        own = OwnServer(directory)
        own.server.psql("CREATE DATABASE crm")
        yield own


@pytest.fixture
def bare_with_cron(bare, cron) -> OwnServer:
    """The same, with pg_cron in database `postgres`; `cron` skips where that cannot be had."""
    bare.server.psql("CREATE EXTENSION pg_cron")
    return bare
