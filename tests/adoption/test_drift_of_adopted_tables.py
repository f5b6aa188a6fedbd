"""What was written past the triggers is found by night; what cannot be seen is not gone."""

import pytest

from helpers.adoption_calls import check, lead_here, let_pauses_pass, queue, run_the_night, sqlstate
from helpers.sources import CRM, assert_in_step, follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- written past the triggers ---


def test_a_table_that_is_renamed_or_moved_stays_adopted(crm):
    crm.execute("ALTER TABLE crm.leads RENAME TO prospects; ALTER TABLE crm.prospects SET SCHEMA public")
    crm.execute("INSERT INTO public.prospects (id, owner_id) VALUES (9, 101)")
    assert lead_here(crm, 9)[0] == 101
    crm.execute("CALL lead_protection.run_nightly_maintenance()")
    assert crm.execute("SELECT source FROM lead_protection.adoptions").fetchone() == ("public.prospects",)
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    crm.execute("CALL lead_protection.disown_source('public.prospects')")
    assert crm.execute("SELECT * FROM lead_protection.adopted_tables()").fetchall() == []


def test_the_night_finds_what_was_written_past_the_triggers(crm):
    crm.execute("SET session_replication_role = replica")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("DELETE FROM crm.leads WHERE id = 2")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    crm.execute("RESET session_replication_role")
    drift = crm.execute(
        "SELECT lead_key, finding FROM lead_protection.find_adoption_drift() ORDER BY lead_key"
    ).fetchall()
    assert drift == [("1", "the row has changed"), ("2", "the row is gone"), ("9", "the row was not taken over")]

    run_the_night(crm)

    results = crm.execute("SELECT result FROM lead_protection.job_runs ORDER BY id").fetchall()
    assert (results[0][0]["adopted_rows_queued"], results[1][0]["adopted_rows"]) == (3, 3)
    assert_in_step(crm, "crm")


def test_a_partitioned_table_is_adopted_and_writes_to_a_partition_are_found_by_night(db):
    db.execute("""
        CREATE SCHEMA crm;
        CREATE TABLE crm.leads (id bigint PRIMARY KEY, owner_id bigint, created_at timestamptz DEFAULT now(),
            status text DEFAULT 'new', deleted_at timestamptz) PARTITION BY RANGE (id);
        CREATE TABLE crm.leads_1 PARTITION OF crm.leads FOR VALUES FROM (0) TO (1000);
    """)
    assert ("warning", "table") in check(db, CRM)
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (1, 101)")
    db.execute(CRM.adopt_sql())
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (2, 101)")
    db.execute("INSERT INTO crm.leads_1 (id, owner_id) VALUES (3, 101)")
    follow(db)
    assert [row[3] for row in db.execute("SELECT * FROM lead_protection.find_adoption_drift()")] == ["3"]
    db.execute("CALL lead_protection.switch_on_adoption()")
    run_the_night(db)
    assert_in_step(db, "crm")


def test_a_table_that_was_dropped_is_told_and_can_be_disowned(crm):
    crm.execute("DROP TABLE crm.leads")
    findings = [row[0] for row in crm.execute("SELECT finding FROM lead_protection.find_adoption_drift()")]
    assert findings[0] == "a trigger is missing or disabled"
    assert "there is no such table" in findings[1]
    crm.execute("CALL lead_protection.run_nightly_maintenance()")
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []


# --- what cannot be seen is not gone ---


def test_rows_that_are_hidden_are_not_taken_for_deleted(crm):
    """As the owner of the schema an ordinary role, from whom row level security hides all."""
    crm.execute("CREATE ROLE test_lp_owner")
    try:
        crm.execute("GRANT USAGE ON SCHEMA crm TO test_lp_owner; GRANT SELECT, TRIGGER ON crm.leads TO test_lp_owner")
        crm.execute("ALTER SCHEMA lead_protection OWNER TO test_lp_owner")
        for kind, name in crm.execute("""
            SELECT CASE prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, oid::regprocedure::text
            FROM pg_proc WHERE pronamespace = 'lead_protection'::regnamespace
            UNION ALL SELECT 'TABLE', oid::regclass::text FROM pg_class
            WHERE relnamespace = 'lead_protection'::regnamespace AND relkind IN ('r', 'v')
        """).fetchall():
            crm.execute(f"ALTER {kind} {name} OWNER TO test_lp_owner")
        crm.execute("ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY")
        crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
        assert queue(crm) == [("1", "LP054")]
        error = sqlstate(crm, "SELECT lead_protection.require_readable_source(a) FROM lead_protection.adoptions AS a")
        run_the_night(crm)
        assert crm.execute("SELECT count(*) FROM lead_protection.leads WHERE closed_at IS NOT NULL").fetchone() == (0,)
        (finding,) = crm.execute("SELECT finding FROM lead_protection.find_adoption_drift()").fetchone()
        assert "row level security" in finding
        crm.execute(str(error.diag.message_hint).rstrip("."))
        let_pauses_pass(crm)
        assert lead_here(crm, 1)[0] == 108
    finally:
        crm.execute("REASSIGN OWNED BY test_lp_owner TO postgres; DROP OWNED BY test_lp_owner; DROP ROLE test_lp_owner")


def test_many_rows_that_are_gone_at_once_wait_for_somebody_to_look(db):
    db.execute(CRM.ddl)
    db.execute("INSERT INTO crm.leads (id, owner_id) SELECT n, 101 FROM generate_series(1, 150) AS n")
    db.execute(CRM.adopt_sql())
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("SET session_replication_role = replica; DELETE FROM crm.leads; RESET session_replication_role")
    run_the_night(db)
    assert db.execute("SELECT count(*) FROM lead_protection.leads WHERE closed_at IS NOT NULL").fetchone() == (0,)
    assert db.execute("SELECT lead_protection.queue_adoption_drift(1000)").fetchone() == (150,)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert_in_step(db, "crm")


def test_a_view_in_the_place_of_the_table_is_never_read(crm):
    crm.execute("ALTER TABLE crm.leads RENAME TO leads_")
    crm.execute("CREATE FUNCTION crm.evil() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RAISE division_by_zero; END'")
    crm.execute(
        "CREATE VIEW crm.leads AS SELECT id, crm.evil() AS owner_id, created_at, status, deleted_at FROM crm.leads_"
    )
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    crm.execute("UPDATE crm.leads_ SET owner_id = 108 WHERE id = 1")
    assert lead_here(crm, 1)[0] == 108


def test_missing_and_disabled_triggers_are_told(crm):
    crm.execute("ALTER TABLE crm.leads DISABLE TRIGGER lead_protection_update")
    finding = "SELECT finding FROM lead_protection.find_adoption_drift()"
    assert crm.execute(finding).fetchall() == [("a trigger is missing or disabled",)]
    crm.execute("ALTER TABLE crm.leads ENABLE ALWAYS TRIGGER lead_protection_update")
    assert crm.execute(finding).fetchall() == []
    crm.execute("DROP TRIGGER lead_protection_delete ON crm.leads")
    assert crm.execute(finding).fetchall() == [("a trigger is missing or disabled",)]
    crm.execute(CRM.adopt_sql())
    assert crm.execute(finding).fetchall() == []
