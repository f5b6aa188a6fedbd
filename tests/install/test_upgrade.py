"""An older release with data in it becomes the present version: the same catalog as a fresh install, every row still
there; and where the upgrade breaks, the old version works on."""

import hashlib
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from helpers.command_line import finish, run_cli, run_ok, start
from helpers.guards import but_by_night
from helpers.log_form import broken, log_rows, problems_of_log
from helpers.project import PROJECT
from helpers.releases import RELEASES, git, unpack_release
from helpers.rows import columns_of_tables, rows_of_tables
from helpers.seals import seal

pytestmark = pytest.mark.slow("each test installs a release and upgrades it")

PREVIOUS = list(RELEASES)[-1]
VIEW = "sql/views/v_user_lead_protection.sql"
# What later migrations mean to change in rows that are there: the columns that are left out of the comparison.
MEANT_TO_CHANGE: dict[str, set[str]] = {
    # A row is known by the key of its lead, which is not always its number; how it is read follows from the mapping.
    "adoption_queue": {"lead_id"},
    "adoptions": {"key_column", "user_expression", "row_expressions", "fact_expressions", "on_failure"},
    # sql/ is another one, and of a plain install the books are of no interest here.
    "migration_checksums": {"sha256", "recorded_at"},
    # The runbook is another one; its headings stay.
    "help_operations": {
        *("position", "steps", "troubleshooting", "next_steps", "business_context", "search_en", "search_de"),
        *("title", "title_de", "summary", "summary_de", "situation", "situation_de", "keywords", "keywords_de"),
    },
}


@pytest.fixture(scope="module")
def filled(new_database, server, tmp_path_factory) -> Iterator[Callable[[str], tuple[Path, str]]]:
    """Return a function that gives the tree of a release, and the name of a database with it installed and filled.

    Each is made once: a release runs in a Python of its own, and that takes longer than the upgrade.
    """

    @cache
    def fill(version: str) -> tuple[Path, str]:
        tree = unpack_release(version, tmp_path_factory.mktemp("release") / version)
        dbname = stack.enter_context(new_database())
        run_ok("apply", "--database", server.url(dbname), tree=tree)
        server.psql("--single-transaction", "--file", str(tree / "demo" / "sample.sql"), dbname=dbname)
        with psycopg.connect(server.url(dbname), autocommit=True) as db:
            db.execute("CALL lead_protection.run_protection_pipeline()")
            db.execute(
                "SELECT lead_protection.create_lead_hold(12, user_id, 'strike', 900) FROM lead_protection.leads"
                " WHERE id = 12"
            )
            if version >= "0.3.0":
                db.execute("SELECT lead_protection.register_event_consumer('crm', NULL, '-infinity')")
                db.execute(
                    "SELECT lead_protection.acknowledge_events('crm', lease_token, ARRAY[id])"
                    " FROM lead_protection.claim_events('crm', 5)"
                )
            db.execute("CALL lead_protection.run_nightly_maintenance()")
        return tree, dbname

    with ExitStack() as stack:
        yield fill


@pytest.fixture
def old(filled, new_database, server) -> Iterator[Callable[[str], tuple[Path, str]]]:
    """Return a function that gives the tree of a release, and the URL of a database of this test's own with it."""

    def clone(version: str) -> tuple[Path, str]:
        tree, template = filled(version)
        return tree, server.url(stack.enter_context(new_database(template)))

    with ExitStack() as stack:
        yield clone


def by_apply(url: str, server) -> None:
    run_ok("apply", "--database", url)


def by_psql(url: str, server) -> None:
    server.psql("-f", "-", dbname=conninfo_to_dict(url)["dbname"], stdin=run_ok("sql"))


def shown(db: psycopg.Connection) -> list[tuple]:
    """What the view shows; while a lead is on hold its expiry moves with the clock on the wall."""
    return db.execute(
        "SELECT lead_id, user_id, created_at, CASE WHEN NOT on_hold THEN protection_expires_at END, state, on_hold,"
        " CASE WHEN NOT on_hold THEN reminder_due_at END, reminded_at, closed_at, policy_id"
        " FROM lead_protection.v_user_lead_protection ORDER BY lead_id"
    ).fetchall()


