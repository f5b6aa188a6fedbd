"""A database to run the blocks of a page in."""

import psycopg
import pytest


@pytest.fixture
def sample_dbname(sample: psycopg.Connection) -> str:
    """The name of this test's database, with the demo's sample in it."""
    return sample.info.dbname
