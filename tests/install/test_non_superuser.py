"""Everything as roles that are no superusers, on a server of its own, with pg_cron in another database.

sql/roles.sql is all that a superuser does. From then on the owner installs, the job role schedules from pg_cron's
database, pg_cron runs the jobs as that role, the application works, and the preflight of `status` says what is missing.
"""

import re
from pathlib import Path

import psycopg
import pytest

from helpers.command_line import run_cli, run_ok
from helpers.facts import REMINDER_DUE, events, insert_lead_of_age
from helpers.project import PROJECT, poll

pytestmark = pytest.mark.slow("each test has a server of its own")

ROLES = str(PROJECT / "sql" / "roles.sql")
GROUP_ROLES = [f"lead_protection_{name}" for name in ("app", "consumer", "jobs", "monitor", "operator", "privacy")]


def preflight(output: str) -> str:
    """That section of what `status` prints."""
    (section,) = re.findall(r"(?ms)^Preflight\n(.*?)\n\n", output + "\n\n")
    return section


def finding(output: str, outcome: str, topic: str, seen: str) -> str:
    """The lines of the one finding with these three; the test fails if it is not there."""
    found = re.search(rf"(?m)^  {outcome} +{topic} +.*{re.escape(seen)}.*\n(?: {{24}}.*\n)*", preflight(output) + "\n")
    assert found, preflight(output)
    return found[0]