@pytest.mark.parametrize(
    ("upgrade", "version"),
    [
        *((by_apply, version) for version in RELEASES),
        *but_by_night(
            [(by_psql, version) for version in RELEASES],
            [(by_psql, PREVIOUS)],
            "older releases by psql",
            "install/test_upgrade.py::test_an_upgrade_gives_the_catalog_of_a_fresh_install_and_keeps_every_row",
        ),
    ],
)
def test_an_upgrade_gives_the_catalog_of_a_fresh_install_and_keeps_every_row(
    version, upgrade, old, database_url, catalog, fresh_catalog, server
):
    _, url = old(version)
    with psycopg.connect(url, autocommit=True) as db:
        wanted = columns_of_tables(db, leave_out=MEANT_TO_CHANGE)
        before, shown_before = rows_of_tables(db, wanted), shown(db)
    assert len(before["leads"]) == len(shown_before) >= 300

    upgrade(url, server)

    assert catalog(url) == fresh_catalog
    with psycopg.connect(url, autocommit=True) as db:
        after = rows_of_tables(db, wanted)
        for table, rows in before.items():
            lost = set(rows) - set(after[table])
            assert lost == set(), table
            # A new job is counted, too; reasons of the company's stay beside the neutral ones.
            grows = ("migration_checksums", "help_operations", "metric_counters", "hold_reasons")
            assert table in grows or len(after[table]) == len(rows), table
        # What a fresh install brings with it, the upgrade brought, too.
        with psycopg.connect(database_url, autocommit=True) as fresh:
            # What there is to count, a fresh install has not.
            brought = columns_of_tables(fresh, leave_out={"metric_counters": {"value"}}, instants=False)
            expected, found = rows_of_tables(fresh, brought), rows_of_tables(db, brought)
        missing = {table: set(rows) - set(found[table]) for table, rows in expected.items()}
        assert not any(missing.values()), missing
        assert shown(db) == shown_before
        assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []
        db.execute("CALL lead_protection.run_protection_pipeline()")
        db.execute("CALL lead_protection.run_nightly_maintenance()")
        # No policy warns that did not before.
        for table in ("policy_warnings", "lead_warnings"):
            assert db.execute(f"SELECT count(*) FROM lead_protection.{table}").fetchone() == (0,)
        # The log from before is in its chains, and says that it is from before.
        # The next run seals what the night numbered.
        seal(db)
        logged = log_rows(db)
        assert len(logged) >= len(before["protection_log"]) > 100 and broken(logged) == []
        assert sum(r["chained_at"] is not None for r in logged) == len(before["protection_log"])
        assert problems_of_log(db) == []
        assert db.execute("SELECT log_chained_at IS NOT NULL FROM lead_protection.settings").fetchone() == (True,)
    run_ok("status", "--database", url)
    assert "0 pending" in run_ok("apply", "--database", url)
    assert catalog(url) == fresh_catalog


ADOPTED = """
CREATE SCHEMA crm;
CREATE TABLE crm."Leads" (nr integer PRIMARY KEY, rep text, begun timestamptz, won boolean NOT NULL DEFAULT false);
INSERT INTO crm."Leads" SELECT 5000 + n, 'rep ' || n % 3, now() - n * INTERVAL '1 day' FROM generate_series(1, 30) AS n;
CREATE TABLE crm.calls (id uuid PRIMARY KEY, lead integer, rep text, at timestamptz, kind text);
INSERT INTO crm.calls VALUES (gen_random_uuid(), 5001, 'rep 1', now() - INTERVAL '1 hour', 'QUALIFIED_CALL');
"""
ADOPT = (
    "CALL lead_protection.adopt_leads('crm.\"Leads\"', 900, id_column => 'nr', user_column => 'rep',"
    " start_column => 'begun', converted_when => 'won'{})"
)


