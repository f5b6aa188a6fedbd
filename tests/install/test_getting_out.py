"""Back to the version before, and out of a cluster without a trace."""

import re

import psycopg
import pytest

from helpers.command_line import run_cli, run_ok
from helpers.facts import REMINDER_DUE, insert_lead_of_age
from helpers.own_server import OwnServer
from helpers.project import PROJECT, run_program

pytestmark = pytest.mark.slow("each test has a server of its own, or installs a release")

ROLES = str(PROJECT / "sql" / "roles.sql")
GROUP_ROLES = {
    f"lead_protection_{name}" for name in ("app", "consumer", "jobs", "monitor", "operator", "privacy", "reader")
}


def cluster(own: OwnServer) -> list[str]:
    """All that a cluster has, as statements: roles, memberships, settings, databases with their rights, rows."""
    done = run_program([str(own.server.bin / "pg_dumpall"), "--host", own.server.host, "--username", "postgres"])
    assert done.returncode == 0, done.stderr
    # pg_cron goes on counting its jobs and their runs; pg_dump makes up a key for each dump.
    made_up = re.compile(r"\\(un)?restrict |SELECT pg_catalog\.setval\('cron\.")
    return [line for line in done.stdout.splitlines() if not made_up.match(line)]


def new_lines(before: list[str], after: list[str]) -> list[str]:
    known = set(before)
    return [line for line in after if line not in known and line and not line.startswith("--")]


@pytest.fixture
def installed(bare_with_cron) -> tuple[OwnServer, list[str]]:
    """A cluster with a company's table, as it was; and then with all that one can have of Lead Protection."""
    own = bare_with_cron
    own.server.psql("CREATE ROLE crm_owner LOGIN")
    with own.connect("crm") as db:
        db.execute("CREATE TABLE public.crm_leads (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz)")
        db.execute("INSERT INTO public.crm_leads VALUES (9001, 7, now() - INTERVAL '1 day')")
        db.execute("ALTER TABLE public.crm_leads OWNER TO crm_owner")
    before = cluster(own)
    own.server.psql("-v", "owner=crm_owner", "-v", "jobs=crm_jobs", "-f", ROLES, dbname="crm")
    own.server.psql("-v", "jobs=crm_jobs", "-f", ROLES, dbname="postgres")
    run_ok("apply", "--database", own.url("crm", "crm_owner"))
    with own.connect("crm", "crm_owner") as db:
        insert_lead_of_age(db, 1, REMINDER_DUE)
        db.execute("GRANT SELECT ON public.crm_leads TO lead_protection_reader")
        db.execute("CALL lead_protection.adopt_leads('public.crm_leads', 900)")
        db.execute("CALL lead_protection.switch_on_adoption()")
        db.execute("CALL lead_protection.run_protection_pipeline()")
    own.server.psql("GRANT lead_protection_monitor TO crm_jobs")
    run_ok("schedule", *as_jobs(own))
    with own.connect("postgres") as cron:  # what pg_cron would write, and at a full minute does
        cron.execute(
            "INSERT INTO cron.job_run_details (jobid, runid, database, username, command, status)"
            " SELECT jobid, nextval('cron.runid_seq'), database, username, command, 'succeeded' FROM cron.job"
        )
    return own, before


def as_jobs(own: OwnServer) -> list[str]:
    return ["--database", own.url("crm", "crm_jobs"), "--cron-database", own.url("postgres", "crm_jobs")]


def drop_roles(own: OwnServer, dbname: str, *roles: str, check: bool = True):
    """Run what `sql --roles --drop` prints."""
    given = [word for role in roles for word in ("-v", role)]
    return own.server.psql(*given, "-f", "-", dbname=dbname, stdin=run_ok("sql", "--roles", "--drop"), check=check)


