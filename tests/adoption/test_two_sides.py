"""A lead that is changed on both sides, here and in its table."""

import pytest

from helpers.adoption_calls import lead_here, news, queue, run_the_night
from helpers.sources import CRM, follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- both sides change a lead ---


def test_closed_here_and_another_owner_there_is_no_drift(crm):
    crm.execute("SELECT lead_protection.close_lead(1, 101, 'CONVERTED', 'x', 1)")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    crm.execute("SELECT lead_protection.reopen_lead(1, 101, 'x', 1)")
    run_the_night(crm)
    assert lead_here(crm, 1)[0] == 108


def test_a_start_is_followed_though_it_was_moved_or_clamped_here(crm):
    crm.execute("SELECT lead_protection.backdate_lead(1, 101, now() - INTERVAL '50 days', 'x', 'letter', 1)")
    crm.execute("UPDATE crm.leads SET created_at = now() - INTERVAL '60 days' WHERE id = 1")
    crm.execute("INSERT INTO crm.leads (id, owner_id, created_at) VALUES (9, 101, now() + INTERVAL '3 minutes')")
    follow(crm)
    crm.execute("UPDATE crm.leads SET created_at = now() - INTERVAL '60 days' WHERE id = 9")
    follow(crm)
    starts = "SELECT DISTINCT extract(day FROM now() - created_at)::int FROM lead_protection.leads WHERE id IN (1, 9)"
    assert crm.execute(starts).fetchall() == [(60,)]


def test_a_lead_that_was_closed_otherwise_before_is_another_one(db):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 10, 101))
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at) SELECT id, owner_id, created_at FROM crm.leads"
    )
    db.execute("SELECT lead_protection.close_lead(1, 101, 'LOST', 'x', 1)")
    db.execute("UPDATE crm.leads SET status = 'won'")
    db.execute(CRM.adopt_sql())
    assert queue(db) == [("1", "LP046")]


def test_a_renamed_table_adopted_again_keeps_its_transferred_leads(crm):
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("ALTER TABLE crm.leads RENAME TO deals")
    crm.execute("UPDATE crm.deals SET owner_id = 109 WHERE id = 1")
    crm.execute(CRM.adopt_sql(source="crm.deals"))
    assert queue(crm) == []
    assert lead_here(crm, 1)[0] == 109
    crm.execute("CALL lead_protection.disown_source('crm.deals')")
    assert crm.execute("SELECT * FROM lead_protection.adopted_tables()").fetchall() == []


def test_a_closed_lead_may_lose_its_owner(crm):
    crm.execute("UPDATE crm.leads SET status = 'lost', owner_id = NULL WHERE id = 1")
    crm.execute("UPDATE crm.leads SET owner_id = NULL, deleted_at = now() WHERE id = 2")
    crm.execute("INSERT INTO crm.leads (id, owner_id, status) VALUES (9, NULL, 'lost')")
    assert [lead_here(crm, n)[::3] for n in (1, 2, 9)] == [(101, "LOST"), (101, "DELETED"), (None, "LOST")]
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    crm.execute("UPDATE crm.leads SET status = 'new' WHERE id = 1")
    assert lead_here(crm, 1)[::3] == (None, None), "opened, it is nobody's"
    assert news(crm, 1) == ["lead.closed", "lead.protection.given_back", "lead.reopened"]
