"""The check of a source: what it finds, and that it changes nothing."""

import psycopg
import pytest

from helpers.adoption_calls import check, sqlstate
from helpers.command_line import run_cli
from helpers.sources import CRM, SALES, fill

# --- the check ---


@pytest.mark.parametrize(
    ("ddl", "found"),
    [
        ("ALTER TABLE crm.leads DROP CONSTRAINT leads_pkey", [("warning", "start_column")]),
        ("ALTER TABLE crm.leads ALTER COLUMN owner_id SET NOT NULL, ALTER COLUMN created_at SET NOT NULL", []),
        ("ALTER TABLE crm.leads ALTER COLUMN id TYPE char(9), ALTER COLUMN created_at SET NOT NULL", []),
        ("ALTER TABLE crm.leads ALTER COLUMN id TYPE numeric", [("problem", "id_column")]),
        ("ALTER TABLE crm.leads ALTER COLUMN owner_id TYPE numeric", [("problem", "user_column")]),
        ("ALTER TABLE crm.leads ALTER COLUMN created_at TYPE timestamp", [("problem", "start_column")]),
        (
            "ALTER TABLE crm.leads ALTER COLUMN created_at DROP DEFAULT, ALTER COLUMN created_at TYPE text",
            [("problem", "start_column")],
        ),
        ("ALTER TABLE crm.leads DROP COLUMN owner_id", [("problem", "user_column")]),
        ("ALTER TABLE crm.leads SET UNLOGGED", [("problem", "table")]),
        (
            "ALTER TABLE crm.leads DROP CONSTRAINT leads_pkey; CREATE UNIQUE INDEX ON crm.leads (id) WHERE id > 5",
            [("problem", "id_column")],
        ),
        (
            "ALTER TABLE crm.leads DROP CONSTRAINT leads_pkey; CREATE UNIQUE INDEX ON crm.leads (id, note)",
            [("problem", "id_column")],
        ),
    ],
)
def test_check_finds(db, ddl, found):
    db.execute(CRM.ddl)
    db.execute(ddl)
    findings = check(db, CRM)
    for finding in found:
        assert finding in findings
    if not found:
        assert findings == []
    if "DROP CONSTRAINT" in ddl:
        assert ("problem", "id_column") in findings


def test_check_wants_to_know_when_a_lead_is_closed(db):
    db.execute(
        "CREATE TABLE public.leads (id bigint PRIMARY KEY, user_id bigint NOT NULL, created_at timestamptz NOT NULL)"
    )
    rows = db.execute("SELECT severity, item FROM lead_protection.check_source('public.leads') WHERE severity <> 'ok'")
    assert rows.fetchall() == [("warning", "closing")]


def test_check_of_a_view_and_of_no_table(db):
    db.execute("CREATE VIEW public.leads AS SELECT 1::bigint AS id")
    assert check_all(db, "public.leads") == [("problem", "table")]


def check_all(db, table):
    return db.execute("SELECT severity, item FROM lead_protection.check_source(%s)", (table,)).fetchall()[:1]


def test_check_names_the_rights_that_the_owner_lacks(db, server):
    """With the owner of the schema an ordinary role, as it should be."""
    db.execute(CRM.ddl)
    db.execute("CREATE ROLE test_lp_owner")
    try:
        db.execute("ALTER SCHEMA lead_protection OWNER TO test_lp_owner")
        advice = """
            SELECT advice FROM lead_protection.check_source('crm.leads', mapping => '{"user_column": "owner_id"}')
            WHERE item LIKE 'rights%'
        """
        assert [row[0].split(";")[0] for row in db.execute(advice)] == [
            "GRANT USAGE ON SCHEMA crm TO test_lp_owner",
            "GRANT SELECT ON crm.leads TO test_lp_owner",
            "GRANT TRIGGER ON crm.leads TO test_lp_owner",
        ]
        for (statement,) in db.execute(advice).fetchall():
            db.execute(statement.split(";")[0])
        assert db.execute(advice).fetchall() == []
        db.execute("ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY")
        ((statement,),) = db.execute(advice).fetchall()
        db.execute(statement.removeprefix("Give it a policy that shows all rows: "))
        assert db.execute(advice).fetchall() == []
        db.execute("CREATE POLICY only_mine ON crm.leads AS RESTRICTIVE USING (owner_id = 1)")
        assert len(db.execute(advice).fetchall()) == 1
    finally:
        db.execute("ALTER SCHEMA lead_protection OWNER TO postgres")
        db.execute("DROP OWNED BY test_lp_owner CASCADE; DROP ROLE test_lp_owner")