def test_the_main_path_without_a_superuser(bare_with_cron):
    bare = bare_with_cron
    bare.server.psql("-v", "owner=crm_owner", "-v", "jobs=crm_jobs", "-f", ROLES, dbname="crm")
    bare.server.psql("-v", "jobs=crm_jobs", "-f", ROLES, dbname="postgres")
    # One more database, whose job role pg_hba.conf does not let in: pg_cron's failure, seen by the preflight.
    bare.server.psql("CREATE DATABASE shut")
    bare.server.psql("-v", "owner=crm_owner", "-v", "jobs=shut_jobs", "-f", ROLES, dbname="shut")
    bare.server.psql("-v", "jobs=shut_jobs", "-f", ROLES, dbname="postgres")
    with bare.connect("postgres") as db:
        rights = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname IN ('crm_owner', 'crm_jobs')"
        assert db.execute(rights).fetchall() == [(False, False, False)] * 2
        owners = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'crm'"
        assert db.execute(owners).fetchone() == ("postgres",)

    owner, jobs = bare.url("crm", "crm_owner"), bare.url("crm", "crm_jobs")
    cron_as_jobs = bare.url("postgres", "crm_jobs")
    assert "role lead_protection" not in run_ok("apply", "--database", owner)  # no notice: all roles are there
    run_ok("apply", "--database", bare.url("shut", "crm_owner"))
    output = run_ok("status", "--database", owner)
    finding(output, "ok", "owner", "schema lead_protection is crm_owner's; crm_owner may apply")
    finding(output, "ok", "group roles", "all 5 are there")
    finding(output, "unknown", "pg_cron", "is not shown to crm_owner")

    # The owner may not look into pg_cron; the job role sees its own jobs there. So the latter looks, as a monitor.
    bare.server.psql("GRANT lead_protection_monitor TO crm_jobs, shut_jobs")
    finding(run_ok("status", "--database", owner, "--cron-database", "postgres"), "unknown", "jobs", "schema cron")
    as_jobs = ["--database", jobs, "--cron-database", cron_as_jobs]
    output = run_ok("status", *as_jobs)
    finding(output, "ok", "job role", "crm_jobs may log in, run the jobs and schedule them")
    finding(output, "unknown", "jobs", "none is scheduled by crm_jobs; those of other roles pg_cron does not show it")
    run_ok("schedule", *as_jobs)
    finding(run_ok("status", *as_jobs), "ok", "jobs", "all are scheduled for database crm by crm_jobs")
    as_shut = ["--database", bare.url("shut", "shut_jobs"), "--cron-database", bare.url("postgres", "shut_jobs")]
    run_ok("schedule", *as_shut)

    with bare.connect("postgres") as cron, bare.connect("crm", "crm_owner") as db:
        assert cron.execute(
            "SELECT jobname, database, username FROM cron.job WHERE username = 'crm_jobs' ORDER BY 1"
        ).fetchall() == [
            ("lead-protection-cron-history", "postgres", "crm_jobs"),
            ("lead-protection-follow", "crm", "crm_jobs"),
            ("lead-protection-nightly", "crm", "crm_jobs"),
            ("lead-protection-reminders", "crm", "crm_jobs"),
        ]
        hba = Path(cron.execute("SHOW hba_file").fetchone()[0])
        hba.write_text("local shut shut_jobs reject\n" + hba.read_text())
        cron.execute("SELECT pg_reload_conf()")

        # The application, as a login role of its own.
        cron.execute("CREATE ROLE crm LOGIN IN ROLE lead_protection_app")
        with bare.connect("crm", "crm") as app:
            app.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (2, 7)")
            hold = "SELECT created FROM lead_protection.create_lead_hold(2, 7, 'strike', 7)"
            assert app.execute(hold).fetchone() == (True,)
            state = "SELECT state, on_hold FROM lead_protection.v_user_lead_protection WHERE lead_id = 2"
            assert app.execute(state).fetchone() == ("PROTECTED", True)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("UPDATE lead_protection.leads SET user_id = 8")
        insert_lead_of_age(db, 1, REMINDER_DUE)

        # Only their schedule is tightened, to spare the wait: pg_cron 1.4 knows nothing shorter than a minute.
        # And none is to begin only because it is the time of night for it.
        cron.execute(
            "SELECT cron.alter_job(jobid, schedule => '* * * * *', active => jobname LIKE '%reminders') FROM cron.job"
        )
        sent = "SELECT lead_id FROM lead_protection.lead_reminders"
        poll(lambda: db.execute(sent).fetchall() == [(1,)], timeout=130, what="pg_cron has sent the reminder")
        run_of_cron = "SELECT status, username, database FROM cron.job_run_details WHERE username = %s AND status = %s"
        poll(
            lambda: cron.execute(run_of_cron, ["crm_jobs", "succeeded"]).fetchone() == ("succeeded", "crm_jobs", "crm"),
            what="pg_cron has booked the run",
        )
        poll(
            lambda: cron.execute(run_of_cron, ["shut_jobs", "failed"]).fetchone(),
            timeout=130,
            what="pg_cron was not let in",
        )
        assert events(db)[-1] == "lead.protection.reminder"
        first = "SELECT job_name, outcome FROM lead_protection.job_runs ORDER BY id LIMIT 1"
        assert db.execute(first).fetchall() == [("lead-protection-reminders", "succeeded")]
        assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []

    finding(run_ok("status", *as_jobs), "ok", "last run", "by pg_cron as crm_jobs: succeeded")
    as_superuser = ["--database", bare.url("shut"), "--cron-database", "postgres"]
    told = finding(run_ok("status", *as_superuser), "missing", "last run", "pg_cron could not log in as shut_jobs")
    assert "line of pg_hba.conf for role shut_jobs and database shut" in told

    run_ok("unschedule", *as_jobs)
    run_ok("rollback", "--all", "--yes", "--database", owner)
    run_ok("apply", "--database", owner)


