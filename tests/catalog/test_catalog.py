"""What the catalog must say of every object of ours."""

from helpers.facts import NIGHTLY_IDLE, PIPELINE_IDLE, SHOWN, insert_holds, insert_lead
from helpers.project import PROJECT

SQL = PROJECT / "sql"

UNEXPLAINED = """
SELECT c.relkind::text || ' ' || c.relname
FROM pg_class AS c
WHERE
    c.relnamespace = 'lead_protection'::regnamespace
    AND c.relkind IN ('r', 'v', 'c', 'i')
    -- What a constraint or an identity makes by itself is explained by its table.
    AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid)
    AND obj_description(c.oid, 'pg_class') IS NULL
    AND NOT (c.relkind = 'c' AND obj_description(c.reltype, 'pg_type') IS NOT NULL)
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname
FROM pg_class AS c INNER JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE
    c.relnamespace = 'lead_protection'::regnamespace
    AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
    AND col_description(c.oid, a.attnum) IS NULL
UNION ALL
SELECT p.oid::regprocedure::text
FROM pg_proc AS p
WHERE p.pronamespace = 'lead_protection'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
"""


def names(db, query):
    """The first column, sorted."""
    return sorted(row[0] for row in db.execute(query))


def test_every_object_has_a_comment(db):
    assert names(db, UNEXPLAINED) == []


def test_one_object_a_file_and_the_file_is_named_after_it(db):
    routines = names(db, "SELECT proname FROM pg_proc WHERE pronamespace = 'lead_protection'::regnamespace")
    views = names(db, "SELECT viewname FROM pg_views WHERE schemaname = 'lead_protection'")
    files = sorted(path.stem for folder in ("functions", "jobs", "views") for path in (SQL / folder).rglob("*.sql"))
    files.remove("tell_about_pg_cron")  # No object, only a notice.
    assert files == sorted(routines + views)


def test_security_definers_pin_their_search_path(db):
    unpinned = (
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'lead_protection'::regnamespace"
        " AND prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY(proconfig), false)"
    )
    assert names(db, unpinned) == []


def test_procedures_that_commit_qualify_every_name(db):
    """They cannot pin the search path, so they must work with a hostile one."""
    db.execute(
        "CREATE SCHEMA hostile; SET search_path = hostile, pg_catalog;"
        "CREATE FUNCTION hostile.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';"
        "CREATE FUNCTION hostile.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';"
        "CREATE FUNCTION hostile.jsonb_set(jsonb, text[], jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';"
        'CREATE FUNCTION hostile.jsonb_build_object(variadic "any") RETURNS jsonb LANGUAGE internal'
        " AS 'jsonb_build_object_noargs'"
    )
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    runs = db.execute("SELECT outcome, result FROM lead_protection.job_runs ORDER BY id").fetchall()
    assert runs == [
        ("succeeded", PIPELINE_IDLE | {"log_sealed": 0}),
        ("succeeded", NIGHTLY_IDLE),
    ]


def test_a_shadow_on_the_search_path_changes_nothing(db):
    """Exact matches in a schema of the path win over polymorphic functions of pg_catalog: bodies must be bound."""
    insert_lead(db, 1, "2026-01-15 09:00Z")
    insert_holds(db, 1, [("2026-02-01Z", "2026-02-11Z")])
    shown = f"SELECT {SHOWN} FROM lead_protection.v_user_lead_protection"
    derived = f"SELECT {SHOWN} FROM lead_protection.protection_as_of(now())"
    before = db.execute(shown).fetchone()
    db.execute(
        "CREATE FUNCTION public.upper(tstzrange) RETURNS timestamptz LANGUAGE sql IMMUTABLE"
        " AS $$ SELECT pg_catalog.upper($1) + INTERVAL '1 year' $$;"
        "CREATE FUNCTION public.hashtextextended(text, integer) RETURNS bigint LANGUAGE sql AS 'SELECT 1 / 0';"
        "CREATE FUNCTION public.format(text, name, text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;"
        "CREATE FUNCTION public.format(text, name, text[], name) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$"
    )
    for path in ("public, pg_catalog", "pg_temp, public", "''"):
        db.execute(f"SET search_path = {path}")
        assert db.execute(shown).fetchone() == before
        assert db.execute(derived).fetchone() == before
        db.execute("CALL lead_protection.run_protection_pipeline()")
        assert "shadow" not in db.execute("SELECT lead_protection.schedule_jobs_sql()").fetchone()[0]


def test_public_has_no_rights(db):
    granted = (
        "SELECT relname FROM pg_class, aclexplode(relacl) AS a"
        " WHERE relnamespace = 'lead_protection'::regnamespace AND a.grantee = 0"
        " UNION ALL SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a"
        " WHERE pronamespace = 'lead_protection'::regnamespace AND a.grantee = 0"
        " UNION ALL SELECT nspname FROM pg_namespace, aclexplode(nspacl) AS a"
        " WHERE nspname = 'lead_protection' AND a.grantee = 0"
    )
    assert names(db, granted) == []
