"""Who did it: what the database knows beside what the caller says; limits that a transfer does not renew; approvals."""

from datetime import timedelta

import psycopg
import pytest

from helpers.calls import call, make_policy, refused, row, rows
from helpers.facts import PROTECTED, ago, insert_lead, insert_lead_of_age
from helpers.hold_calls import create, from_now, release


@pytest.fixture
def app(connect):
    session = connect(application_name="crm web")
    session.execute("SET SESSION AUTHORIZATION lead_protection_app")
    return session


def transfer(db, user_id, new_user_id, lead_id=1):
    named = {"lead_id": lead_id, "user_id": user_id, "new_user_id": new_user_id, "reason": "x", "actor_id": 5}
    return call(db, "transfer_lead", **named)[0]


def extend(db, days, key, lead_id=1, approved_by=6, actor_id=5):
    return call(db, "extend_lead", lead_id, 7, days, "asked for", approved_by, actor_id, key)[0]


def test_the_log_keeps_the_session_beside_the_actor(db, app):
    insert_lead_of_age(db, 1, PROTECTED)
    create(app, actor_id=99)
    # Neither is the caller's to choose: SET ROLE changes nothing, and the columns are no argument.
    app.execute("RESET SESSION AUTHORIZATION")
    app.execute("SET application_name = ''")
    app.execute("SET ROLE lead_protection_app")
    release(app, actor_id=99)
    logged = rows(
        db,
        "SELECT event_type, actor_id, session_role, application_name FROM lead_protection.protection_log"
        " ORDER BY occurred_at",
    )
    assert [tuple(r.values()) for r in logged] == [
        ("lead.hold.created", 99, "lead_protection_app", "crm web"),
        ("lead.hold.released", 99, "postgres", None),
    ]


def test_a_lead_keeps_who_entered_it(db, app):
    app.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (1, 7)")
    kept = row(db, "SELECT session_role, application_name FROM lead_protection.leads")
    assert kept == {"session_role": "lead_protection_app", "application_name": "crm web"}
    for column in ("session_role", "application_name"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"INSERT INTO lead_protection.leads (user_id, {column}) VALUES (7, 'postgres')")


def test_an_application_gives_no_policy_but_gets_the_users(db, app):
    """In 0.4.0 an application could enter its lead under any policy there was."""
    generous = make_policy(db, "generous", base_months=1200)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("INSERT INTO lead_protection.leads (user_id, policy_id) VALUES (7, %s)", (generous,))
    call(db, "assign_user_policy", 8, generous, 5)
    app.execute("INSERT INTO lead_protection.leads (user_id) VALUES (8)")
    assert row(db, "SELECT policy_id FROM lead_protection.leads")["policy_id"] == generous


def test_a_transfer_to_and_fro_renews_no_limit_of_extensions(db):
    """In 0.4.0 it did, within 40 ms, by the application itself."""
    insert_lead(db, 1, ago(100), policy_id=make_policy(db, "ten", extension_limit_days=10))
    call(db, "assign_user_policy", 7, row(db, "SELECT policy_id FROM lead_protection.leads")["policy_id"], 5)
    extend(db, 8, "first")
    transfer(db, 7, 8)
    transfer(db, 8, 7)
    assert "8 are granted" in refused("LP024", extend, db, 3, "second").diag.message_detail
    extend(db, 2, "third")


def test_a_transfer_to_and_fro_renews_no_limit_of_holds(db):
    limited = make_policy(db, "limited", hold_total_limit_days=10)
    insert_lead(db, 1, ago(100), policy_id=limited)
    call(db, "assign_user_policy", 7, limited, 5)
    create(db, start_at=ago(20), end_at=ago(12))
    transfer(db, 7, 8)
    transfer(db, 8, 7)
    refused("LP032", create, db, start_at=from_now(1), end_at=from_now(4))
    create(db, start_at=from_now(1), end_at=from_now(2.9))
    # Another user's holds are their own.
    transfer(db, 7, 8)
    call(db, "assign_user_policy", 9, limited, 5)
    transfer(db, 8, 9)
    assert create(db, user_id=9, start_at=from_now(1), end_at=from_now(10))["created"]


@pytest.mark.parametrize(("months", "counts"), [(5, True), (7, False)])
def test_protections_count_that_began_within_the_base_period(db, months, counts):
    insert_lead(db, 1, ago(100), policy_id=make_policy(db, "ten", extension_limit_days=10, hold_total_limit_days=10))
    call(db, "assign_user_policy", 7, row(db, "SELECT policy_id FROM lead_protection.leads")["policy_id"], 5)
    extend(db, 10, "first")
    create(db, start_at=ago(20), end_at=ago(10.1))
    transfer(db, 7, 8)
    transfer(db, 8, 7)
    # Time has passed since: all that was before the last transfer lies further back.
    back = timedelta(days=30 * months)
    db.execute("ALTER TABLE lead_protection.lead_history DISABLE TRIGGER USER")
    db.execute("ALTER TABLE lead_protection.lead_extensions DISABLE TRIGGER USER")
    db.execute("UPDATE lead_protection.lead_history SET created_at = %s WHERE user_id = 7", (ago(0) - back,))
    db.execute("UPDATE lead_protection.lead_extensions SET granted_at = %s", (ago(-1) - back,))
    db.execute(
        "UPDATE lead_protection.lead_holds SET start_at = %s, end_at = %s WHERE user_id = 7",
        (ago(-1) - back, ago(-10.9) - back),
    )
    if counts:
        refused("LP024", extend, db, 1, "second")
        refused("LP032", create, db, end_at=from_now(1))
    else:
        extend(db, 10, "second")
        create(db, end_at=from_now(9))


def test_the_present_protection_counts_whole_however_long_ago_it_began(db):
    insert_lead(db, 1, ago(240), policy_id=make_policy(db, "ten", extension_limit_days=10))
    extend(db, 8, "first")
    refused("LP024", extend, db, 3, "second")


def test_approval_by_another_is_a_term_of_a_policy(db):
    insert_lead(db, 1, ago(100))
    assert extend(db, 1, "own", approved_by=5)["changed"], "off by default"
    strict = make_policy(db, "strict", approval_by_another=True)
    insert_lead(db, 2, ago(100), policy_id=strict)
    refused("LP081", extend, db, 1, "own", lead_id=2, approved_by=5)
    assert extend(db, 1, "own", lead_id=2, approved_by=6)["changed"]
    assert not extend(db, 1, "own", lead_id=2, approved_by=5)["changed"], "a repeated call is answered"
    again = call(db, "create_policy_version", name="strict", actor_id=5, approval_by_another=True)[0]
    assert (again["policy_id"], again["created"]) == (strict, False)
    looser = call(db, "create_policy_version", name="strict", actor_id=5)[0]
    assert (looser["version"], looser["created"]) == (2, True)
    with pytest.raises(psycopg.Error) as caught:
        db.execute("UPDATE lead_protection.protection_policies SET approval_by_another = false")
    assert caught.value.sqlstate == "LP011"
