"""A database to run the blocks of a page in."""

import psycopg
import pytest


@pytest.fixture
def sample_dbname(sample: psycopg.Connection) -> str:
    """The name of this test's database, with the demo's sample in it, as fresh as if it were made just now.

    The template may be an hour old by then: no schedule and no reminder of the sample is overdue yet.
    """
    for table in ("migration_checksums", "leads"):
        sample.execute(f"UPDATE lead_protection.{table} SET recorded_at = now()")
    return sample.info.dbname