@pytest.mark.parametrize(
    "upgrade",
    but_by_night(
        [by_apply, by_psql],
        [by_apply],
        "the same SQL, by psql",
        "install/test_upgrade.py::test_tables_that_were_adopted_are_followed_on_by_their_old_triggers",
    ),
)
def test_tables_that_were_adopted_are_followed_on_by_their_old_triggers(upgrade, old, server):
    """No clock moves, what waits is kept, nothing that is written is lost, and no write of the company's fails."""
    _, url = old("0.4.0")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(ADOPTED)
        db.execute(ADOPT.format(", on_failure => 'queue'"))
        db.execute(
            "CALL lead_protection.adopt_activities('crm.calls', 900, lead_column => 'lead', user_column => 'rep',"
            " occurred_column => 'at')"
        )
        db.execute("CALL lead_protection.switch_on_adoption()")
        db.execute('UPDATE crm."Leads" SET begun = NULL WHERE nr = 5003')
        before = shown(db)
        waiting = "SELECT row_key, error FROM lead_protection.adoption_queue ORDER BY row_key"
        kept = db.execute(waiting).fetchall()
        assert [row[0] for row in kept] == ["5003"]

    upgrade(url, server)

    with psycopg.connect(url, autocommit=True) as db:
        assert shown(db) == before
        assert db.execute(waiting).fetchall() == kept
        db.execute('UPDATE crm."Leads" SET rep = NULL WHERE nr = 5001')
        db.execute("UPDATE crm.\"Leads\" SET rep = 'rep 9' WHERE nr = 5001")
        db.execute('DELETE FROM crm."Leads" WHERE nr = 5002')
        db.execute("DELETE FROM crm.calls")
        db.execute("INSERT INTO crm.\"Leads\" VALUES (6000, 'rep 9', now())")
        db.execute("CALL lead_protection.follow_adopted_tables()")
        assert db.execute(waiting).fetchall() == kept
        told = db.execute(
            "SELECT event_type FROM lead_protection.protection_log WHERE lead_id = 5001 ORDER BY occurred_at"
        ).fetchall()
        assert [row[0] for row in told if row[0].startswith("lead.protection")][-2:] == [
            "lead.protection.given_back",
            "lead.protection.transferred",
        ]
        owner = "SELECT user_key FROM lead_protection.leads INNER JOIN lead_protection.adopted_users USING (user_id)"
        assert db.execute(f"{owner} WHERE id IN (5001, 6000)").fetchall() == [("rep 9",)] * 2
        drift = "SELECT row_key FROM lead_protection.find_adoption_drift()"
        assert db.execute(drift).fetchall() == [("5003",)]
        # The same call makes the quicker triggers.
        old_triggers = "SELECT count(*) FROM pg_trigger WHERE tgfoid = 'lead_protection.follow_adopted_source'::regproc"
        assert db.execute(old_triggers).fetchone() == (8,)
        db.execute(ADOPT.format(""))
        assert db.execute(old_triggers).fetchone() == (4,)
        db.execute("UPDATE crm.\"Leads\" SET begun = now() - INTERVAL '3 days' WHERE nr = 5003")
        db.execute("CALL lead_protection.follow_adopted_tables()")
        assert db.execute(drift).fetchall() == []
        db.execute("CALL lead_protection.disown_source('crm.calls')")
        db.execute("CALL lead_protection.disown_source('Leads')")
        assert db.execute("SELECT * FROM lead_protection.adopted_tables()").fetchall() == []


# ---------------------------------------------------------------- functions that take the row of a table

# A migration that PostgreSQL 17 refuses while such a function is bound to its names; the others take it as it is.
TAKES_A_ROW = """
    FROM pg_proc AS p, unnest(p.proargtypes::oid[]) AS a (oid)
    INNER JOIN pg_type AS t ON t.oid = a.oid INNER JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'r'
    WHERE p.pronamespace = 'lead_protection'::regnamespace AND p.prosqlbody IS NOT NULL
"""
ADD_TO_EACH = f"""
CREATE TABLE lead_protection.seen (bound integer);
INSERT INTO lead_protection.seen SELECT count(*) {TAKES_A_ROW};
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY[{{tables}}] LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN more integer NOT NULL DEFAULT 1', name);
        EXECUTE format('ALTER TABLE %s DROP COLUMN more', name);
    END LOOP;
END $$;
"""


def test_a_migration_may_add_a_column_to_a_table_whose_row_a_function_takes(sample, server, tree, catalog):
    """The code answers on as it did, and is bound again in the end; an upgrade that fails undoes it."""
    url = server.url(sample.info.dbname)
    tables = [name for (name,) in sample.execute(f"SELECT DISTINCT c.oid::regclass::text {TAKES_A_ROW}")]
    assert len(tables) >= 3
    before, shown_before = catalog(url), shown(sample)
    bound = sample.execute(f"SELECT count(*) {TAKES_A_ROW}").fetchone()
    listed = ", ".join(f"'{name}'" for name in tables)
    migration = tree / "migrations" / "9999_more.sql"

    migration.write_text(f"{ADD_TO_EACH.format(tables=listed)}SELECT 1 / 0;\n")
    status, output = run_cli("apply", "--database", url, tree=tree)
    assert (status, "ERROR 22012: " in output) == (1, True), output
    assert catalog(url) == before

    migration.write_text(ADD_TO_EACH.format(tables=listed))
    run_ok("apply", "--database", url, tree=tree)
    assert sample.execute("SELECT bound FROM lead_protection.seen").fetchone() == (0,)
    assert sample.execute(f"SELECT count(*) {TAKES_A_ROW}").fetchone() == bound
    assert shown(sample) == shown_before

    # As it is between two transactions of an upgrade.
    sample.execute((PROJECT / "sql" / "unbind_rows.sql").read_text())
    assert sample.execute(f"SELECT count(*) {TAKES_A_ROW}").fetchone() == (0,)
    assert shown(sample) == shown_before
    assert sample.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []
    sample.execute("CALL lead_protection.run_protection_pipeline()")


