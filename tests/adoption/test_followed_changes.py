"""What is written to an adopted table is followed within a minute, at the instants at which it was written."""

import pytest

from helpers.adoption_calls import lead_here, news
from helpers.sources import assert_in_step, follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- what is followed ---


def test_adoption_itself_tells_nobody(crm):
    assert news(crm) == []


def test_changes_that_do_not_matter_change_nothing(crm):
    before = crm.execute("SELECT xmin FROM lead_protection.leads ORDER BY id").fetchall()
    crm.execute("UPDATE crm.leads SET note = 'x'")
    crm.execute("UPDATE crm.leads SET owner_id = owner_id, status = 'contacted'")
    assert crm.execute("SELECT xmin FROM lead_protection.leads ORDER BY id").fetchall() == before
    assert news(crm) == []


def test_copy_and_many_rows_at_once(crm):
    with crm.cursor().copy("COPY crm.leads (id, owner_id, status) FROM STDIN") as copy:
        for number in range(1000, 1500):
            copy.write_row((number, 105, "won" if number % 2 else "new"))
    assert_in_step(crm, "crm")
    assert crm.execute("SELECT count(*) FROM lead_protection.leads WHERE user_id = 105").fetchone() == (500,)


def test_merge_and_on_conflict(crm):
    crm.execute(
        "MERGE INTO crm.leads AS t USING (VALUES (1, 103), (50, 103)) AS n (id, owner_id) ON t.id = n.id"
        " WHEN MATCHED THEN UPDATE SET owner_id = n.owner_id"
        " WHEN NOT MATCHED THEN INSERT (id, owner_id) VALUES (n.id, n.owner_id)"
    )
    crm.execute(
        "INSERT INTO crm.leads (id, owner_id) VALUES (2, 104), (51, 104)"
        " ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id"
    )
    assert [lead_here(crm, n)[0] for n in (1, 2, 50, 51)] == [103, 104, 103, 104]
    assert news(crm) == ["lead.protection.transferred"] * 2
    assert_in_step(crm, "crm")


def test_another_owner_is_a_transfer_from_now(crm):
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    follow(crm)
    (row,) = crm.execute(
        "SELECT event_type, user_id, actor_id, reason, details ->> 'user_id_before' FROM lead_protection.protection_log"
    )
    assert row == ("lead.protection.transferred", 108, 900, "as in crm.leads", "101")
    assert crm.execute("SELECT now() - created_at < '1 minute' FROM lead_protection.leads WHERE id = 1").fetchone()[0]


def test_an_earlier_start_is_backdating_and_a_later_one_a_change(crm):
    for days, event in ((20, "lead.protection.backdated"), (5, "lead.changed")):
        crm.execute("UPDATE crm.leads SET created_at = now() - %s * INTERVAL '1 day' WHERE id = 1", (days,))
        assert news(crm)[-1 if event.endswith("backdated") else 0] == event
        assert_in_step(crm, "crm")


def test_a_start_that_the_table_changes_does_not_touch_a_protection_that_began_with_a_transfer(crm):
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    before = lead_here(crm, 1)
    crm.execute("UPDATE crm.leads SET created_at = now() - INTERVAL '30 days' WHERE id = 1")
    assert lead_here(crm, 1) == before


def test_closed_reopened_and_closed_otherwise(crm):
    crm.execute("UPDATE crm.leads SET status = 'won' WHERE id = 1")
    assert lead_here(crm, 1)[2:] == (True, "CONVERTED")
    crm.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 1")
    assert lead_here(crm, 1)[2:] == (True, "LOST")
    crm.execute("UPDATE crm.leads SET status = 'new' WHERE id = 1")
    assert lead_here(crm, 1)[2:] == (False, None)
    assert news(crm) == ["lead.closed", "lead.closed", "lead.reopened", "lead.reopened"]


def test_deleted_and_back_softly_and_for_real(crm):
    crm.execute("UPDATE crm.leads SET deleted_at = now() WHERE id = 1")
    crm.execute("DELETE FROM crm.leads WHERE id = 2")
    assert [lead_here(crm, n)[3] for n in (1, 2)] == ["DELETED", "DELETED"]
    crm.execute("UPDATE crm.leads SET deleted_at = NULL WHERE id = 1")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (2, 101)")
    assert [lead_here(crm, n)[2:] for n in (1, 2)] == [(False, None)] * 2
    assert news(crm) == ["lead.changed"] * 3 + ["lead.deleted"] * 2
    assert_in_step(crm, "crm")


def test_a_load_that_deletes_all_and_inserts_it_again_keeps_the_protections(crm):
    before = crm.execute("SELECT id, user_id, created_at, closed_at FROM lead_protection.leads ORDER BY id").fetchall()
    with crm.transaction():
        crm.execute("CREATE TEMPORARY TABLE saved AS SELECT * FROM crm.leads")
        crm.execute("DELETE FROM crm.leads")
        crm.execute("INSERT INTO crm.leads SELECT * FROM saved")
    after = crm.execute("SELECT id, user_id, created_at, closed_at FROM lead_protection.leads ORDER BY id").fetchall()
    assert after == before


