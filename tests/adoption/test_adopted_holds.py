"""The holds of an adopted table are followed: a table of stops, or a pair of columns in the table of leads."""

import pytest

from helpers.adoption_calls import ages, news, queue
from helpers.facts import events
from helpers.sources import follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

STOPS = """
CREATE TABLE crm.stops (id int PRIMARY KEY, lead_id bigint, start_at timestamptz, end_at timestamptz, reason text);
INSERT INTO crm.stops VALUES (1, 1, now() - INTERVAL '9 days', now() - INTERVAL '8 days', 'history'),
    (2, 2, now() - INTERVAL '2 days', NULL, ' ');
"""


@pytest.fixture
def stops(db):
    """The CRM's leads 1 to 3 and its table of stops, adopted and switched on."""
    ages(db, 20, 20, 20)
    db.execute(STOPS)
    db.execute("CALL lead_protection.adopt_holds('crm.stops', 900)")
    db.execute("CALL lead_protection.switch_on_adoption()")
    return db


def holds(db, lead_id):
    """Reason, length in days (null: open), void or not, of the holds of a lead, once what was written was followed."""
    follow(db)
    return db.execute(
        "SELECT reason, round(extract(epoch FROM end_at - start_at) / 86400)::int, voided_at IS NOT NULL"
        " FROM lead_protection.lead_holds WHERE lead_id = %s ORDER BY start_at",
        (lead_id,),
    ).fetchall()


def test_holds_that_were_there_count_and_tell_nobody(stops):
    assert holds(stops, 1) == [("history", 1, False)]
    assert holds(stops, 2) == [("as in crm.stops", None, False)]
    assert events(stops) == []
    held = "SELECT on_hold FROM lead_protection.v_user_lead_protection ORDER BY lead_id"
    assert stops.execute(held).fetchall() == [(False,), (True,), (False,)]


def test_holds_are_made_ended_corrected_and_declared_void(stops):
    stops.execute("INSERT INTO crm.stops VALUES (3, 3, now() - INTERVAL '1 day', NULL, 'SAMPLE_DELAY')")
    assert holds(stops, 3) == [("SAMPLE_DELAY", None, False)]
    stops.execute("UPDATE crm.stops SET end_at = now() WHERE id = 3")
    assert holds(stops, 3) == [("SAMPLE_DELAY", 1, False)]
    stops.execute("UPDATE crm.stops SET start_at = start_at - INTERVAL '2 days' WHERE id = 3")
    assert holds(stops, 3) == [("SAMPLE_DELAY", 3, False)]
    stops.execute("DELETE FROM crm.stops WHERE id = 3")
    assert holds(stops, 3) == [("SAMPLE_DELAY", 3, True)]
    told = ["lead.hold.corrected", "lead.hold.created", "lead.hold.released", "lead.hold.voided"]
    assert news(stops) == told
    assert stops.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert stops.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall() == []


def test_a_hold_that_was_ended_here_stays_so_until_the_table_says_something_new(stops):
    stops.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 2")
    assert [row[1] for row in holds(stops, 2)] == [2], "a transfer ends it"
    stops.execute("UPDATE crm.stops SET reason = reason")
    stops.execute("CALL lead_protection.run_nightly_maintenance()")
    assert [row[1] for row in holds(stops, 2)] == [2]
    assert stops.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("99, now(), NULL", "LP002"),
        ("3, now(), now() - INTERVAL '1 day'", "LP006"),
        ("3, now() + INTERVAL '1 day', NULL", "LP007"),
        ("2, now(), NULL", "LP036"),
    ],
)
def test_holds_that_cannot_be_followed_wait(stops, values, code):
    stops.execute(f"INSERT INTO crm.stops VALUES (3, {values}, 'x')")
    assert queue(stops) == [("3", code)]
    stops.execute("DELETE FROM crm.stops WHERE id = 3")
    assert queue(stops) == []


def test_whoever_calls_for_a_lead_has_its_holds_followed_first(stops):
    stops.execute("INSERT INTO crm.stops VALUES (3, 3, now() - INTERVAL '1 day', NULL, 'x')")
    made = stops.execute("SELECT (lead_protection.create_lead_hold(3, 101, 'another', 1)).created").fetchone()
    assert made == (False,), "there is the open one of the table"


def test_a_pair_of_columns_in_the_table_of_leads(db):
    db.execute("""
        CREATE SCHEMA crm;
        CREATE TABLE crm.l (
            id text PRIMARY KEY, user_id int, created_at timestamptz, paused timestamptz, back timestamptz
        );
        INSERT INTO crm.l VALUES
            ('a', 7, now() - INTERVAL '30 days', now() - INTERVAL '4 days', now() - INTERVAL '3 days'),
            ('b', 7, now() - INTERVAL '30 days', NULL, NULL);
    """)
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900)")
    db.execute(
        "CALL lead_protection.adopt_holds('crm.l', 900, key_column => 'id', lead_column => 'id',"
        " start_column => 'paused', end_column => 'back', reason => NULL)"
    )
    db.execute("CALL lead_protection.switch_on_adoption()")
    a, b = (db.execute("SELECT lead_protection.lead_id_of('l', %s)", (key,)).fetchone()[0] for key in "ab")
    assert [row[1] for row in holds(db, a)] == [1]
    assert holds(db, b) == []
    db.execute("UPDATE crm.l SET paused = now() - INTERVAL '2 days', back = NULL")
    assert [[row[1] for row in holds(db, n)] for n in (a, b)] == [[1, None], [None]]
    # As many a program ends a pause: it forgets it.
    db.execute("UPDATE crm.l SET paused = NULL")
    assert [[row[1:] for row in holds(db, n)] for n in (a, b)] == [[(1, False), (2, False)], [(2, False)]]
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    db.execute("CALL lead_protection.disown_source('l holds')")
    left = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'crm.l'::regclass"
    assert db.execute(left).fetchone() == (4,)
    db.execute("CALL lead_protection.disown_source('l')")
    assert db.execute(left).fetchone() == (0,)
    made = "SELECT count(*) FROM pg_proc WHERE proname ~ '^follow_adopted_source_'"
    assert db.execute(made).fetchone() == (0,)


def test_holds_of_a_view_are_imported(stops):
    stops.execute(
        "CREATE VIEW crm.old_stops AS SELECT 3::bigint AS lead_id, now() - INTERVAL '9 days' AS start_at,"
        " now() - INTERVAL '8 days' AS end_at, 'as it was'::text AS reason"
    )
    assert stops.execute(
        "SELECT lead_key, outcome FROM lead_protection.import_holds('crm.old_stops', 900)"
    ).fetchall() == [("3", "imported")]