# ---------------------------------------------------------------- a broken upgrade


def spoil_migration(tree: Path) -> None:
    # Before 0034, which is committed by itself.
    (tree / "migrations" / "0033_z_broken.sql").write_text(
        "CREATE TABLE lead_protection.half (id int);\nSELECT 1 / 0;\n"
    )


def spoil_code(tree: Path) -> None:
    (tree / "migrations" / "9999_more.sql").write_text("ALTER TABLE lead_protection.leads ADD COLUMN more int;\n")
    with (tree / VIEW).open("a") as file:
        file.write("\nCREATE VIEW lead_protection.more AS SELECT no_such FROM lead_protection.leads;\n")


def but_the_index(dump: str) -> list[str]:
    """A definition without the indexes that each upgrade builds first and commits by themselves."""
    built = (
        "protection_log_recorded|lead_reminders_sent_at|lead_history_user|reminder_deliveries_occurred_at"
        "|lead_clocks_held"
    )
    lines = (line for line in dump.splitlines() if line and not line.startswith("--"))
    return [line for line in lines if not re.search(built, line)]


def works_on(tree: Path, url: str, *, whole: bool = True) -> None:
    """The main path of the release at `tree` works; if `whole`, nothing of a newer one is in the database."""
    status, output = run_cli("status", "--database", url, tree=tree)
    assert (status == 0) is whole, output
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (9001, 7)")
        hold = "SELECT created FROM lead_protection.create_lead_hold(9001, 7, 'strike', 1)"
        assert db.execute(hold).fetchone() == (True,)
        db.execute("CALL lead_protection.run_protection_pipeline()")
        run_of_job = "SELECT outcome FROM lead_protection.job_runs ORDER BY id DESC LIMIT 1"
        assert db.execute(run_of_job).fetchone() == ("succeeded",)
        assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []


@pytest.mark.parametrize(
    ("version", "spoil"),
    but_by_night(
        [("0.3.0", spoil_migration), ("0.3.0", spoil_code), (PREVIOUS, spoil_code)],
        [("0.3.0", spoil_migration), (PREVIOUS, spoil_code)],
        "an older release",
        "install/test_upgrade.py::test_the_old_version_works_on_after_an_upgrade_that_failed",
    ),
)
@pytest.mark.parametrize("way", ["apply", "psql"])
def test_the_old_version_works_on_after_an_upgrade_that_failed(version, spoil, way, old, tree, catalog, server):
    old_tree, url = old(version)
    before = catalog(url)
    spoil(tree)
    if way == "apply":
        status, output = run_cli("apply", "--database", url, tree=tree)
        assert status == 1, output
    else:
        done = server.psql(
            "-f", "-", dbname=conninfo_to_dict(url)["dbname"], stdin=run_ok("sql", tree=tree), check=False
        )
        assert done.returncode == 3, done.stderr
    if spoil is spoil_migration:
        assert catalog(url) == before
        works_on(old_tree, url)
        return
    # Indexes are built first, and committed by themselves: the old code works on with them.
    if version == PREVIOUS:
        assert but_the_index(catalog(url)) == but_the_index(before)
    # By psql the index of an upgrade that failed is not booked.
    works_on(old_tree, url, whole=version == PREVIOUS and way == "psql")
    run_ok("apply", "--database", url)