def test_a_row_that_changes_its_number_is_another_lead(crm):
    crm.execute("UPDATE crm.leads SET id = 77 WHERE id = 1")
    assert lead_here(crm, 1)[3] == "DELETED"
    assert lead_here(crm, 77)[0] == 101
    assert_in_step(crm, "crm")


def test_owner_and_closing_of_a_closed_lead_are_followed_when_it_is_opened(crm):
    crm.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 1")
    follow(crm)
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    assert lead_here(crm, 1)[0] == 101
    assert_in_step(crm, "crm")
    crm.execute("UPDATE crm.leads SET status = 'new' WHERE id = 1")
    assert lead_here(crm, 1)[0] == 108
    assert_in_step(crm, "crm")


def test_what_our_functions_did_stands_until_the_table_says_something_new(crm):
    crm.execute("SELECT lead_protection.transfer_lead(1, 101, 108, 'x', 1)")
    crm.execute("SELECT lead_protection.close_lead(2, 101, 'LOST', 'x', 1)")
    crm.execute("UPDATE crm.leads SET note = 'x', status = 'contacted'")
    crm.execute("CALL lead_protection.run_nightly_maintenance()")
    assert lead_here(crm, 1)[0] == 108
    assert lead_here(crm, 2)[2:] == (True, "LOST")
    crm.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 2")
    assert news(crm, 2) == ["lead.closed"], "it is closed so already"
    # Both are closed as won in the table: the one by its user of now, the other against what was said here.
    crm.execute("UPDATE crm.leads SET status = 'won' WHERE id IN (1, 2)")
    assert lead_here(crm, 1)[::3] == (108, "CONVERTED")
    assert lead_here(crm, 2)[::3] == (101, "CONVERTED")


def test_a_lead_that_another_session_holds_is_followed_by_the_next_run(crm, connect):
    here = connect(autocommit=False)
    here.execute("SELECT lead_protection.close_lead(1, 101, 'LOST', 'x', 1)")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id IN (1, 3)")
    assert lead_here(crm, 3)[0] == 108, "the others are not kept waiting"
    waits = "SELECT row_key, attempts, error FROM lead_protection.adoption_queue"
    assert crm.execute(waits).fetchall() == [("1", 0, None)], "that is no failed attempt"
    here.commit()
    assert lead_here(crm, 1)[::3] == (101, "LOST")
    assert crm.execute(waits).fetchall() == []


def test_truncate_is_followed_as_the_deletion_of_all(crm):
    crm.execute("TRUNCATE crm.leads")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (3, 102)")
    assert [lead_here(crm, n)[3] for n in (1, 2, 3)] == ["DELETED", "DELETED", None]
    assert_in_step(crm, "crm")


def test_what_the_company_rolls_back_was_never_noted(crm):
    with pytest.raises(ZeroDivisionError), crm.transaction():
        crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
        crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
        raise ZeroDivisionError
    assert crm.execute("SELECT count(*) FROM lead_protection.adoption_notes").fetchone() == (0,)
    assert lead_here(crm, 1)[0] == 101
    assert lead_here(crm, 9) is None


def test_the_writer_needs_no_right_here(crm, server, connect):
    crm.execute("CREATE ROLE test_crm_program LOGIN")
    crm.execute("GRANT USAGE ON SCHEMA crm TO test_crm_program")
    crm.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON crm.leads TO test_crm_program")
    try:
        program = connect(user="test_crm_program")
        program.execute("SET search_path = crm; SET timezone = 'Pacific/Auckland'; SET datestyle = 'German'")
        program.execute("INSERT INTO leads (id, owner_id) VALUES (9, 101)")
        program.execute("UPDATE leads SET owner_id = 102 WHERE id = 9")
        program.execute("DELETE FROM leads WHERE id = 1")
        assert lead_here(crm, 9)[0] == 102
        assert_in_step(crm, "crm")
    finally:
        program.close()
        crm.execute("DROP OWNED BY test_crm_program")
        crm.execute("DROP ROLE test_crm_program")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_followed_at_every_isolation_level(crm, level):
    crm.execute(f"BEGIN ISOLATION LEVEL {level}")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    crm.execute("COMMIT")
    assert_in_step(crm, "crm")


def test_what_was_written_before_a_row_was_taken_over_as_closed_finds_it_closed(crm, connect):
    """It was closed when it was first followed, and deleted by a transaction that wrote before and commits after."""
    crm.execute("SET session_replication_role = replica")
    crm.execute("INSERT INTO crm.leads (id, owner_id, status) VALUES (9, 101, 'lost')")
    crm.execute("RESET session_replication_role")
    writer = connect(autocommit=False)
    writer.execute("DELETE FROM crm.leads WHERE id = 9")
    crm.execute("SELECT lead_protection.queue_adoption_drift()")
    follow(crm)
    writer.commit()
    follow(crm)
    assert crm.execute(
        "SELECT event_type, state_before, state_after FROM lead_protection.protection_log WHERE lead_id = 9"
    ).fetchall() == [("lead.deleted", "CLOSED", "CLOSED")]