@pytest.mark.parametrize(
    ("kind", "mapping", "says"),
    [
        ("lead", "{}", "a table cannot be taken as lead"),
        (None, None, "a table cannot be taken as null"),
        ("leads", '{"user_column": "id", "owner": "x", "actor_id": 1}', "a table of leads has no actor_id, owner; "),
        ("reminders", '{"reason": null}', "a table of reminders has no reason; "),
    ],
)
def test_check_refuses_kinds_and_arguments_that_there_are_not(db, kind, mapping, says):
    error = sqlstate(db, "SELECT lead_protection.check_source('pg_class', %s, %s)", (kind, mapping))
    assert error.sqlstate == "LP055"
    assert error.diag.message_primary.startswith(says)
    assert error.diag.message_detail and error.diag.message_hint


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("leads", "adopt_leads"),
        ("activities", "adopt_activities"),
        ("holds", "adopt_holds"),
        ("reminders", "import_reminders"),
    ],
)
def test_check_has_the_arguments_and_defaults_of_the_call_that_takes_the_table(db, kind, call):
    defaults = dict(
        db.execute(
            "SELECT a.name, pg_get_function_arg_default(p.oid, a.nth::integer)"
            " FROM pg_proc AS p CROSS JOIN unnest(p.proargnames[:p.pronargs]) WITH ORDINALITY AS a (name, nth)"
            " WHERE p.pronamespace = 'lead_protection'::regnamespace AND p.proname = %s"
            " AND a.name NOT IN ('source', 'actor_id', 'name', 'batch_size')",
            (call,),
        ).fetchall()
    )
    error = sqlstate(db, "SELECT lead_protection.check_source('pg_class', %s, '{\"\": 1}')", (kind,))
    assert set(error.diag.message_primary.split("there are: ")[1].split(", ")) == defaults.keys()

    db.execute("CREATE TABLE public.bare (id integer)")
    checked = {}
    found = "SELECT item, finding FROM lead_protection.check_source('public.bare', %s)"
    for item, finding in db.execute(found, (kind,)):
        name, _, column = item.partition(" ")
        checked[name] = column or finding.split(":")[0]
    given = {name: default.split("'")[1] for name, default in defaults.items() if default.startswith("'")}
    # Those of owners in a table of their own are asked for if there is one.
    given = {name: column for name, column in given.items() if not name.startswith("owner_")}
    assert given and {name: checked.get(name) for name in defaults} == {name: given.get(name) for name in defaults}


def test_a_default_that_is_given_as_null_is_none(db):
    db.execute("CREATE TABLE public.pauses (lead_id bigint, start_at timestamptz)")
    items = "SELECT item FROM lead_protection.check_source('public.pauses', 'holds', %s) WHERE severity = 'problem'"
    assert db.execute(items, ("{}",)).fetchall() == [("end_column end_at",), ("reason",)]
    nothing = '{"key_column": null, "end_column": null, "reason": null}'
    assert db.execute(items, (nothing,)).fetchall() == []


def test_check_changes_nothing(db):
    fill(db, SALES, rows=5)
    with db.transaction():
        db.execute("SET TRANSACTION READ ONLY")
        assert check(db, SALES) == []


# --- the command line ---


def test_check_works_before_anything_is_installed_and_leaves_nothing(server, empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        admin.execute(CRM.ddl)
        admin.execute("CREATE TABLE public.lead_holds (lead_id bigint, start_at timestamptz, end_at timestamptz)")
        catalog = "SELECT (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_')"
        before = admin.execute(catalog).fetchone()
        status, output = run_cli("check", "--database", empty_database_url)
        assert status == 1
        assert "crm.leads as leads" in output and "lead_holds as holds" in output
        assert "problem  user_column user_id          there is no such column" in output
        assert "problem  reason" in output and output.endswith("Not yet: see the problems above.\n")

        status, output = run_cli("check", "--database", empty_database_url, "crm.leads", "user_column=owner_id")
        assert status == 0
        assert "ok       user_column owner_id         may be null" in output and "\033" not in output
        status, output = run_cli(
            "check", "--database", empty_database_url, "--as", "holds", "lead_holds", "reason=NULL"
        )
        assert (status, "Fit to be adopted." in output) == (0, True)
        assert admin.execute(catalog).fetchone() == before


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["crm.leads", "owner=x"], 2, "a table of leads has no owner; there are: id_column, user_column,"),
        (["crm.nothing"], 1, "there is no table crm.nothing"),
        ([], 1, "no table of another schema is named leads, lead_activities, lead_holds, lead_reminders"),
    ],
)
def test_check_refuses_what_it_cannot_check(empty_database_url, arguments, status, says):
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA crm; CREATE TABLE crm.leads_ (id bigint); CREATE VIEW crm.lead AS SELECT 1")
        if "owner=x" in arguments:
            admin.execute("ALTER TABLE crm.leads_ RENAME TO leads")
    done, output = run_cli("check", "--database", empty_database_url, *arguments)
    assert done == status and says in output
