"""Holds and reminders that were there before are imported with a report."""

import pytest

from helpers.adoption_calls import ages, list_states, news, previewed, sqlstate
from helpers.sources import CRM

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- holds and reminders that were there before ---


HOLDS = """
CREATE TABLE crm.pauses (lead_no integer, "from" timestamp, "until" timestamp, why text, rep bigint);
INSERT INTO crm.pauses VALUES
    (1, '2026-03-01 09:00', '2026-03-11 09:00', 'SAMPLE_DELAY', 101),
    (1, '2026-03-05 09:00', '2026-03-15 09:00', 'and again', 101),
    (1, '2026-03-01 09:00', '2026-03-11 09:00', 'twice', 101),
    (2, '2026-04-01 09:00', NULL, ' ', 101),
    (2, '2026-04-02 09:00', NULL, 'open twice', 101),
    (3, '2026-04-01 09:00', '2026-03-01 09:00', 'the wrong way round', 101),
    (3, '2026-04-01 09:00', '2026-04-03 09:00', 'of another', 105),
    (3, NULL, '2026-04-03 09:00', 'no start', 101),
    (99, '2026-04-01 09:00', '2026-04-03 09:00', 'no lead', 101),
    (NULL, '2026-04-01 09:00', '2026-04-03 09:00', 'nothing', 101);
"""

IMPORT_HOLDS = """
SELECT lead_key, outcome, why FROM lead_protection.import_holds(
    'crm.pauses', 900, 'lead_no', 'from', 'until', user_column => 'rep', reason => 'why', time_zone => 'Europe/Berlin'
)
"""


def test_holds_are_imported_with_a_report(db):
    db.execute(CRM.ddl)
    db.execute(
        "INSERT INTO crm.leads (id, owner_id, created_at) SELECT n, 101, '2026-02-01 08:00Z'"
        " FROM generate_series(1, 3) AS n"
    )
    db.execute(CRM.adopt_sql())
    db.execute(HOLDS)
    overlaps = "it overlaps another one: together they stop the clock once"
    assert db.execute(IMPORT_HOLDS).fetchall() == [
        ("1", "imported", overlaps),
        ("1", "duplicate", "the same hold is there already"),
        ("1", "imported", overlaps),
        ("2", "imported", None),
        ("2", "duplicate", "the lead has an open hold already; one is enough to stop its clock"),
        ("3", "refused", "it ends before it starts"),
        ("3", "imported", "it is of another user than the lead is now: it stops nothing"),
        ("3", "refused", "it has no start"),
        ("99", "refused", "there is no such lead"),
        (None, "refused", "there is no such lead"),
    ]
    holds = db.execute(
        "SELECT lead_id, reason, reason_code, created_by, start_at AT TIME ZONE 'Europe/Berlin'"
        " FROM lead_protection.lead_holds ORDER BY lead_id, start_at"
    ).fetchall()
    assert [row[:4] for row in holds] == [
        (1, "SAMPLE_DELAY", "SAMPLE_DELAY", 900),
        (1, "and again", "OTHER", 900),
        (2, "from crm.pauses", "OTHER", 900),
        (3, "of another", "OTHER", 900),
    ]
    assert holds[0][4].isoformat() == "2026-03-01T09:00:00"
    # 14 days in all for lead 1, the overlap once.
    moved = "SELECT protection_expires_at - base_expires_at FROM lead_protection.lead_clocks WHERE lead_id = 1"
    assert db.execute(moved).fetchone()[0].total_seconds() == 14 * 86400
    assert db.execute("SELECT on_hold FROM lead_protection.v_user_lead_protection ORDER BY lead_id").fetchall() == [
        (False,),
        (True,),
        (False,),
    ]
    assert news(db) == []

    again = db.execute(IMPORT_HOLDS).fetchall()
    assert {row[1] for row in again} == {"duplicate", "refused"}
    assert db.execute("SELECT count(*) FROM lead_protection.lead_holds").fetchone() == (4,)
    assert db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall() == []


def test_reminders_are_imported_and_none_is_sent_again(db):
    ages(db, 249, 249, 249, 10)
    db.execute("""
        CREATE TABLE crm.mails (lead bigint, sent timestamptz);
        INSERT INTO crm.mails
        SELECT lead_id, reminder_due_at + INTERVAL '1 second' FROM lead_protection.lead_clocks WHERE lead_id IN (1, 2);
        INSERT INTO crm.mails SELECT * FROM crm.mails WHERE lead = 1;
        INSERT INTO crm.mails
        SELECT lead_id, reminder_due_at - INTERVAL '40 days' FROM lead_protection.lead_clocks WHERE lead_id = 3;
        INSERT INTO crm.mails VALUES (4, now() + INTERVAL '1 day'), (4, NULL), (99, now());
    """)
    imported = db.execute(
        "SELECT lead_key, outcome, why FROM lead_protection.import_reminders('crm.mails', 'lead', 'sent')"
    ).fetchall()
    assert imported == [
        ("1", "imported", None),
        ("1", "duplicate", "a reminder for that date is there already"),
        ("2", "imported", None),
        (
            "3",
            "imported",
            "it is for an earlier date than the present expiry, or another user, and does not count for it",
        ),
        ("4", "refused", "it was not sent in the past"),
        ("4", "refused", "it says not when it was sent"),
        ("99", "refused", "there is no such lead"),
    ]
    assert previewed(db) == {"protected": 1, "reminded": 2, "reminder overdue": 1}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == []
    assert list_states(db) == ["GRACE", "GRACE", "GRACE", "PROTECTED"]
    again = db.execute("SELECT DISTINCT outcome FROM lead_protection.import_reminders('crm.mails', 'lead', 'sent')")
    assert sorted(row[0] for row in again) == ["duplicate", "refused"]


