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
        everything = "SELECT DISTINCT item FROM lead_protection.check_source('crm.leads')"
        assert db.execute(everything + " WHERE item <> 'table'").fetchall() == [("rights",)], "alone"
        assert sorted(row[0].split(";")[0] for row in db.execute(advice)) == [
            "GRANT SELECT ON crm.leads TO lead_protection_reader",
            "GRANT TRIGGER ON crm.leads TO test_lp_owner",
            "GRANT USAGE ON SCHEMA crm TO lead_protection_reader",
            "GRANT USAGE ON SCHEMA crm TO test_lp_owner",
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

    db.execute("CREATE TABLE public.bare (nothing integer)")
    checked = {}
    found = "SELECT item, finding FROM lead_protection.check_source('public.bare', %s)"
    for item, finding in db.execute(found, (kind,)):
        name, _, column = item.partition(" ")
        checked[name] = column or finding.split(":")[0]
    given = {name: default.split("'")[1] for name, default in defaults.items() if "'" in default}
    # These are looked at only if there is such a table.
    given = {name: column for name, column in given.items() if not name.startswith("owner_")}
    assert given and {name: checked.get(name) for name in defaults} == {name: given.get(name) for name in defaults}


def test_a_default_that_is_given_as_null_is_none(db):
    db.execute("CREATE TABLE public.pauses (lead_id bigint, start_at timestamptz)")
    items = "SELECT item FROM lead_protection.check_source('public.pauses', 'holds', %s) WHERE severity = 'problem'"
    assert db.execute(items, ("{}",)).fetchall() == [("key_column id",), ("end_column end_at",), ("reason",)]
    assert db.execute(items, ('{"key_column": null, "end_column": null, "reason": null}',)).fetchall() == []


def test_check_changes_nothing(db):
    fill(db, SALES, rows=5)
    with db.transaction():
        db.execute("SET TRANSACTION READ ONLY")
        assert check(db, SALES) == []


# --- what it guesses, and the call that it prints ---

CALL = "SELECT finding FROM lead_protection.check_source(%s, %s, %s) WHERE item = 'call'"


@pytest.mark.parametrize(
    ("columns", "guessed"),
    [
        (
            "lead_no int PRIMARY KEY, user_id int, owner_id int, date_entered timestamptz, deleted smallint",
            "id_column => 'lead_no', user_column => 'owner_id', start_column => 'date_entered',"
            " deleted_when => 'deleted <> 0'",
        ),
        (
            'id uuid PRIMARY KEY, "ownerId" uuid, "createdAt" timestamptz, "deletedAt" timestamptz, won boolean',
            "user_column => 'ownerId', start_column => 'createdAt', converted_when => 'won',"
            " deleted_when => '\"deletedAt\" IS NOT NULL'",
        ),
        (
            "name varchar(140) PRIMARY KEY, lead_owner text, creation timestamptz, closed_at timestamptz",
            "id_column => 'name', user_column => 'lead_owner', start_column => 'creation',"
            " closed_at_column => 'closed_at'",
        ),
        (
            "id bigint PRIMARY KEY, assigned_user_id char(36), created_at timestamptz",
            "user_column => 'assigned_user_id'",
        ),
    ],
)
def test_check_guesses_columns_by_their_usual_names(db, columns, guessed):
    db.execute(f"CREATE TABLE public.t ({columns})")
    assert db.execute(CALL, ("public.t", "leads", "{}")).fetchone() == (
        f"CALL lead_protection.adopt_leads('public.t', actor_id => NULL, {guessed})",
    )


@pytest.mark.parametrize(
    ("type_name", "values"), [("crm.stage", ""), ("text", "SELECT n, 7, now(), 'New' FROM generate_series(1, 60) AS n")]
)
def test_check_knows_the_values_of_a_status_from_the_catalogs(db, type_name, values):
    db.execute("CREATE SCHEMA crm; CREATE TYPE crm.stage AS ENUM ('New', 'Won', 'Closed Lost', 'Deleted')")
    db.execute(
        f"CREATE TABLE public.t (id int PRIMARY KEY, user_id int, created_at timestamptz NOT NULL, status {type_name})"
    )
    if values:
        assert "_when" not in db.execute(CALL, ("public.t", "leads", "{}")).fetchone()[0], "nothing was analysed"
        other = "SELECT 100 + n, 7, now(), '{0}' FROM generate_series({1}, {1} + 20) AS n"
        for number, value in enumerate(("Won", "Closed Lost", "Deleted")):
            values += " UNION ALL " + other.format(value, 100 * number)
        db.execute(f"INSERT INTO public.t {values}; ANALYZE public.t")
    assert db.execute(CALL, ("public.t", "leads", "{}")).fetchone() == (
        "CALL lead_protection.adopt_leads('public.t', actor_id => NULL, converted_when => 'status::text IN (''Won'')',"
        " lost_when => 'status::text IN (''Closed Lost'')', deleted_when => 'status::text IN (''Deleted'')')",
    )


def test_what_is_given_is_not_guessed_at(db):
    db.execute(CRM.ddl)
    mapping = '{"user_column": "id", "deleted_when": null, "time_zone": "UTC", "nobody_when": "owner_id = 0"}'
    assert db.execute(CALL, ("crm.leads", "leads", mapping)).fetchone() == (
        "CALL lead_protection.adopt_leads('crm.leads', actor_id => NULL, user_column => 'id', time_zone => 'UTC',"
        " nobody_when => 'owner_id = 0')",
    )


def test_the_call_that_is_printed_adopts_the_table_once_it_says_who_answers_for_it(db):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 5, 101))
    ((call,),) = db.execute(CALL, ("crm.leads", "leads", "{}")).fetchall()
    assert sqlstate(db, call).sqlstate == "LP001"
    db.execute(call.replace("actor_id => NULL", "actor_id => 900"))
    assert db.execute("SELECT id, user_id FROM lead_protection.leads").fetchall() == [(1, 101)]


