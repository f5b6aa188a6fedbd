"""The state diagram of docs/states.md against the transitions that the code makes, each once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from helpers.facts import ago, insert_history, insert_holds, insert_lead
from helpers.lead_states import (
    diagram,
    look,
    named,
    one_answer,
    over_time,
    short_policy,
    transitions,
    transitions_of_time,
)

pytestmark = pytest.mark.slow("each way from state to state")

# --- The diagram -----------------------------------------------------------------------------------------------------
# --- Looking ---------------------------------------------------------------------------------------------------------
# --- Each transition, once, by name ----------------------------------------------------------------------------------


# Under the parallel rule with 60 and 10 days, all that counts is the days since the last activity (or the start): below
# 60 PROTECTED, below 70 REMINDER_DUE or GRACE, then EXPIRED. A transition is (days before, days after, days since a
# reminder was sent): whether that one covers a window depends on when the window's own fell due.
MOVES = {
    ("PROTECTED", "REMINDER_DUE"): (50, 65, None),
    ("PROTECTED", "GRACE"): (50, 65, 2),
    ("PROTECTED", "EXPIRED"): (50, 75, None),
    ("REMINDER_DUE", "PROTECTED"): (65, 50, None),
    ("REMINDER_DUE", "GRACE"): (62, 66, 4),
    ("REMINDER_DUE", "EXPIRED"): (65, 75, None),
    ("GRACE", "PROTECTED"): (65, 50, 2),
    ("GRACE", "REMINDER_DUE"): (66, 62, 4),
    ("GRACE", "EXPIRED"): (65, 75, 2),
    ("EXPIRED", "PROTECTED"): (75, 50, None),
    ("EXPIRED", "REMINDER_DUE"): (75, 65, None),
    ("EXPIRED", "GRACE"): (75, 65, 2),
}

# Days since the start, and since a reminder was sent, that put a lead there.
STANDS = {"PROTECTED": (50, None), "REMINDER_DUE": (65, None), "GRACE": (65, 2), "EXPIRED": (75, None)}

EARLIER = {pair for pair, (before, after, _) in MOVES.items() if after > before}

LATER = set(MOVES) - EARLIER

FROM_EXPIRED = {pair for pair in MOVES if pair[0] == "EXPIRED"}


class Scenarios:
    """The situations from which a cause makes a transition; each on a lead of its own."""

    def __init__(self, db):
        self.db = db
        self.ids = count(1)
        self.parallel = self.idle(60)

    def idle(self, days: int, **terms) -> int:
        """A policy under which the protection ends so many days and 10 more after the last activity."""
        name = f"idle {days} {terms}"
        return short_policy(self.db, name, rule="parallel", base_months=60, extension_days=days, **terms)

    def lead(self, days: float, reminded: float | None = None, **columns) -> int:
        """A lead of user 7 that started so many days ago, and was reminded so many days ago."""
        lead_id = next(self.ids)
        # The rounding of instants to dates must not decide: the moves leave more than a day on each side.
        insert_lead(self.db, lead_id, ago(days), policy_id=columns.pop("policy_id", self.parallel), **columns)
        if reminded is not None:
            self.reminded(lead_id, reminded)
        return lead_id

    def reminded(self, lead_id: int, days: float) -> None:
        """A reminder of some window that passed."""
        self.db.execute(
            "INSERT INTO lead_protection.lead_reminders"
            " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at)"
            " VALUES (%s, 7, '1999-01-01', now(), now() - INTERVAL '1 year', %s)",
            (lead_id, ago(days)),
        )

    def call(self, call: str, *arguments) -> None:
        """Call a function."""
        self.db.execute(f"SELECT lead_protection.{call}", arguments)

    def update(self, lead_id: int, **columns) -> None:
        """Change a lead as a row."""
        for name, value in columns.items():
            self.db.execute(f"UPDATE lead_protection.leads SET {name} = %s WHERE id = %s", (value, lead_id))

    # Each takes (days before, days after, days since the reminder) and yields the lead before, and again after.

    def correct_lead_activity(self, before, after, reminded) -> Iterator[int]:
        lead_id = self.lead(100, reminded)
        self.call("record_lead_activity(%s, 7, 'QUALIFIED_CALL', %s, 'k', 1)", lead_id, ago(before))
        yield lead_id
        self.call("correct_lead_activity(%s, 'k', 'QUALIFIED_CALL', %s, 'x', 1)", lead_id, ago(after))
        yield lead_id

    def held(self, days: float, start_at: datetime, end_at: datetime, reminded: float | None = None) -> tuple[int, int]:
        """A lead that started so many days ago with one hold; both numbers."""
        lead_id = self.lead(days, reminded)
        insert_holds(self.db, lead_id, [(start_at, end_at)])
        query = "SELECT id FROM lead_protection.lead_holds WHERE lead_id = %s"
        return lead_id, self.db.execute(query, (lead_id,)).fetchone()[0]

    def correct_lead_hold(self, before, after, reminded):
        """A hold of 100 days ago that was entered too long or too short."""
        lead_id, hold_id = self.held(100, ago(95), ago(before - 5), reminded)
        yield lead_id
        self.call("correct_lead_hold(%s, 1, %s, %s, 'x', 1)", hold_id, ago(95), ago(after - 5))
        yield lead_id

    def void_lead_hold(self, before, after, reminded):
        lead_id, hold_id = self.held(after, ago(40), ago(40 - (after - before)), reminded)
        yield lead_id
        self.call("void_lead_hold(%s, 1, 'x', 1)", hold_id)
        yield lead_id

    def record_lead_activity(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("record_lead_activity(%s, 7, 'QUALIFIED_CALL', %s, 'k', 1)", lead_id, ago(after))
        yield lead_id

    def delete_lead_activity(self, before, after, reminded):
        lead_id = self.lead(after, reminded)
        self.call("record_lead_activity(%s, 7, 'QUALIFIED_CALL', %s, 'k', 1)", lead_id, ago(before))
        yield lead_id
        self.call("delete_lead_activity(%s, 'k', 'x', 1)", lead_id)
        yield lead_id

    def backdate_lead(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("backdate_lead(%s, 7, %s, 'x', 'x', 1)", lead_id, ago(after))
        yield lead_id

    def extend_lead(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("extend_lead(%s, 7, %s, 'x', 1, 1, 'k')", lead_id, before - after)
        yield lead_id

    def create_lead_hold(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("create_lead_hold(%s, 7, 'x', 1, %s, %s)", lead_id, ago(40), ago(40 - (before - after)))
        yield lead_id

    def release_lead_hold(self, before, after, reminded):
        """A planned hold, in force, is released before its end: it had counted in full."""
        lead_id = self.lead(after, reminded)
        self.call("create_lead_hold(%s, 7, 'x', 1, now(), %s)", lead_id, ago(before - after))
        yield lead_id
        self.call("release_lead_hold(%s, 7, 1)", lead_id)
        yield lead_id

    def move_leads_to_policy(self, before, after, reminded):
        other = self.idle(60 + before - after)
        yield (lead_id := self.lead(before, reminded))
        self.call("move_leads_to_policy(%s, %s, 'x', 1)", [lead_id], other)
        yield lead_id

    def UPDATE(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.update(lead_id, created_at=ago(after))
        yield lead_id

    def transfer_lead(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("transfer_lead(%s, 7, 8, 'x', 1)", lead_id)
        yield lead_id

    def give_back_lead(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("give_back_lead(%s, 7, 'x', 1)", lead_id)
        yield lead_id

    def free_as_row(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.update(lead_id, user_id=None)
        yield lead_id

    def free_lead(self, call, *arguments):
        """A lead that was nobody's for long."""
        yield (lead_id := self.lead(100, user_id=None))
        self.call(call, lead_id, *arguments)
        yield lead_id

    def free_lead_given_as_row(self):
        yield (lead_id := self.lead(100, user_id=None))
        self.update(lead_id, user_id=8)
        yield lead_id

    def free_lead_closed_as_row(self):
        yield (lead_id := self.lead(100, user_id=None))
        self.update(lead_id, closed_at=datetime.now(UTC))
        yield lead_id

    def closed_free_lead_reopened(self):
        yield (lead_id := self.lead(100, user_id=None, closed_at=ago(1)))
        self.call("reopen_lead(%s, NULL, 'x', 1)", lead_id)
        yield lead_id

    def closed_free_lead_opened_as_row(self):
        yield (lead_id := self.lead(100, user_id=None, closed_at=ago(1)))
        self.update(lead_id, closed_at=None)
        yield lead_id

    def pipeline(self, before, after, reminded):
        yield (lead_id := self.lead(65))
        self.db.execute("CALL lead_protection.run_protection_pipeline()")
        yield lead_id

    def close_lead(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("close_lead(%s, 7, 'LOST', 'x', 1)", lead_id)
        yield lead_id

    def delete_lead(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.call("delete_lead(%s, 7, 'x', 1)", lead_id)
        yield lead_id

    def close_as_row(self, before, after, reminded):
        yield (lead_id := self.lead(before, reminded))
        self.update(lead_id, closed_at=datetime.now(UTC))
        yield lead_id

    def reopen_lead(self, before, after, reminded):
        yield (lead_id := self.lead(after, reminded, closed_at=ago(1)))
        self.call("reopen_lead(%s, 7, 'x', 1)", lead_id)
        yield lead_id

    def void_lead_closing(self, before, after, reminded):
        """Closed by mistake 40 days ago, and reopened with all of that time counted."""
        yield (lead_id := self.lead(before, reminded))
        query = "SELECT user_id, policy_id, created_at FROM lead_protection.leads WHERE id = %s"
        user_id, policy_id, created_at = self.db.execute(query, (lead_id,)).fetchone()
        closed = ago(40 - (before - after)), user_id, policy_id, created_at, ago(40)
        insert_history(self.db, lead_id, [closed])
        self.call("void_lead_closing(%s, 7, 'x', 1)", lead_id)
        yield lead_id

    def void_closing_of_closed_lead(self, before, after, reminded):
        yield (lead_id := self.lead(after, reminded, closed_at=ago(1)))
        self.call("void_lead_closing(%s, 7, 'x', 1)", lead_id)
        yield lead_id

    def open_as_row(self, before, after, reminded):
        yield (lead_id := self.lead(after, reminded, closed_at=ago(1)))
        self.update(lead_id, closed_at=None)
        yield lead_id

    def open_hold_released(self, before, after, reminded):
        """An open hold of two days, begun in GRACE, is released: it moved the reminder past the one that was sent."""
        lead_id = self.lead(66, 5)
        self.call("create_lead_hold(%s, 7, 'x', 1, %s)", lead_id, ago(2))
        yield lead_id
        self.call("release_lead_hold(%s, 7, 1)", lead_id)
        yield lead_id

    def open_hold_released_near_midnight(self, before, after, reminded):
        """An hour on hold moves the expiry past midnight, and the reminder, due at midnight, by a day: it is noon."""
        hours = 12 - datetime.now(UTC).hour
        zone = f"Etc/GMT{-hours:+d}" if hours else "UTC"
        noon = self.idle(60, time_zone=zone, reminder_time="00:00")
        half_past_eleven = datetime.now(UTC).replace(minute=30) + timedelta(hours=11)
        lead_id = self.lead(0, policy_id=noon)
        self.update(lead_id, created_at=half_past_eleven - timedelta(days=60))
        if reminded is not None:
            self.reminded(lead_id, 0.1)
        self.call("create_lead_hold(%s, 7, 'x', 1, now() - INTERVAL '1 hour')", lead_id)
        yield lead_id
        self.call("release_lead_hold(%s, 7, 1)", lead_id)
        yield lead_id

    # On hold or not.

    def hold(self, lead_id: int) -> int:
        """An open hold since yesterday."""
        self.call("create_lead_hold(%s, 7, 'x', 1, %s)", lead_id, ago(1))
        return lead_id

    def hold_made(self):
        yield (lead_id := self.lead(10))
        yield self.hold(lead_id)

    def hold_ended_by(self, call, *arguments):
        yield (lead_id := self.hold(self.lead(10)))
        self.call(call, lead_id, *arguments)
        yield lead_id

    def hold_outrun_by_a_correction(self):
        lead_id = self.lead(100)
        self.call("record_lead_activity(%s, 7, 'QUALIFIED_CALL', %s, 'k', 1)", lead_id, ago(10))
        yield self.hold(lead_id)
        self.call("correct_lead_activity(%s, 'k', 'EMAIL_SENT', %s, 'x', 1)", lead_id, ago(10))
        yield lead_id

    def hold_outrun_by_a_deletion(self):
        lead_id = self.lead(100)
        self.call("record_lead_activity(%s, 7, 'QUALIFIED_CALL', %s, 'k', 1)", lead_id, ago(10))
        yield self.hold(lead_id)
        self.call("delete_lead_activity(%s, 'k', 'x', 1)", lead_id)
        yield lead_id

    def hold_outrun_by_a_move(self):
        yield (lead_id := self.hold(self.lead(50)))
        self.call("move_leads_to_policy(%s, %s, 'x', 1)", [lead_id], self.idle(20))
        yield lead_id

    def hold_outrun_by_an_update(self):
        yield (lead_id := self.hold(self.lead(50)))
        self.update(lead_id, created_at=ago(90))
        yield lead_id

    def hold_in_force_voided(self):
        lead_id, hold_id = self.held(10, ago(1), ago(-5))
        yield lead_id
        self.call("void_lead_hold(%s, 1, 'x', 1)", hold_id)
        yield lead_id

    def hold_in_force_shortened(self):
        lead_id, hold_id = self.held(10, ago(1), ago(-5))
        yield lead_id
        self.call("correct_lead_hold(%s, 1, %s, %s, 'x', 1)", hold_id, ago(1), ago(0.5))
        yield lead_id

    def past_hold_opened_again(self):
        lead_id, hold_id = self.held(10, ago(5), ago(2))
        yield lead_id
        self.call("correct_lead_hold(%s, 1, %s, NULL, 'x', 1)", hold_id, ago(5))
        yield lead_id

    def hold_reached_by_an_activity(self):
        lead_id = self.hold(self.lead(50))
        self.update(lead_id, created_at=ago(90))
        yield lead_id
        self.call("record_lead_activity(%s, 7, 'QUALIFIED_CALL', %s, 'k', 1)", lead_id, ago(10))
        yield lead_id

    def hold_reached_by_a_correction(self):
        lead_id = self.hold(self.lead(50))
        self.update(lead_id, created_at=ago(90))
        self.call("record_lead_activity(%s, 7, 'EMAIL_SENT', %s, 'k', 1)", lead_id, ago(10))
        yield lead_id
        self.call("correct_lead_activity(%s, 'k', 'QUALIFIED_CALL', %s, 'x', 1)", lead_id, ago(10))
        yield lead_id

    def hold_reached_by_an_update(self):
        lead_id = self.hold(self.lead(50))
        self.update(lead_id, created_at=ago(90))
        yield lead_id
        self.update(lead_id, created_at=ago(50))
        yield lead_id

    def hold_reached_by_reopening(self):
        lead_id = self.lead(10, closed_at=ago(1))
        insert_holds(self.db, lead_id, [(ago(2), ago(-2))])
        yield lead_id
        self.call("reopen_lead(%s, 7, 'x', 1)", lead_id)
        yield lead_id

    def hold_reached_by_a_voided_closing(self):
        lead_id = self.lead(10, closed_at=ago(1))
        insert_holds(self.db, lead_id, [(ago(2), ago(-2))])
        yield lead_id
        self.call("void_lead_closing(%s, 7, 'x', 1)", lead_id)
        yield lead_id


def scenarios() -> dict[tuple[str, str, str], tuple]:
    """For each transition, the scenario that makes it and its arguments; those of time are apart."""
    made: dict[tuple[str, str, str], tuple] = {}
    for cause, pairs in {
        "correct_lead_activity": set(MOVES),
        "correct_lead_hold": set(MOVES),
        "UPDATE": set(MOVES),
        "move_leads_to_policy": set(MOVES) - FROM_EXPIRED,
        "delete_lead_activity": EARLIER,
        "void_lead_hold": EARLIER,
        "backdate_lead": EARLIER,
        "record_lead_activity": LATER,
        "extend_lead": LATER - FROM_EXPIRED,
        "create_lead_hold": LATER - FROM_EXPIRED,
        "void_lead_closing": LATER,
        "release_lead_hold": {pair for pair in EARLIER if pair[1] != "EXPIRED"},
        "transfer_lead": {pair for pair in LATER if pair[1] == "PROTECTED"},
        "pipeline": {("REMINDER_DUE", "GRACE")},
    }.items():
        made |= {(*pair, cause): (cause, *MOVES[pair]) for pair in pairs}
    made["GRACE", "REMINDER_DUE", "release_lead_hold"] = ("open_hold_released", None, None, None)
    for state, reminded in (("REMINDER_DUE", None), ("GRACE", 0.1)):
        near_midnight = ("open_hold_released_near_midnight", None, None, reminded)
        made[state, "PROTECTED", "release_lead_hold"] = near_midnight
    for state, (days, reminded) in STANDS.items():
        for cause, scenario in (("give_back_lead",) * 2, ("UPDATE", "free_as_row")):
            made[state, "FREE", cause] = (scenario, days, None, reminded)
        for cause, scenario in (("close_lead",) * 2, ("delete_lead",) * 2, ("UPDATE", "close_as_row")):
            made[state, "CLOSED", cause] = (scenario, days, None, reminded)
        for cause, scenario in (
            ("reopen_lead",) * 2,
            ("void_lead_closing", "void_closing_of_closed_lead"),
            ("UPDATE", "open_as_row"),
        ):
            made["CLOSED", state, cause] = (scenario, None, days, reminded)
    made["FREE", "PROTECTED", "transfer_lead"] = ("free_lead", "transfer_lead(%s, NULL, 8, 'x', 1)")
    made["FREE", "CLOSED", "close_lead"] = ("free_lead", "close_lead(%s, NULL, 'LOST', 'x', 1)")
    made["FREE", "CLOSED", "delete_lead"] = ("free_lead", "delete_lead(%s, NULL, 'x', 1)")
    made["FREE", "PROTECTED", "UPDATE"] = ("free_lead_given_as_row",)
    made["FREE", "CLOSED", "UPDATE"] = ("free_lead_closed_as_row",)
    made["CLOSED", "FREE", "reopen_lead"] = ("closed_free_lead_reopened",)
    made["CLOSED", "FREE", "UPDATE"] = ("closed_free_lead_opened_as_row",)
    made["running", "on_hold", "create_lead_hold"] = ("hold_made",)
    for cause, arguments in {
        "record_lead_activity": ("hold_reached_by_an_activity",),
        "correct_lead_activity": ("hold_reached_by_a_correction",),
        "correct_lead_hold": ("past_hold_opened_again",),
        "reopen_lead": ("hold_reached_by_reopening",),
        "void_lead_closing": ("hold_reached_by_a_voided_closing",),
        "UPDATE": ("hold_reached_by_an_update",),
    }.items():
        made["running", "on_hold", cause] = arguments
    ended: dict[str, tuple] = {
        "release_lead_hold": ("hold_ended_by", "release_lead_hold(%s, 7, 1)"),
        "transfer_lead": ("hold_ended_by", "transfer_lead(%s, 7, 8, 'x', 1)"),
        "give_back_lead": ("hold_ended_by", "give_back_lead(%s, 7, 'x', 1)"),
        "close_lead": ("hold_ended_by", "close_lead(%s, 7, 'LOST', 'x', 1)"),
        "delete_lead": ("hold_ended_by", "delete_lead(%s, 7, 'x', 1)"),
        "backdate_lead": ("hold_ended_by", "backdate_lead(%s, 7, %s, 'x', 'x', 1)", ago(90)),
        "delete_lead_activity": ("hold_outrun_by_a_deletion",),
        "correct_lead_activity": ("hold_outrun_by_a_correction",),
        "correct_lead_hold": ("hold_in_force_shortened",),
        "void_lead_hold": ("hold_in_force_voided",),
        "move_leads_to_policy": ("hold_outrun_by_a_move",),
        "UPDATE": ("hold_outrun_by_an_update",),
    }
    for cause, arguments in ended.items():
        made["on_hold", "running", cause] = arguments
    return made


def test_the_diagram_has_the_transitions_that_are_made_below():
    of_time = {("PROTECTED", "REMINDER_DUE"), ("PROTECTED", "GRACE"), ("REMINDER_DUE", "EXPIRED"), ("GRACE", "EXPIRED")}
    of_time |= {("running", "on_hold"), ("on_hold", "running")}
    of_inserts = {
        ("[*]", state, "INSERT") for state in ("PROTECTED", "REMINDER_DUE", "EXPIRED", "CLOSED", "FREE", "running")
    }
    made = set(scenarios()) | {(*pair, "time") for pair in of_time} | of_inserts
    assert named(diagram()) == named(made)


def test_each_transition_of_a_function_is_made_by_it(db):
    world = Scenarios(db)
    missed = []
    for edge, (scenario, *arguments) in scenarios().items():
        looks = [look(db, [lead_id])[lead_id] for lead_id in getattr(world, scenario)(*arguments)]
        before, after = looks
        seen = transitions(before, after, edge[2])
        if edge not in seen or not seen <= diagram():
            missed.append((named([edge]), named(seen), looks))
        one_answer(db, [looks[0]["lead_id"]])
    assert missed == []


def test_a_new_lead_is_where_its_start_puts_it(db):
    world = Scenarios(db)
    ids = [world.lead(days) for days in (0, 65, 75)]
    ids += [world.lead(10, closed_at=ago(1)), world.lead(75, user_id=None)]
    states = [row["state"] for row in look(db, ids).values()]
    assert states == ["PROTECTED", "REMINDER_DUE", "EXPIRED", "CLOSED", "FREE"]


def test_time_alone_leads_to_the_reminder_and_to_the_end(db):
    lead_id = Scenarios(db).lead(50)
    looks = over_time(db, lead_id)
    assert transitions_of_time(looks) == {
        ("PROTECTED", "REMINDER_DUE", "time"),
        ("REMINDER_DUE", "EXPIRED", "time"),
    }


def test_after_the_reminder_time_leads_to_the_end(db):
    lead_id = Scenarios(db).lead(65)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert transitions_of_time(over_time(db, lead_id)) == {("GRACE", "EXPIRED", "time")}


def test_time_leads_to_grace_where_a_new_policy_moved_the_reminder_of_the_window(db):
    world = Scenarios(db)
    lead_id = world.lead(61.5)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    few_grace_days = short_policy(db, "few", rule="parallel", base_months=60, extension_days=67, grace_days=3)
    world.call("move_leads_to_policy(%s, %s, 'x', 1)", [lead_id], few_grace_days)
    assert transitions_of_time(over_time(db, lead_id)) == {
        ("PROTECTED", "GRACE", "time"),
        ("GRACE", "EXPIRED", "time"),
    }


def test_time_begins_and_ends_a_planned_hold(db):
    world = Scenarios(db)
    lead_id = world.lead(50)
    world.call("create_lead_hold(%s, 7, 'x', 1, %s, %s)", lead_id, ago(-5), ago(-25))
    looks = over_time(db, lead_id)
    assert {("running", "on_hold", "time"), ("on_hold", "running", "time")} <= transitions_of_time(looks)
    assert transitions_of_time(looks) <= diagram()


def test_who_must_be_reminded_does_not_lose_the_lead_to_time(db):
    world = Scenarios(db)
    lead_id = world.lead(65, policy_id=world.idle(60, notice_required=True))
    assert transitions_of_time(over_time(db, lead_id)) == set()
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert transitions_of_time(over_time(db, lead_id)) == {("GRACE", "EXPIRED", "time")}