@pytest.mark.parametrize("sent", ["120 days", "1 day"])
def test_that_an_imported_reminder_was_overtaken_is_no_news(db, sent):
    ages(db, 200)
    db.execute(
        "CREATE TABLE crm.mails AS SELECT 1::bigint AS lead, now() - %s::interval AS sent",
        (sent,),
    )
    imported = db.execute("SELECT outcome FROM lead_protection.import_reminders('crm.mails', 'lead', 'sent')")
    assert imported.fetchall() == [("imported",)]
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert news(db) == []
    assert list_states(db) == ["PROTECTED"]


@pytest.mark.parametrize(
    "call",
    [
        "import_holds('crm.leads', 1)",
        "import_holds('crm.leads', 1, 'id', 'note', 'created_at', reason => 'note')",
        "import_holds('crm.leads', 1, 'id', 'created_at', 'created_at', reason => 'nonsense')",
        "import_reminders('crm.leads')",
        "import_reminders('crm.leads', 'created_at', 'created_at')",
    ],
)
def test_an_import_that_cannot_be_is_refused(crm, call):
    error = sqlstate(crm, f"SELECT * FROM lead_protection.{call}")
    assert error.sqlstate == "LP045"
    assert crm.execute("SELECT count(*) FROM lead_protection.lead_holds").fetchone() == (0,)


@pytest.mark.parametrize(
    "call",
    [
        "import_holds('crm.leads', NULL)",
        "import_holds('crm.leads', 1, lead_column => NULL)",
        "import_holds('crm.leads', 1, start_column => NULL)",
        "import_reminders(NULL)",
        "import_reminders('crm.leads', lead_column => NULL)",
        "import_reminders('crm.leads', sent_column => NULL)",
    ],
)
def test_an_import_without_what_it_needs_is_refused(crm, call):
    assert sqlstate(crm, f"SELECT * FROM lead_protection.{call}").sqlstate == "LP001"


def test_holds_of_a_table_without_ends_are_open(crm):
    crm.execute("CREATE TABLE crm.pauses (lead_id bigint, start_at timestamptz)")
    crm.execute("INSERT INTO crm.pauses VALUES (1, now() - INTERVAL '2 days')")
    imported = "SELECT outcome FROM lead_protection.import_holds('crm.pauses', 1, end_column => NULL, reason => NULL)"
    assert crm.execute(imported).fetchall() == [("imported",)]
    assert crm.execute("SELECT end_at FROM lead_protection.lead_holds").fetchall() == [(None,)]


def test_explain_says_that_a_reminder_was_taken_over(db):
    ages(db, 249)
    db.execute("CALL lead_protection.switch_on_adoption()")
    explained = db.execute("SELECT explanation FROM lead_protection.explain_protection(1) WHERE item = 'REMINDER'")
    assert "Taken over as sent at" in explained.fetchone()[0]
    shown = db.execute("SELECT adopted FROM lead_protection.v_lead_reminders").fetchall()
    assert shown == [(True,)]


def test_imported_again_after_the_hold_was_voided_or_the_lead_changed_hands(db):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 200, 101))
    db.execute(CRM.adopt_sql())
    db.execute("""
        CREATE TABLE crm.pauses (lead_id bigint, start_at timestamptz, end_at timestamptz);
        INSERT INTO crm.pauses VALUES (1, now() - INTERVAL '90 days', now() - INTERVAL '80 days'),
            (1, now() - INTERVAL '20 days', NULL);
    """)
    holds = "SELECT outcome, why FROM lead_protection.import_holds('crm.pauses', 1, reason => 'NULL')"
    assert [row[0] for row in db.execute(holds)] == ["imported", "imported"]
    db.execute(
        "SELECT lead_protection.void_lead_hold(id, version, 'x', 1)"
        " FROM lead_protection.lead_holds WHERE end_at IS NULL"
    )
    assert [row[0] for row in db.execute(holds)] == ["duplicate", "duplicate"]
    db.execute("SELECT lead_protection.transfer_lead(1, 101, 108, 'x', 1)")
    assert {row[0] for row in db.execute(holds)} == {"refused"}
    assert db.execute("SELECT count(*) FROM lead_protection.lead_holds").fetchone() == (2,)


def test_what_a_later_import_makes_of_an_imported_reminder_is_no_news(db):
    """C of the issue: nothing of the past is news."""
    ages(db, 249, 249)
    db.execute("""
        CREATE TABLE crm.mails AS SELECT lead_id AS lead, reminder_due_at + INTERVAL '1 second' AS sent
        FROM lead_protection.lead_clocks;
        CREATE TABLE crm.pauses AS
        SELECT 1::bigint AS lead_id, now() - INTERVAL '90 days' AS start_at, now() - INTERVAL '40 days' AS end_at;
    """)
    db.execute("SELECT lead_protection.import_reminders('crm.mails', 'lead', 'sent')")
    assert list_states(db) == ["GRACE", "GRACE"]
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("SELECT lead_protection.import_holds('crm.pauses', 1, reason => NULL)")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert list_states(db) == ["PROTECTED", "GRACE"]
    assert news(db) == []