def test_the_last_rows_are_the_call_and_the_rights(db):
    db.execute(CRM.ddl)
    rows = db.execute("SELECT severity, item, finding FROM lead_protection.check_source('crm.leads')").fetchall()
    assert [row[:2] for row in rows[-3:]] == [("ok", "grant"), ("ok", "grant"), ("ok", "grant")]
    assert rows[-4][:2] == ("ok", "call")
    assert [row[2] for row in rows[-3:]] == [
        "GRANT USAGE ON SCHEMA crm TO postgres, lead_protection_reader",
        "GRANT SELECT ON crm.leads TO lead_protection_reader",
        "GRANT TRIGGER ON crm.leads TO postgres",
    ]
    db.execute("ALTER TABLE crm.leads DROP COLUMN owner_id")
    items = db.execute("SELECT item FROM lead_protection.check_source('crm.leads')").fetchall()
    assert ("call",) not in items, "with a problem there is none"


def test_imports_get_their_call_too(db):
    db.execute("CREATE TABLE public.t (id int PRIMARY KEY, lead_id int, paused_at timestamptz, sent_at timestamptz)")
    assert db.execute(CALL, ("public.t", "reminders", "{}")).fetchall() == [
        ("SELECT * FROM lead_protection.import_reminders('public.t')",)
    ]
    assert db.execute(CALL, ("public.t", "holds", '{"end_column": null, "reason": null}')).fetchall() == [
        (
            "CALL lead_protection.adopt_holds('public.t', actor_id => NULL, start_column => 'paused_at',"
            " end_column => NULL, reason => NULL)",
        )
    ]
    mapping = '{"key_column": null, "end_column": null, "reason": null}'
    assert db.execute(CALL, ("public.t", "holds", mapping)).fetchall() == [
        (
            "SELECT * FROM lead_protection.import_holds('public.t', actor_id => NULL, start_column => 'paused_at',"
            " end_column => NULL, reason => NULL)",
        )
    ]


CLOSING = "Give converted_when, lost_when or deleted_when, such as status = 'won'."


def test_each_warning_says_what_happens_then(db):
    db.execute(CRM.ddl)
    db.execute("ALTER TABLE crm.leads ALTER COLUMN created_at TYPE date USING now(), DROP COLUMN deleted_at")
    query = "SELECT finding, advice FROM lead_protection.check_source(%s, 'leads', %s) WHERE severity = 'warning'"
    warned = db.execute(query, ("crm.leads", '{"time_zone": "UTC"}')).fetchall()
    assert [(finding.split(",")[0], advice.split(":")[0]) for finding, advice in warned] == [
        ("guessed: date", "A day counts from its midnight"),
        ("guessed: may be null", "A row without it cannot be followed, and waits with that reason. To find them"),
        ("nothing says when a lead counts as closed: it would be reminded of and expire", CLOSING),
    ]


def test_owners_in_a_table_of_their_own_are_checked_there(db):
    db.execute("CREATE TABLE public.t (id int PRIMARY KEY, won boolean)")
    db.execute("CREATE TABLE public.o (lead_id int, owner_id int, created_at timestamptz NOT NULL, gone boolean)")
    mapping = '{"owner_source": "public.o", "deleted_when": "gone AND won"}'
    query = "SELECT severity, item FROM lead_protection.check_source('public.t', 'leads', %s) WHERE severity <> 'ok'"
    assert db.execute(query, (mapping,)).fetchall() == [("warning", "owner_lead_column lead_id")], "no index"
    ((call,),) = db.execute(CALL, ("public.t", "leads", mapping)).fetchall()
    assert call.endswith("owner_source => 'public.o', owner_user_column => 'owner_id')")
    db.execute("CREATE INDEX ON public.o (lead_id)")
    assert db.execute(query, (mapping,)).fetchall() == []


def test_sizes_are_told_only_if_somebody_has_counted(db):
    db.execute(CRM.ddl)
    size = "SELECT finding FROM lead_protection.check_source('crm.leads') WHERE item = 'table'"
    assert db.execute(size).fetchone() == ("how many rows it has, nobody has counted: ANALYZE tells",)
    db.execute(CRM.insert_sql(1, 5, 101))
    db.execute("ANALYZE crm.leads")
    assert db.execute(size).fetchone() == ("about 1 rows",)


# --- the command line ---


def test_check_works_before_anything_is_installed_and_leaves_nothing(server, empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        admin.execute(CRM.ddl)
        admin.execute(
            "CREATE TABLE public.lead_holds (lead_id bigint PRIMARY KEY, start_at timestamptz, end_at timestamptz)"
        )
        catalog = "SELECT (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_')"
        before = admin.execute(catalog).fetchone()
        status, output = run_cli("check", "--database", empty_database_url)
        assert status == 1
        assert "crm.leads as leads" in output and "lead_holds as holds" in output
        assert "CALL lead_protection.adopt_leads('crm.leads', actor_id => NULL, user_column => 'owner_id'," in output
        assert "problem  reason" in output and output.endswith("Not yet: see the problems above.\n")

        status, output = run_cli("check", "--database", empty_database_url, "crm.leads", "user_column=owner_id")
        assert status == 0
        assert "ok       user_column owner_id         may be null" in output and "\033" not in output
        status, output = run_cli(
            "check",
            "--database",
            empty_database_url,
            "--as",
            "holds",
            "lead_holds",
            "key_column=lead_id",
            "reason=NULL",
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
