"""The refusals that 0.4.0 left to PostgreSQL, each by its name."""

import psycopg
import pytest

from helpers.calls import call, refused, rows
from helpers.facts import PROTECTED, insert_lead_of_age


@pytest.mark.parametrize(
    ("sqlstate", "call"),
    [
        # 0A000
        ("LP037", "SELECT * FROM lead_protection.hold_leads('k', 'x', 1, '{{1,2},{3,4}}')"),
        ("LP037", "SELECT * FROM lead_protection.release_leads('k', 1, '{{1,2},{3,4}}')"),
        ("LP037", "SELECT * FROM lead_protection.transfer_leads('k', 8, 'x', 1, '{{1,2},{3,4}}')"),
        ("LP037", "SELECT * FROM lead_protection.close_leads('k', 'LOST', 'x', 1, '{{1,2},{3,4}}')"),
        # 2201W
        ("LP016", "CALL lead_protection.run_protection_pipeline(-1)"),
        # 22003
        ("LP016", "CALL lead_protection.run_protection_pipeline(2147483647)"),
        ("LP018", "SELECT * FROM lead_protection.create_policy_version('z', 1, 'parallel', 2147483647, 36500)"),
        # 22008
        ("LP005", "SELECT * FROM lead_protection.protection_as_of('infinity')"),
        ("LP005", "SELECT * FROM lead_protection.protection_as_of('294276-12-31')"),
        ("LP044", "SELECT * FROM lead_protection.start_reminder_delivery(1, 7, '5874897-12-31', 'm')"),
        ("LP044", "SELECT * FROM lead_protection.start_reminder_delivery(1, 7, 'infinity', 'm')"),
        ("LP016", "CALL lead_protection.run_nightly_maintenance('100000 years')"),
        ("LP016", "SELECT lead_protection.end_overrun_holds(-1)"),
    ],
)
def test_what_makes_no_sense_is_refused_in_our_words(db, sqlstate, call):
    insert_lead_of_age(db, 1, PROTECTED)
    refused(sqlstate, db.execute, call)
    assert rows(db, "SELECT FROM lead_protection.job_runs") == []


def test_an_age_beyond_all_instants_is_as_good_as_a_thousand_years(db):
    assert db.execute("SELECT lead_protection.refresh_metrics('100000 years')").fetchone() == (True,)
    assert db.execute("SELECT lead_protection.refresh_metrics('100000 years')").fetchone() == (False,)
    assert db.execute("SELECT lead_protection.announce_hold_limits('100000 years')").fetchone() == (0,)


@pytest.fixture
def repeatable(db, connect) -> psycopg.Connection:
    """A session whose REPEATABLE READ transaction has begun, with leads 1 and 2."""
    insert_lead_of_age(db, 1, PROTECTED)
    insert_lead_of_age(db, 2, PROTECTED)
    session = connect(autocommit=False)
    session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    session.execute("SELECT FROM lead_protection.leads")
    return session


def test_a_bulk_hold_after_a_concurrent_hold_is_to_be_run_again(db, repeatable):
    """In 0.4.0: 23505."""
    call(db, "create_lead_hold", 1, 7, "x", 1)
    with pytest.raises(psycopg.errors.SerializationFailure):
        call(repeatable, "hold_leads", request_key="k", reason="x", actor_id=1, lead_ids=[1, 2])
    repeatable.rollback()
    answers = call(repeatable, "hold_leads", request_key="k", reason="x", actor_id=1, lead_ids=[1, 2])
    assert [answer["outcome"] for answer in answers] == ["already", "done"]


def test_an_extension_after_the_same_one_is_to_be_run_again(db, repeatable):
    """In 0.4.0: 23505."""
    extension = (1, 7, 5, "asked for", 6, 5, "key")
    call(db, "extend_lead", *extension)
    with pytest.raises(psycopg.errors.SerializationFailure):
        call(repeatable, "extend_lead", *extension)
    repeatable.rollback()
    assert not call(repeatable, "extend_lead", *extension)[0]["changed"]


def test_a_hold_after_the_same_one_is_to_be_run_again(db, repeatable):
    call(db, "create_lead_hold", 1, 7, "x", 1)
    with pytest.raises(psycopg.errors.SerializationFailure):
        call(repeatable, "create_lead_hold", 1, 7, "x", 1)


def test_an_activity_after_the_same_one_is_to_be_run_again(db, repeatable):
    activity = (1, 7, "QUALIFIED_CALL", db.execute("SELECT now()").fetchone()[0], "key", 1)
    call(db, "record_lead_activity", *activity)
    with pytest.raises(psycopg.errors.SerializationFailure):
        call(repeatable, "record_lead_activity", *activity)
