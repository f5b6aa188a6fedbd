"""Two sessions change one hold at once."""

from functools import partial

import psycopg
import pytest

from helpers.calls import call, rows
from helpers.facts import PROTECTED, events, insert_lead_of_age
from helpers.hold_calls import (
    DAY,
    active,
    consistent,
    correct,
    create,
    everything,
    from_now,
    hold_row,
    override,
    release,
    void,
)
from helpers.hold_limits import limited_lead
from helpers.sessions import interleave

# --- two sessions ---


def meet(db, two, wait_until, first, second, end="commit"):
    """Interleave the two and prove that what they left is sound."""
    answer = interleave(db, wait_until, two, first, second, end)
    consistent(db)
    return answer


def test_correct_against_correct_one_wins_and_the_other_is_told(lead, two, wait_until, hold):
    first = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-10))
    second = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    error = meet(lead, two, wait_until, first, second)
    assert error.sqlstate == "LP035" and error.diag.message_detail and error.diag.message_hint
    assert hold_row(lead, 1)["end_at"] == first.keywords["end_at"]
    assert events(lead).count("lead.hold.corrected") == 1


def test_correct_against_a_correct_that_is_taken_back(lead, two, wait_until, hold):
    first = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-10))
    second = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, first, second, "rollback")["changed"] is True
    assert (hold_row(lead, 1)["end_at"], hold_row(lead, 1)["version"]) == (second.keywords["end_at"], 2)


def test_the_same_correction_twice_at_once_is_one(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-10))
    assert meet(lead, two, wait_until, work, work)["changed"] is False
    assert events(lead).count("lead.hold.corrected") == 1


def test_a_correction_with_an_old_snapshot_is_refused(lead, connect, hold):
    old = connect(autocommit=False)
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM lead_protection.lead_holds")
    correct(lead, 1, 1, hold["start_at"], from_now(-10))
    left = everything(lead)
    with pytest.raises(psycopg.errors.SerializationFailure):
        correct(old, 1, 1, hold["start_at"], from_now(-5))
    old.rollback()
    assert everything(lead) == left


def test_correct_after_release(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, release, work).sqlstate == "LP035"
    assert hold_row(lead, 1)["released_by"] == 1
    assert "lead.hold.corrected" not in events(lead)


def test_release_after_correct(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, work, release)[0]["released"] is False
    assert hold_row(lead, 1)["end_at"] == work.keywords["end_at"]


def test_release_after_void(lead, two, wait_until, hold):
    assert meet(lead, two, wait_until, partial(void, hold_id=1, version=1), release)[0]["released"] is False
    assert hold_row(lead, 1)["end_at"] is None and hold_row(lead, 1)["released_by"] is None


def test_void_after_release(lead, two, wait_until, hold):
    assert meet(lead, two, wait_until, release, partial(void, hold_id=1, version=1)).sqlstate == "LP035"
    assert hold_row(lead, 1)["voided_at"] is None


def test_void_against_void_is_one(lead, two, wait_until, hold):
    work = partial(void, hold_id=1, version=1)
    assert meet(lead, two, wait_until, work, work)["changed"] is False
    assert events(lead).count("lead.hold.voided") == 1


def test_correct_after_void(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, partial(void, hold_id=1, version=1), work).sqlstate == "LP035"
    assert hold_row(lead, 1)["end_at"] is None


def test_create_after_void_makes_a_new_hold(lead, two, wait_until, hold):
    made = meet(lead, two, wait_until, partial(void, hold_id=1, version=1), create)
    assert made["created"] is True and made["hold_id"] != 1


def test_create_after_a_void_that_is_taken_back_finds_the_hold(lead, two, wait_until, hold):
    made = meet(lead, two, wait_until, partial(void, hold_id=1, version=1), create, "rollback")
    assert (made["created"], made["hold_id"]) == (False, 1)


def test_void_after_create_voids_what_create_had_found(lead, two, wait_until, hold):
    assert meet(lead, two, wait_until, create, partial(void, hold_id=1, version=1))["changed"] is True
    assert active(lead) == []


def end_overrun_holds(db):
    """The step of the nightly job."""
    return call(db, "end_overrun_holds")[0]["end_overrun_holds"]


def pass_over(two, work, nightly, end="commit") -> None:
    """The night does not wait for a lead that another session is at work on: it does nothing for it."""
    first, second = two
    work(first)
    assert nightly(second) == 0
    getattr(first, end)()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_nightly_after_override(db, two, overrun, end):
    work = partial(override, hold_id=overrun, version=1, until_at=from_now(5))
    pass_over(two, work, end_overrun_holds, end)
    assert end_overrun_holds(db) == (1 if end == "rollback" else 0)
    assert (hold_row(db, overrun)["end_at"] is None) is (end == "commit")


def test_override_after_nightly(db, two, wait_until, overrun):
    work = partial(override, hold_id=overrun, version=1, until_at=from_now(5))
    assert meet(db, two, wait_until, end_overrun_holds, work).sqlstate == "LP035"
    assert hold_row(db, overrun)["overrun_at"] is not None


@pytest.mark.parametrize("first", ["nightly", "release"])
def test_nightly_against_release_ends_it_once_and_at_the_limit(db, two, wait_until, overrun, first):
    if first == "release":
        pass_over(two, release, end_overrun_holds)
        assert end_overrun_holds(db) == 0
    else:
        assert meet(db, two, wait_until, end_overrun_holds, release)[0]["released"] is False
    ended = hold_row(db, overrun)
    assert ended["end_at"] == ended["start_at"] + 10 * DAY
    assert len([event for event in events(db) if event in ("lead.hold.overrun", "lead.hold.released")]) == 1


def test_nightly_against_nightly_ends_it_once(db, two, overrun):
    pass_over(two, end_overrun_holds, end_overrun_holds)
    assert end_overrun_holds(db) == 0
    assert events(db).count("lead.hold.overrun") == 1


def test_announcement_against_announcement_is_one(db, two):
    limited_lead(db, 1, hold_limit_days=10)
    create(db, 1, start_at=from_now(-5))

    def announce(session):
        return call(session, "announce_hold_limits")[0]["announce_hold_limits"]

    pass_over(two, announce, announce)
    assert announce(db) == 0
    assert events(db).count("lead.hold.limit_near") == 1


def test_the_nightly_job_acts_only_on_leads_that_it_has_locked(db, two, overrun):
    """While one lead is locked another comes to be past its limit: both are for the next run."""
    policy_id = rows(db, "SELECT policy_id FROM lead_protection.leads")[0]["policy_id"]
    insert_lead_of_age(db, 2, PROTECTED)
    create(db, 2, start_at=from_now(-20))
    db.execute("UPDATE lead_protection.leads SET changed_at = NULL")

    def move_another(session):
        release(session, 1)
        move = {"lead_ids": [2], "policy_id": policy_id, "reason": "x", "actor_id": 1}
        call(session, "move_leads_to_policy", **move)

    pass_over(two, move_another, end_overrun_holds)
    assert end_overrun_holds(db) == 1
    consistent(db)
