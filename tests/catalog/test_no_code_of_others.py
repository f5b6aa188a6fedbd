"""No code of others, ever: whatever a session's path offers, neither our SQL nor what applies it looks it up."""

import re
import sys

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from helpers.calls import row, rows
from helpers.command_line import run_cli, run_ok
from helpers.facts import EXPIRED, REMINDER_DUE, insert_leads_of_age
from helpers.guards import but_by_night
from helpers.project import PROJECT, run_program
from helpers.releases import RELEASES, unpack_release
from helpers.traps import caught, plant

PREVIOUS = list(RELEASES)[-1]
THE_THREE = {
    ("lead_holds_reason_not_blank", "lead_holds"),
    ("lead_extensions_reason_not_blank", "lead_extensions"),
    ("event_consumers_types_named", "event_consumers"),
}

ADOPTING = {
    "adopt_activities",
    "adopt_holds",
    "adopt_leads",
    "backfill_adoption",
    "change_adoption_triggers",
    "disown_source",
    "follow_adopted_tables",
    "record_all_passed_deadlines",
    "switch_on_adoption",
}


def by_apply(url: str, server) -> None:
    run_ok("apply", "--database", url)


def by_psql(url: str, server) -> None:
    server.psql("-f", "-", dbname=conninfo_to_dict(url)["dbname"], stdin=run_ok("sql"))


JOBS = {"run_protection_pipeline", "run_nightly_maintenance", "run_protection_drill"}


