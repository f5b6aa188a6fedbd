"""One router with four nodes for all tests here; each test has leads of its own."""

from collections.abc import Callable, Iterator

import pytest

from helpers.routers import Routed, routed
from helpers.server import Server


@pytest.fixture(scope="package")
def four(server: Server, new_database: Callable, template: str) -> Iterator[Routed]:
    """The router with its nodes."""
    with routed(server, new_database, template) as made:
        yield made