@pytest.mark.thorough(
    "three databases more, by another grant",
    by_day="install/test_non_superuser.py::test_the_main_path_without_a_superuser"
    " install/test_non_superuser.py::test_the_preflight_says_what_is_missing_and_what_it_says_helps",
)
def test_the_owner_of_nothing_but_the_schema(bare, catalog):
    """Where a DBA gives no right to the database: two schemas, made for the owner, will do."""
    for dbname in ("theirs", "script"):
        bare.server.psql(f"CREATE DATABASE {dbname}")
    bare.server.psql("-v", "owner=crm_owner", "-f", ROLES, dbname="crm")
    run_ok("apply", "--database", bare.url("crm", "crm_owner"))
    fresh = catalog(bare.url("crm"))

    url = bare.url("theirs", "crm_owner")
    status, output = run_cli("apply", "--database", url)
    assert status == 1
    assert "GRANT CREATE ON DATABASE theirs TO crm_owner;" in output
    status, output = run_cli("status", "--database", url)
    finding(output, "missing", "owner", "crm_owner may make no schema in this database")

    bare.server.psql("CREATE SCHEMA lead_protection AUTHORIZATION crm_owner", dbname="theirs")
    status, output = run_cli("apply", "--database", url)
    assert status == 1
    assert "CREATE SCHEMA crm_owner AUTHORIZATION crm_owner;" in output
    bare.server.psql("CREATE SCHEMA crm_owner AUTHORIZATION crm_owner", dbname="theirs")
    assert "-- CREATE SCHEMA lead_protection; -- it is there" in run_ok("apply", "--dry-run", "--database", url)
    run_ok("apply", "--database", url)
    run_ok("status", "--database", url)
    assert catalog(bare.url("theirs")) == fresh

    # The script keeps no books of yoyo's and needs the schema only.
    bare.server.psql("CREATE SCHEMA lead_protection AUTHORIZATION crm_owner", dbname="script")
    script = run_ok("sql")
    for _ in range(2):
        bare.server.psql("-c", "SET ROLE crm_owner", "-f", "-", dbname="script", stdin=script)
    assert catalog(bare.url("script")) == fresh
    run_ok("status", "--database", bare.url("script", "crm_owner"))


@pytest.mark.thorough(
    "applied and rolled back by turns",
    by_day="install/test_non_superuser.py::test_the_main_path_without_a_superuser"
    " install/test_non_superuser.py::test_the_preflight_says_what_is_missing_and_what_it_says_helps",
)
def test_yoyos_books_go_where_the_owner_may_write_and_stay_there(bare):
    bare.server.psql("-v", "owner=crm_owner", "-f", ROLES, dbname="crm")
    books = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = '_yoyo_migration'"
    for search_path, pending in (("public, crm_owner", "0 applied"), ("early, crm_owner", "0 pending")):
        bare.server.psql("CREATE SCHEMA IF NOT EXISTS early AUTHORIZATION crm_owner", dbname="crm")
        bare.server.psql(f"ALTER ROLE crm_owner SET search_path = {search_path}")
        assert pending in run_ok("apply", "--database", bare.url("crm", "crm_owner"))
        run_ok("rollback", "--yes", "--database", bare.url("crm", "crm_owner"))
        assert "1 pending" in run_ok("apply", "--database", bare.url("crm", "crm_owner"))
        with bare.connect("crm") as db:
            assert db.execute(books).fetchall() == [("crm_owner",)]


def test_roles_sql_may_be_run_again_and_makes_nothing_but_roles_and_grants(bare):
    def everything() -> list[tuple]:
        with bare.connect("crm") as db:
            return (
                db.execute(
                    "SELECT rolname, rolcanlogin, rolsuper, rolcreaterole FROM pg_roles"
                    " WHERE rolname !~ '^pg_' ORDER BY 1"
                ).fetchall()
                + db.execute(
                    "SELECT nspname, nspacl::text, (SELECT datacl::text FROM pg_database WHERE datname = 'crm')"
                    " FROM pg_namespace ORDER BY 1"
                ).fetchall()
            )

    arguments = ["-v", "owner=Crm Owner", "-v", "jobs=Crm Jobs", "-f", "-"]
    script = run_ok("sql", "--roles")
    bare.server.psql(*arguments, dbname="crm", stdin=script)
    once = everything()
    bare.server.psql(*arguments, dbname="crm", stdin=script)
    assert everything() == once
    assert once[:10] == [
        ("Crm Jobs", True, False, False),
        ("Crm Owner", True, False, False),
        *((name, False, False, False) for name in (*GROUP_ROLES, "lead_protection_reader")),
        ("postgres", True, True, True),
    ]
    run_ok("apply", "--database", bare.url("crm", "Crm%20Owner"))


def test_roles_sql_wants_a_name(bare):
    done = bare.server.psql("-v", "VERBOSITY=verbose", "-f", ROLES, dbname="crm", check=False)
    assert done.returncode == 3
    assert "22023: no role was named" in done.stderr
    with bare.connect("crm") as db:
        assert db.execute("SELECT FROM pg_roles WHERE rolname LIKE 'lead%'").fetchall() == []