@pytest.mark.slow("thousands of traps, and an installation")
@pytest.mark.parametrize(
    ("install", "path"),
    but_by_night(
        [(install, path) for path in ("public", "traps, pg_catalog, public") for install in (by_apply, by_psql)],
        [(by_apply, "traps, pg_catalog, public")],
        "another path, or the same SQL by psql",
        "catalog/test_no_code_of_others.py::test_nothing_of_the_path_is_built_in_or_called_by_an_installation",
    ),
)
def test_nothing_of_the_path_is_built_in_or_called_by_an_installation(install, path, empty_database_url, server):
    schema = path.split(",")[0]
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        db.execute("CREATE SCHEMA IF NOT EXISTS traps")
        plant(db, schema)
        db.execute(f"ALTER DATABASE {db.info.dbname} SET search_path = {path}")
    install(empty_database_url, server)
    install(empty_database_url, server)
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        assert caught(db, schema) == (False, [])
    run_ok("status", "--database", empty_database_url)
    if install is by_apply:
        run_ok("rollback", "--all", "--yes", "--database", empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        assert caught(db, schema) == (False, [])


@pytest.mark.thorough(
    "all migrations by another program",
    by_day="catalog/test_no_code_of_others.py::test_the_constraints_that_a_release_built_on_planted_operators_are_made_anew",
)
def test_nothing_of_the_path_stays_built_in_by_a_plain_yoyo_apply(empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        plant_operator(db)
    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")
    done = run_program([sys.executable, "-m", "yoyo", "apply", "--database", url], cwd=PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        assert rows(db, "SELECT * FROM public.called") == []
    assert "outside" not in run_ok("status", "--database", empty_database_url)


def plant_operator(db: psycopg.Connection) -> None:
    """What anybody could plant who may create in public: it notes that it ran, and lets all pass."""
    db.execute(
        "CREATE TABLE public.called (as_whom name);"
        "CREATE FUNCTION public.spy(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO public.called VALUES (CURRENT_USER); RETURN true; END$$;"
        "CREATE OPERATOR public.~ (FUNCTION = public.spy, LEFTARG = varchar, RIGHTARG = varchar);"
        "CREATE FUNCTION public.spy(integer, integer) RETURNS boolean LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO public.called VALUES (CURRENT_USER); RETURN true; END$$;"
        "CREATE FUNCTION public.cardinality(text[]) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        "CREATE FUNCTION public.array_position(text[], text) RETURNS integer LANGUAGE sql AS 'SELECT NULL::integer'"
    )


@pytest.mark.slow("installs a release and upgrades it")
@pytest.mark.parametrize(
    "upgrade",
    but_by_night(
        [by_apply, by_psql],
        [by_apply],
        "the same SQL, by psql",
        "catalog/test_no_code_of_others.py"
        "::test_the_constraints_that_a_release_built_on_planted_operators_are_made_anew",
    ),
)
def test_the_constraints_that_a_release_built_on_planted_operators_are_made_anew(
    upgrade, empty_database_url, tmp_path, server, catalog, fresh_catalog
):
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        plant_operator(db)
        run_ok("apply", "--database", empty_database_url, tree=unpack_release(PREVIOUS, tmp_path / PREVIOUS))
        # The fault was there: this is what the release built in.
        db.execute("INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (1, 7, now())")
        db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'strike', 1)")
        assert rows(db, "SELECT * FROM public.called") != []
        status, output = run_cli("status", "--database", empty_database_url)
        assert status == 1
        for constraint, table in THE_THREE:
            assert re.search(rf"\b{constraint} \w+ \w+ lead_protection\.{table}\b", output)
        upgrade(empty_database_url, server)
        db.execute("DELETE FROM public.called")
        db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
        db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'strike again', 1)")
        assert rows(db, "SELECT * FROM public.called") == []
    assert "outside" not in run_ok("status", "--database", empty_database_url)
    assert catalog(empty_database_url) == fresh_catalog


def test_status_names_what_of_ours_is_built_on_code_of_others(database_url, db):
    assert "outside" not in run_ok("status", "--database", database_url)
    db.execute(
        "CREATE FUNCTION public.fits(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
        "ALTER TABLE lead_protection.hold_reasons ADD CONSTRAINT fits CHECK (public.fits(code));"
        "CREATE DOMAIN public.code AS text;"
        "ALTER TABLE lead_protection.hold_reasons ADD COLUMN more public.code;"
        "CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER look AFTER INSERT ON lead_protection.leads FOR EACH ROW EXECUTE FUNCTION public.look()"
    )
    output = run_ok("status", "--database", database_url)
    # The words between are the server's, in its language.
    for names in (
        ("fits", "lead_protection.hold_reasons", "public.fits(text)"),
        ("more", "lead_protection.hold_reasons", "public.code"),
        ("look", "lead_protection.leads", "public.look()"),
    ):
        assert re.search(r" {} .* {} uses \w+ {}".format(*map(re.escape, names)), output)


def test_every_routine_pins_its_path_or_is_bound_or_called_by_those_that_pin(db):
    """Whatever is none of these is a procedure that commits, and has only fully bound statements: the next test.

    To pin a path costs a call what a short statement costs. What nobody may call but its owner, and what only routines
    with a pinned path do call, finds theirs.
    """
    routines = {
        r["proname"]: r
        for r in rows(
            db,
            "SELECT p.proname, p.prokind, p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), '') AS body,"
            "  coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false) AS pinned,"
            "  p.prosqlbody IS NOT NULL AS bound, p.prorettype = 'trigger'::regtype AS on_its_own,"
            "  EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee <> p.proowner) AS granted"
            " FROM pg_proc AS p WHERE p.pronamespace = 'lead_protection'::regnamespace",
        )
    }
    views = [r["definition"] for r in rows(db, "SELECT definition FROM pg_views WHERE schemaname = 'lead_protection'")]

    def within_a_pinned_one(name: str) -> bool:
        routine, call = routines[name], re.compile(rf"\b{name}\(")
        if routine["pinned"] or routine["prokind"] == "p":
            return routine["pinned"]
        callers = [other for other, r in routines.items() if other != name and call.search(r["body"])]
        return (
            bool(callers)
            and not (routine["granted"] or routine["on_its_own"] or any(map(call.search, views)))
            and all(map(within_a_pinned_one, callers))
        )

    open_to_any = {name for name, r in routines.items() if not r["bound"] and not within_a_pinned_one(name)}
    assert {name for name in open_to_any if routines[name]["prokind"] != "p"} == set()
    assert open_to_any == JOBS | ADOPTING


def test_nothing_of_ours_is_built_on_anything_but_pg_catalog_and_ourselves(database_url):
    assert "outside" not in run_ok("status", "--database", database_url)


@pytest.mark.slow("thousands of traps")
@pytest.mark.parametrize("path", ["public", "public, pg_catalog"])
def test_the_jobs_call_nothing_of_the_path(path, db, connect):
    """Also where pg_catalog does not come first; for arrays where it does: public.=(bigint[], bigint[]) is exact."""
    insert_leads_of_age(db, REMINDER_DUE, EXPIRED)
    plant(db)
    db.execute("SET search_path = pg_catalog")
    session = connect()
    session.execute("SELECT pg_catalog.set_config('search_path', %s, false)", [path])
    for call in ("run_protection_pipeline()", "run_nightly_maintenance()"):
        session.execute(f"CALL lead_protection.{call}")
    outcomes = row(db, "SELECT array_agg(DISTINCT r.outcome) AS all FROM lead_protection.job_runs AS r")["all"]
    assert (outcomes, caught(db)) == (["succeeded"], (False, []))


@pytest.mark.slow("thousands of traps")
@pytest.mark.parametrize("path", ["public", "public, pg_catalog"])
def test_who_adopts_calls_nothing_of_the_path(path, db, connect):
    """Nor do the triggers on the adopted table, and what follows them."""
    db.execute(
        "CREATE SCHEMA crm; CREATE TABLE crm.l (id int PRIMARY KEY, user_id int, created_at timestamptz, won boolean);"
        "CREATE TABLE crm.calls (id int PRIMARY KEY, lead_id int, user_id int, occurred_at timestamptz, kind text);"
        "CREATE TABLE crm.stops"
        " (id int PRIMARY KEY, lead_id int, start_at timestamptz, end_at timestamptz, reason text);"
        "INSERT INTO crm.l SELECT n, 7, pg_catalog.now() - n * INTERVAL '30 days' FROM generate_series(1, 12) AS n;"
        "INSERT INTO crm.calls VALUES (1, 1, 7, pg_catalog.now(), 'QUALIFIED_CALL');"
        "INSERT INTO crm.stops VALUES (1, 1, pg_catalog.now() - INTERVAL '1 day', NULL, 'x')"
    )
    plant(db)
    db.execute("SET search_path = pg_catalog")
    session = connect()
    session.execute("SELECT pg_catalog.set_config('search_path', %s, false)", [path])
    for call in (
        "CALL lead_protection.adopt_leads('crm.l', 900, converted_when => 'won')",
        "CALL lead_protection.adopt_activities('crm.calls', 900)",
        "CALL lead_protection.adopt_holds('crm.stops', 900)",
        "CALL lead_protection.switch_on_adoption()",
        "INSERT INTO crm.l VALUES (20, 8, pg_catalog.now())",
        "UPDATE crm.l SET user_id = 9 WHERE id OPERATOR(pg_catalog.=) 1",
        "DELETE FROM crm.l WHERE id OPERATOR(pg_catalog.=) 2",
        "CALL lead_protection.follow_adopted_tables()",
        "CALL lead_protection.run_protection_pipeline()",
        "CALL lead_protection.disown_source('stops holds')",
        "CALL lead_protection.disown_source('calls')",
        "CALL lead_protection.disown_source('l')",
    ):
        session.execute(call)
    assert row(db, "SELECT count(*) FROM lead_protection.leads")["count"] == 13
    assert caught(db) == (False, [])


def test_nobody_without_our_types_can_plant_a_cast(db, connect):
    db.execute("GRANT CREATE ON SCHEMA public TO lead_protection_app")
    session = connect()
    session.execute("SET SESSION AUTHORIZATION lead_protection_app")
    session.execute(
        "CREATE FUNCTION public.f(lead_protection.leads) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;"
        "CREATE FUNCTION public.f(bigint[]) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$"
    )
    for types in ("lead_protection.leads AS text", "bigint[] AS text"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"CREATE CAST ({types}) WITH FUNCTION public.f({types.split(' ')[0]}) AS IMPLICIT")


def test_a_role_with_create_on_public_gains_nothing_by_the_array_operator(db, connect):
    """What 0.4.0 ran with the rights of whoever called a job."""
    insert_leads_of_age(db, REMINDER_DUE)
    db.execute("GRANT CREATE ON SCHEMA public TO lead_protection_app")
    attacker = connect()
    attacker.execute("SET SESSION AUTHORIZATION lead_protection_app")
    attacker.execute(
        "CREATE TABLE public.called (as_whom name); GRANT INSERT ON public.called TO PUBLIC;"
        "CREATE FUNCTION public.spy(bigint[], bigint[]) RETURNS boolean LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO public.called VALUES (SESSION_USER); RETURN $1 OPERATOR(pg_catalog.=) $2; END$$;"
        "CREATE OPERATOR public.= (FUNCTION = public.spy, LEFTARG = bigint[], RIGHTARG = bigint[]);"
        "CREATE OPERATOR public.<> (FUNCTION = public.spy, LEFTARG = bigint[], RIGHTARG = bigint[])"
    )
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    assert rows(db, "SELECT * FROM public.called") == []


def test_the_script_for_a_superuser_is_bound_too(empty_database_url, server):
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        db.execute("CREATE SCHEMA traps")
        plant(db, "traps")
        db.execute(f"ALTER DATABASE {db.info.dbname} SET search_path = traps, pg_catalog, public")
        script = run_ok("sql", "--roles")
        server.psql("-v", "jobs=lead_protection_jobs", "-f", "-", dbname=db.info.dbname, stdin=script)
        assert caught(db, "traps") == (False, [])
