"""Migrations as files: taken apart by us as by yoyo."""

import re

import yoyo

from helpers.command_line import run_cli
from helpers.project import PROJECT
from lead_protection import installer


def taken_apart(migration: yoyo.migrations.Migration) -> tuple:
    """What yoyo goes by: what comes before, and the statements; without comments, which are nobody's."""

    def bare(statement: str | None) -> str | None:
        return statement and " ".join(re.sub(r"(?m)--.*$", "", statement).split())

    migration.load()
    steps = [(bare(step.step._apply), bare(step.step._rollback)) for step in migration.steps]
    return migration.id, migration.use_transactions, {needed.id for needed in migration.depends}, steps


def test_a_migration_is_taken_apart_as_yoyo_does():
    theirs = list(yoyo.read_migrations(str(PROJECT / "migrations")))
    assert len(theirs) > 50
    ours = {migration.id: migration for migration in installer.read_migrations(PROJECT)}
    assert [taken_apart(ours[migration.id]) for migration in theirs] == list(map(taken_apart, theirs))


def test_a_migration_that_needs_one_that_is_not_there_is_named(empty_database_url, tree):
    (tree / "migrations" / "9999_more.sql").write_text("-- depends: 9998_missing\nSELECT 1;\n")
    status, output = run_cli("apply", "--database", empty_database_url, tree=tree)
    assert (status, "9999_more.sql depends on 9998_missing" in output) == (1, True), output