def test_the_preflight_says_what_is_missing_and_what_it_says_helps(bare_with_cron):
    """Each command it names is run, and the next look no longer names it."""
    bare = bare_with_cron
    bare.server.psql("CREATE ROLE crm_owner LOGIN")
    bare.server.psql("ALTER DATABASE crm OWNER TO crm_owner")
    url = bare.url("crm", "crm_owner")
    as_superuser = ["--database", bare.url("crm"), "--cron-database", "postgres"]

    def obey(told: str, dbname: str = "postgres") -> None:
        for statement in re.findall(r"(?m)^ +([A-Z]{2}.*?;)(?:   --.*)?$", told):
            bare.server.psql(statement, dbname=dbname)

    assert "HINT: Have it made with CREATE ROLE" in run_ok("apply", "--database", url)
    obey(finding(run_ok("status", "--database", url), "missing", "group roles", ", ".join(sorted(GROUP_ROLES)[:1])))
    finding(run_ok("status", "--database", url), "missing", "group roles", "made after the last apply")
    run_ok("apply", "--database", url)
    finding(run_ok("status", "--database", url), "ok", "group roles", "all 5 are there")

    output = run_ok("status", *as_superuser)
    told = finding(output, "missing", "job role", "no role that may log in is a member of lead_protection_jobs")
    assert "CREATE ROLE NAME LOGIN IN ROLE lead_protection_jobs" in told
    finding(output, "missing", "jobs", "none is scheduled for database crm")
    bare.server.psql("CREATE ROLE crm_jobs LOGIN IN ROLE lead_protection_jobs")
    bare.server.psql("REVOKE CONNECT ON DATABASE crm FROM PUBLIC")
    told = finding(run_ok("status", *as_superuser), "missing", "job role", "crm_jobs lacks rights")
    for right in ("CONNECT ON DATABASE crm", "USAGE ON SCHEMA cron", "EXECUTE ON FUNCTION cron.schedule_in_database"):
        assert f"GRANT {right} TO crm_jobs;" in told
    obey(told)
    finding(run_ok("status", *as_superuser), "ok", "job role", "crm_jobs may log in")

    as_jobs = ["--database", bare.url("crm", "crm_jobs"), "--cron-database", bare.url("postgres", "crm_jobs")]
    run_ok("schedule", *as_jobs)
    finding(run_ok("status", *as_superuser), "ok", "jobs", "all are scheduled for database crm by crm_jobs")
    bare.server.psql("SELECT cron.alter_job(jobid, active => false) FROM cron.job WHERE jobname LIKE '%nightly'")
    finding(run_ok("status", *as_superuser), "missing", "jobs", "but not at work: lead-protection-nightly")
    bare.server.psql("ALTER ROLE crm_jobs NOLOGIN; REVOKE lead_protection_jobs FROM crm_jobs")
    told = finding(run_ok("status", *as_superuser), "missing", "job role", "crm_jobs lacks rights")
    assert "ALTER ROLE crm_jobs LOGIN;" in told and "GRANT lead_protection_jobs TO crm_jobs;" in told
    obey(told)
    finding(run_ok("status", *as_superuser), "ok", "job role", "crm_jobs may log in")

    # Where pg_cron is, as far as each may see.
    told = finding(run_ok("status", "--database", bare.url("crm")), "note", "pg_cron", "lives in database postgres")
    assert "status --cron-database postgres" in told
    finding(run_ok("status", *as_superuser), "ok", "workers", "needs no background workers")
    bare.server.psql("ALTER SYSTEM SET cron.use_background_workers = on")
    bare.restart()
    with bare.connect("postgres") as cron:
        (version,) = cron.execute("SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'").fetchone()
    old = float(version.split("-")[0]) < 1.5
    finding(run_ok("status", *as_superuser), "note" if old else "ok", "workers", "long job" if old else "takes one of")
    bare.server.psql("DROP EXTENSION pg_cron CASCADE")
    told = finding(run_ok("status", *as_superuser), "missing", "pg_cron", "where the extension was not made")
    assert "CREATE EXTENSION pg_cron;" in told
    bare.server.psql("ALTER SYSTEM SET shared_preload_libraries = 'plpgsql'")
    bare.restart()
    told = finding(run_ok("status", *as_superuser), "missing", "pg_cron", "is installed on this server, but not loaded")
    assert "shared_preload_libraries = 'pg_cron'" in told