@pytest.mark.parametrize(
    "end",
    but_by_night(
        ["killed", "lost"],
        ["killed"],
        "another end of the same connection",
        "install/test_upgrade.py::test_the_old_version_works_on_after_an_upgrade_that_was_cut_off",
    ),
)
def test_the_old_version_works_on_after_an_upgrade_that_was_cut_off(end, old, tree, catalog, wait_until):
    """In the middle of it: a migration is done, and the code waits for a lock."""
    old_tree, url = old(PREVIOUS)
    before = catalog(url)
    (tree / "migrations" / "9999_more.sql").write_text("CREATE TABLE lead_protection.more (id int);\n")
    with psycopg.connect(url) as blocker, psycopg.connect(url, autocommit=True) as db:
        blocker.execute("LOCK TABLE lead_protection.leads IN ROW EXCLUSIVE MODE")
        process = start("apply", "--lock-timeout", "0", "--database", url, tree=tree)
        waiting = (
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'lead-protection'"
            " AND datname = current_database() AND wait_event_type = 'Lock'"
        )
        (pid,) = wait_until(lambda: db.execute(waiting).fetchone(), timeout=60, what="apply waits for the table")
        if end == "killed":
            process.send_signal(signal.SIGKILL)
        else:
            db.execute("SELECT pg_terminate_backend(%s)", [pid])
        status, output = finish(process)
        assert status == (-signal.SIGKILL if end == "killed" else 1), output
        blocker.rollback()
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: db.execute(gone, [pid]).fetchone() == (0,), what="the server has undone it")
    assert but_the_index(catalog(url)) == but_the_index(before)
    works_on(old_tree, url, whole=False)
    run_ok("apply", "--database", url, tree=tree)


# ---------------------------------------------------------------- back


# Not in which order: a column that was dropped and came back is the last of its table.
OBJECTS = """
    SELECT 'column', c.attrelid::regclass::text, c.attname, format_type(c.atttypid, c.atttypmod)
    FROM pg_attribute AS c JOIN pg_class AS t ON c.attrelid = t.oid
    WHERE t.relnamespace = 'lead_protection'::regnamespace AND c.attnum > 0 AND NOT c.attisdropped
    UNION ALL
    SELECT 'routine', p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)), p.proacl::text FROM pg_proc AS p
    WHERE p.pronamespace = 'lead_protection'::regnamespace
    UNION ALL
    SELECT 'trigger', t.tgrelid::regclass::text, t.tgname, t.tgfoid::regprocedure::text FROM pg_trigger AS t
    JOIN pg_class AS c ON t.tgrelid = c.oid
    WHERE c.relnamespace = 'lead_protection'::regnamespace AND NOT t.tgisinternal
    ORDER BY 1, 2, 3, 4
"""


def test_back_to_the_version_before(old):
    """As docs/installing.md says: as many steps as the older package finds migrations of a newer one."""
    old_tree, url = old(PREVIOUS)
    with psycopg.connect(url, autocommit=True) as db:
        before, shown_before = db.execute(OBJECTS).fetchall(), shown(db)
    run_ok("apply", "--database", url)
    with psycopg.connect(url, autocommit=True) as db:
        # One table as several things: the older version has no place for that.
        db.execute(
            "CREATE TABLE public.crm_leads (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz,"
            " lead_id bigint, kind text, reason text, occurred_at timestamptz, start_at timestamptz,"
            " end_at timestamptz)"
        )
        for kind in ("leads", "activities", "holds"):
            db.execute(f"CALL lead_protection.adopt_{kind}('public.crm_leads', 900, name => '{kind}')")
        for kind in ("holds", "activities", "leads"):
            db.execute(f"CALL lead_protection.disown_source('{kind}')")

    status, output = run_cli("status", "--database", url, tree=old_tree)
    newer = output.count("applied by a newer version")
    assert status == 1 and newer > 0
    run_ok("rollback", "--steps", str(newer), "--yes", "--database", url)
    run_ok("apply", "--database", url, tree=old_tree)

    with psycopg.connect(url, autocommit=True) as db:
        assert db.execute(OBJECTS).fetchall() == before
        assert shown(db) == shown_before
    works_on(old_tree, url)
    run_ok("apply", "--database", url)


# ---------------------------------------------------------------- frozen


def frozen() -> dict[str, str]:
    lines = (PROJECT / "migrations" / "released.sha256").read_text().splitlines()
    return {name: checksum for checksum, name in (line.split() for line in lines)}


def test_released_migrations_are_as_they_were_released():
    for name, checksum in frozen().items():
        assert hashlib.sha256((PROJECT / "migrations" / name).read_bytes()).hexdigest() == checksum, name


def test_every_migration_of_a_release_is_frozen():
    for version, commit in RELEASES.items():
        names = git("ls-tree", "--name-only", f"{commit}:migrations").decode().split()
        released = {name for name in names if name.endswith(".sql") and ".rollback." not in name}
        assert released <= frozen().keys(), version