def test_out_of_a_cluster_without_a_trace(installed):
    own, before = installed
    owner = own.url("crm", "crm_owner")
    rollback = ["rollback", "--all", "--yes", "--database", owner]

    status, output = run_cli(*rollback)
    assert status == 1 and "\n  CALL lead_protection.disown_source('public.crm_leads');" in output
    with own.connect("crm", "crm_owner") as db:
        db.execute("CALL lead_protection.disown_source('public.crm_leads')")
        db.execute("REVOKE SELECT ON public.crm_leads FROM lead_protection_reader")

    status, output = run_cli(*rollback, "--cron-database", own.url("postgres", "crm_jobs"))
    assert status == 1 and "of crm_jobs" in output and "lead-protection unschedule --cron-database postgres" in output
    refused = drop_roles(own, "crm", "owner=crm_owner", check=False)
    assert refused.returncode == 3 and "schema lead_protection is still in this database" in refused.stderr
    refused = drop_roles(own, "postgres", "jobs=crm_jobs", check=False)
    assert refused.returncode == 3 and "still has jobs: lead-protection-cron-history" in refused.stderr
    run_ok("unschedule", *as_jobs(own))

    assert "first: lead-protection unschedule" in run_ok(*rollback)

    # What stays behind, as docs/installing.md lists it.
    left = new_lines(before, cluster(own))
    about = re.compile(r"lead_protection|crm_jobs|crm_owner|_yoyo_|yoyo_lock|cron\.")
    assert [line for line in left if re.match(r"[A-Z]+ ", line) and not about.search(line)] == []
    created = {found[1] for line in left if (found := re.match(r"CREATE ROLE (\w+);", line))}
    assert created == GROUP_ROLES | {"crm_jobs"}
    assert [line for line in left if line.startswith("CREATE SCHEMA")] == ["CREATE SCHEMA crm_owner;"]
    tables = {found[1] for line in left if (found := re.match(r"CREATE TABLE (\S+)", line))}
    assert tables <= {f"crm_owner.{name}" for name in ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")}

    drop_roles(own, "postgres", "jobs=crm_jobs")
    told = drop_roles(own, "crm", "owner=crm_owner", "jobs=crm_jobs").stderr
    # What it says of the table is the server's, in its language.
    assert re.findall(r"role (\w+) stays: .* (\S+)", told) == [("crm_owner", "public.crm_leads")]
    assert cluster(own) == before

    drop_roles(own, "postgres", "jobs=crm_jobs")
    drop_roles(own, "crm", "owner=crm_owner", "jobs=crm_jobs")
    assert cluster(own) == before, "it may be run again"


def test_rollback_says_what_must_go_before_it(bare):
    """Also of a table adopted as two things, by an owner of Lead Protection who does not own it."""
    bare.server.psql("CREATE ROLE crm LOGIN")
    bare.server.psql("-v", "owner=crm_owner", "-f", ROLES, dbname="crm")
    owner = bare.url("crm", "crm_owner")
    run_ok("apply", "--database", owner)
    with bare.connect("crm") as db:
        db.execute(
            'CREATE TABLE public."Leads" (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz,'
            " reason text, waits_since timestamptz, waits_until timestamptz)"
        )
        db.execute('ALTER TABLE public."Leads" OWNER TO crm')
        db.execute('GRANT SELECT ON public."Leads" TO crm_owner, lead_protection_reader')
        db.execute('GRANT TRIGGER ON public."Leads" TO crm_owner')
    rollback = ["rollback", "--all", "--yes", "--database", owner]

    def refused() -> list[str]:
        status, output = run_cli(*rollback)
        assert status == 1
        return re.findall(r"^  (CALL .*|DROP .*);$", output, re.MULTILINE)

    with bare.connect("crm", "crm_owner") as db:
        db.execute("CALL lead_protection.adopt_leads('public.\"Leads\"', 900)")
        assert refused() == ["CALL lead_protection.disown_source('public.\"Leads\"')"]
        db.execute(
            "CALL lead_protection.adopt_holds('public.\"Leads\"', 900, name => 'waits', lead_column => 'id',"
            " start_column => 'waits_since', end_column => 'waits_until')"
        )
        calls = refused()
        assert calls == [f"CALL lead_protection.disown_source('{name}')" for name in ("Leads", "waits")]
        for call in calls:
            with pytest.raises(psycopg.Error) as error:
                db.execute(call)
            assert error.value.sqlstate == "LP053"

    drops = refused()
    assert drops and all(line.startswith("DROP TRIGGER") and line.endswith(' ON public."Leads"') for line in drops)
    with bare.connect("crm", "crm") as db:
        for drop in drops:
            db.execute(drop)
    run_ok(*rollback)


@pytest.mark.thorough(
    "a second database on a server of its own",
    by_day="install/test_getting_out.py::test_out_of_a_cluster_without_a_trace"
    " install/test_getting_out.py::test_rollback_says_what_must_go_before_it",
)
def test_a_role_that_is_needed_elsewhere_stays(bare):
    """Two databases of one server: the group roles go with the last of them."""
    bare.server.psql("CREATE DATABASE other")
    for dbname, role in (("crm", "crm_owner"), ("other", "other_owner")):
        bare.server.psql("-v", f"owner={role}", "-f", ROLES, dbname=dbname)
        run_ok("apply", "--database", bare.url(dbname, role))
    roles = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^(lead_protection_|crm_owner|other_owner)'"

    run_ok("rollback", "--all", "--yes", "--database", bare.url("crm", "crm_owner"))
    told = drop_roles(bare, "crm", "owner=crm_owner").stderr
    stays = dict(re.findall(r"role (\w+) stays: (.*)", told))
    assert stays.keys() == GROUP_ROLES
    with bare.connect("other") as db:
        assert db.execute(roles).fetchone() == (8,)
        db.execute("SET ROLE lead_protection_app")
        db.execute("SELECT FROM lead_protection.v_user_lead_protection")

    run_ok("rollback", "--all", "--yes", "--database", bare.url("other", "other_owner"))
    drop_roles(bare, "other", "owner=other_owner")
    with bare.connect("postgres") as db:
        assert db.execute(roles).fetchone() == (0,)


def test_dropping_roles_wants_a_name_and_goes_with_roles(bare):
    refused = drop_roles(bare, "crm", check=False)
    assert refused.returncode == 3 and "no role was named" in refused.stderr
    status, output = run_cli("sql", "--drop")
    assert status == 2 and "--drop goes with --roles" in output


@pytest.mark.thorough(
    "pg_cron at another place",
    by_day="install/test_getting_out.py::test_out_of_a_cluster_without_a_trace"
    " install/test_getting_out.py::test_rollback_says_what_must_go_before_it",
)
def test_jobs_of_the_same_database_are_seen(bare):
    """Without --cron-database: pg_cron in the very database."""
    own = bare
    with psycopg.connect(own.server.url("postgres"), autocommit=True) as db:
        if not db.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_cron'").fetchone():
            pytest.skip("pg_cron is not installed")
        db.execute("CREATE EXTENSION pg_cron")
    url = own.server.url("postgres")
    run_ok("apply", "--database", url)
    run_ok("schedule", "--database", url)
    status, output = run_cli("rollback", "--yes", "--database", url)
    assert status == 1 and output.rstrip().endswith("\n  lead-protection unschedule")
    run_ok("unschedule", "--database", url)
    run_ok("rollback", "--yes", "--database", url)
