"""Random sequences of calls, checked after each."""

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import ClassVar

import psycopg
import pytest

from helpers.calls import rows
from helpers.facts import ago, insert_lead
from helpers.jobs import call_pipeline
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
from helpers.project import FAST, cases, seed

# --- The diagram -----------------------------------------------------------------------------------------------------
# --- Looking ---------------------------------------------------------------------------------------------------------


FACTS = {
    "leads": "id",
    "lead_history": "lead_id",
    "lead_holds": "lead_id",
    "lead_activities": "lead_id",
    "lead_extensions": "lead_id",
    "lead_reminders": "lead_id",
    "lead_expiries": "lead_id",
    "lead_clocks": "lead_id",
    "protection_log": "lead_id",
}


def written_about(db, lead_ids: list[int]) -> list[tuple]:
    """All that is written about the leads, to see whether anything was."""
    selects = [
        f"SELECT '{table}', t::text FROM lead_protection.{table} AS t WHERE t.{key} = ANY(%(ids)s)"
        for table, key in FACTS.items()
    ]
    selects += [
        "SELECT 'outbox_events', t::text FROM lead_protection.outbox_events AS t"
        " WHERE t.aggregateid = ANY(%(ids)s::bigint[]::text[])",
        "SELECT 'protection_policies', t::text FROM lead_protection.protection_policies AS t",
    ]
    return sorted(db.execute(" UNION ALL ".join(selects), {"ids": lead_ids}).fetchall())


# --- Random sequences ------------------------------------------------------------------------------------------------


# What a call may refuse. An UPDATE of a row may also break a constraint of the table.
DOCUMENTED = {f"LP{number:03}" for number in (*range(1, 11), *range(19, 29), *range(33, 37), 64)}

EVENTS = {
    "create_lead_hold": "lead.hold.created",
    "release_lead_hold": "lead.hold.released",
    "correct_lead_hold": "lead.hold.corrected",
    "void_lead_hold": "lead.hold.voided",
    "transfer_lead": "lead.protection.transferred",
    "give_back_lead": "lead.protection.given_back",
    "extend_lead": "lead.protection.extended",
    "backdate_lead": "lead.protection.backdated",
    "close_lead": "lead.closed",
    "reopen_lead": "lead.reopened",
    "delete_lead": "lead.deleted",
    "move_leads_to_policy": "lead.protection.moved",
    "record_lead_activity": "lead.activity.recorded",
    "correct_lead_activity": "lead.activity.corrected",
    "delete_lead_activity": "lead.activity.deleted",
    "UPDATE": "lead.changed",
}

ENDING_HOLDS = {"release_lead_hold", "transfer_lead", "give_back_lead", "close_lead", "reopen_lead", "delete_lead"}

RUNS, STEPS = cases(25, usual=3, fast=2), 40
# Until each kind of call has succeeded once: so many runs are enough, whatever the seed.
MOST_RUNS = 60

# How far an expiry that moves with time may have moved between two looks.
A_WHILE = timedelta(seconds=30)

# Each stands for what is drawn: mostly what is good, now and then what is not.
REASONS = ["because"] * 20 + [" \t", None, "x" * 256]

KINDS = ["QUALIFIED_CALL", "SAMPLE_FEEDBACK"] * 4 + ["EMAIL_SENT", "EMAIL_SENT", "NO_SUCH_KIND"]

KEYS = ["a", "b", "c"]

AGES = [0, 5, 18, 22, 28, 40, 48, 53, 58, 61, 65, 70, 100]


def same(seen: datetime | None, told: datetime | None, moves: bool) -> bool:
    """Whether two looks at an instant tell the same, allowing for the time between them if it moves with time."""
    if seen is None or told is None or not moves:
        return seen == told
    return abs(seen - told) <= A_WHILE


class Calls:
    """Calls of the API on two leads, good and bad, in any order; every call is checked."""

    def __init__(self, db, number: int):
        self.db, self.chance = db, random.Random(f"{seed()} {number}")
        self.leads = [2 * number + 1, 2 * number + 2]
        self.edges = diagram()
        self.history: list[tuple] = []
        self.done: Counter[str] = Counter()
        self.policies = [
            short_policy(db, "sequential"),
            short_policy(db, "parallel", rule="parallel", base_months=3),
            short_policy(db, "noticed", notice_required=True),
            short_policy(db, "both", rule="parallel", base_months=3, notice_required=True, time_zone="Europe/Berlin"),
            short_policy(db, "few", base_months=2, extension_days=1, grace_days=3, extension_limit_days=5),
        ]
        # Leads that began some time ago, and the pipeline ran some times since.
        for lead_id in self.leads:
            insert_lead(db, lead_id, ago(self.draw(AGES)), policy_id=self.draw(self.policies))
        for days in self.draw([[], [], [5], [30, 12, 2]]):
            call_pipeline(db, ago(days))
        self.shown, self.written, self.logged = self.now()

    def run(self, steps: int) -> None:
        """So many steps; one that fails tells all that went before."""
        kinds = [kind for kind, weight in self.WEIGHTS.items() for _ in range(weight)]
        try:
            for _ in range(steps):
                getattr(self, self.draw(kinds))()
            self.let_time_pass()
        except BaseException as error:
            error.add_note("\n".join(map(str, self.history)))
            raise

    def draw(self, choices):
        """One of them."""
        return self.chance.choice(choices)

    def lead(self) -> int:
        """One of the leads."""
        return self.draw(self.leads)

    def protected(self) -> tuple[int, int | None]:
        """A lead and its user, None if it is nobody's; now and then another's."""
        lead_id = self.lead()
        return lead_id, self.draw([self.shown[lead_id]["user_id"]] * 12 + [7, 8, None])

    def now(self) -> tuple[dict, list, list]:
        """What the leads show, all that is written about them, and their log."""
        return look(self.db, self.leads), written_about(self.db, self.leads), self.log()

    def log(self) -> list[dict]:
        """The log rows of the leads, in order."""
        query = "SELECT * FROM lead_protection.protection_log WHERE lead_id = ANY(%s) ORDER BY recorded_at, event_id"
        return rows(self.db, query, [self.leads])

    def moves(self, lead_id: int, shown: dict) -> bool:
        """Whether the expiry that is shown moves with time: an open hold stands, or a reminder is owed."""
        return self.db.execute(
            "SELECT %s AND EXISTS (SELECT FROM lead_protection.lead_holds WHERE lead_id = %s AND end_at IS NULL)"
            " OR %s = 'REMINDER_DUE' AND notice_required FROM lead_protection.protection_policies WHERE id = %s",
            (shown["on_hold"], lead_id, shown["state"], shown["policy_id"]),
        ).fetchone()[0]

    def call(self, cause: str, function: str, *arguments) -> str | list[dict]:
        """Make one call, check all that it did, and return its SQLSTATE or its answer.

        function: as in SELECT * FROM …, or an UPDATE.
        """
        before, written, logged = self.shown, self.written, {row["event_id"] for row in self.logged}
        moving = {lead_id: self.moves(lead_id, row) for lead_id, row in before.items()}
        statement = f"{function} RETURNING id" if cause == "UPDATE" else f"SELECT * FROM lead_protection.{function}"
        self.history.append((function, *arguments))
        try:
            answers = rows(self.db, statement, arguments)
        except psycopg.Error as refused:
            allowed = DOCUMENTED | ({"23514"} if cause == "UPDATE" else set())
            assert refused.sqlstate in allowed, refused
            assert refused.diag.message_detail and (refused.diag.message_hint or cause == "UPDATE")
            assert written_about(self.db, self.leads) == written
            return refused.sqlstate
        self.shown, self.written, self.logged = self.now()
        added = [row for row in self.logged if row["event_id"] not in logged]
        # An activity that changes no clock is written, and not logged; nothing else is silent.
        if cause.startswith("dry run"):
            assert self.written == written
        elif not added and not (cause == "record_lead_activity" and self.did(answers[0])):
            assert self.written == written
            assert cause == "UPDATE" or not any(self.did(answer) for answer in answers)
        for lead_id in self.leads:
            self.check_lead(
                cause,
                lead_id,
                before[lead_id],
                self.shown[lead_id],
                moving[lead_id] or self.moves(lead_id, self.shown[lead_id]),
                [row for row in added if row["lead_id"] == lead_id],
                [answer for answer in answers if cause != "UPDATE" and answer["lead_id"] == lead_id],
            )
        if self.written != written:
            self.done[cause] += 1
            self.check_everything()
        return answers

    @staticmethod
    def did(answer: dict) -> bool:
        """Whether the call says that it did something."""
        return answer["created"] or answer["released"] if "released" in answer else answer["changed"]

    def check_lead(self, cause, lead_id, before, after, moves, added, answers):
        """What a call did to one lead, what it says that it did, and what it logged."""
        what = (cause, lead_id, before, after, added, answers)
        if not cause.startswith("dry run") and answers:
            assert any(self.did(answer) for answer in answers) or not added, what
        made = transitions(before, after, cause)
        assert made <= self.edges, named(made - self.edges)

        # An expiry that no run of the pipeline had seen yet is recorded before the lead changes.
        if cause in EVENTS and [row["event_type"] for row in added[:1]] == ["lead.protection.expired"]:
            recorded, added = added[:1], added[1:]
            assert (before["state"], recorded[0]["state_after"], bool(added)) == ("EXPIRED", "EXPIRED", True), what
            assert recorded[0]["expires_after"] == before["protection_expires_at"], what
            assert recorded[0]["user_id"] == before["user_id"] and recorded[0]["actor_id"] is None, what

        # One row for the call, and one for each hold that it ended.
        types = [row["event_type"] for row in added]
        ended = types.count("lead.hold.released") if cause in ENDING_HOLDS else 0
        assert types.count(EVENTS.get(cause)) == (len(types) if cause == "release_lead_hold" else len(types) - ended)
        assert len(types) - ended <= (0 if cause == "release_lead_hold" else 1), what
        if not added:
            assert before["state"] == after["state"] and before["on_hold"] == after["on_hold"], what
            assert same(before["protection_expires_at"], after["protection_expires_at"], moves), what
            assert before["reminder_due_at"] == after["reminder_due_at"], what
            return

        # The rows lead, each from where the last one ended, from what was seen before to what is seen after.
        state, expires_at = before["state"], before["protection_expires_at"]
        for row in added:
            assert row["state_before"] == state, what
            assert same(row["expires_before"], expires_at, moves and row is added[0]), what
            state, expires_at = row["state_after"], row["expires_after"]
        assert state == after["state"] and same(expires_at, after["protection_expires_at"], moves), what
        assert {row["user_id"] for row in added} <= {before["user_id"], after["user_id"]}, what
        if cause != "UPDATE":
            assert {row["actor_id"] for row in added} == {5}, what

        # The answer is what is seen.
        for answer in answers:
            assert self.did(answer), what
            assert answer["decided_at"] == added[-1]["occurred_at"], what
            for end, shown in (("before", before), ("after", after)):
                assert (answer[f"state_{end}"], answer[f"on_hold_{end}"]) == (shown["state"], shown["on_hold"]), what
                assert same(answer[f"expires_{end}"], shown["protection_expires_at"], moves), what
                assert answer[f"reminder_due_{end}"] == shown["reminder_due_at"], what

    def check_everything(self):
        """What must be so at any time."""
        one_answer(self.db, self.leads)
        twice = (
            "SELECT lead_id, user_id, count(*) FROM lead_protection.lead_holds"
            " WHERE end_at IS NULL AND voided_at IS NULL AND lead_id = ANY(%s) GROUP BY 1, 2 HAVING count(*) > 1"
        )
        assert rows(self.db, twice, [self.leads]) == []
        log = self.logged
        windows = [
            (row["lead_id"], row["user_id"], row["details"]["window_date"])
            for row in log
            if row["event_type"] == "lead.protection.reminder"
        ]
        assert len(windows) == len(set(windows)), windows
        ledger = rows(self.db, "SELECT * FROM lead_protection.lead_reminders WHERE lead_id = ANY(%s)", [self.leads])
        assert sorted((r["lead_id"], r["user_id"], str(r["window_date"])) for r in ledger) == sorted(windows)
        published = rows(
            self.db,
            "SELECT id, type, payload FROM lead_protection.outbox_events WHERE aggregateid = ANY(%s)",
            [[str(lead_id) for lead_id in self.leads]],
        )
        told = {event["id"]: (event["type"], event["payload"].get("state")) for event in published}
        assert told == {row["event_id"]: (row["event_type"], row["state_after"]) for row in log}

    def as_foreseen(self, dry: str | list[dict], done: str | list[dict]) -> None:
        """A dry run answers as doing it did, or refuses as that did."""
        if isinstance(dry, str) or isinstance(done, str):
            assert dry == done
            return
        shown = self.shown
        assert len(dry) == len(done) and all(answer["lead_id"] for answer in dry)
        for foreseen, answer in zip(dry, done, strict=True):
            now = shown[foreseen["lead_id"]]
            assert self.did(foreseen) == self.did(answer)
            assert (foreseen["state_after"], foreseen["on_hold_after"]) == (now["state"], now["on_hold"])
            assert foreseen["reminder_due_after"] == now["reminder_due_at"]
            # A hold from now to a given end is shorter by the time between the two calls.
            assert same(foreseen["expires_after"], now["protection_expires_at"], moves=True)

    WEIGHTS: ClassVar = {
        "create_lead_hold": 4,
        "release_lead_hold": 3,
        "correct_lead_hold": 3,
        "void_lead_hold": 1,
        "record_lead_activity": 4,
        "correct_lead_activity": 2,
        "delete_lead_activity": 2,
        "transfer_lead": 2,
        "give_back_lead": 1,
        "extend_lead": 2,
        "backdate_lead": 2,
        "close_lead": 1,
        "reopen_lead": 3,
        "move_leads_to_policy": 2,
        "update": 3,
        "refused": 1,
        "pipeline": 4,
    }

    def create_lead_hold(self):
        lead_id, user_id = self.protected()
        start_at = self.draw([None, None, ago(self.chance.randint(-40, 25))])
        length = self.draw([None, None, None, 0, 1, 3, 10, 30])
        end_at = None if length is None else (start_at or ago(0)) + timedelta(days=length)
        reason = self.draw(REASONS)
        create = "create_lead_hold(%s, %s, %s, 5, %s, %s, %s)"
        arguments = lead_id, user_id, reason, start_at, end_at
        dry = self.call("dry run of create_lead_hold", create, *arguments, True)
        self.as_foreseen(dry, self.call("create_lead_hold", create, *arguments, False))

    def release_lead_hold(self):
        self.call("release_lead_hold", "release_lead_hold(%s, %s, 5)", *self.protected())

    def hold(self) -> tuple[int, int]:
        """A hold of one of the leads and its version; now and then none, or another version."""
        query = "SELECT id, version FROM lead_protection.lead_holds WHERE lead_id = ANY(%s) ORDER BY id"
        found = rows(self.db, query, [self.leads]) or [{"id": -1, "version": 1}]
        hold = self.draw(found)
        return hold["id"], hold["version"] + self.draw([0] * 9 + [1])

    def correct_lead_hold(self):
        start_at, length = ago(self.chance.randint(-5, 60)), self.draw([None, 0, 1, 10, 30, 50])
        end_at = None if length is None else start_at + timedelta(days=length)
        correct, arguments = "correct_lead_hold(%s, %s, %s, %s, %s, 5, %s)", (*self.hold(), start_at, end_at)
        reason = self.draw(REASONS)
        dry = self.call("dry run of correct_lead_hold", correct, *arguments, reason, True)
        self.as_foreseen(dry, self.call("correct_lead_hold", correct, *arguments, reason, False))

    def void_lead_hold(self):
        void, arguments = "void_lead_hold(%s, %s, %s, 5, %s)", (*self.hold(), self.draw(REASONS))
        dry = self.call("dry run of void_lead_hold", void, *arguments, True)
        self.as_foreseen(dry, self.call("void_lead_hold", void, *arguments, False))

    def record_lead_activity(self):
        lead_id, user_id = self.protected()
        record = "record_lead_activity(%s, %s, %s, %s, %s, 5)"
        occurred_at = ago(self.chance.randint(-1, 40))
        self.call("record_lead_activity", record, lead_id, user_id, self.draw(KINDS), occurred_at, self.draw(KEYS))

    def correct_lead_activity(self):
        correct = "correct_lead_activity(%s, %s, %s, %s, %s, 5)"
        occurred_at = ago(self.chance.randint(-1, 60))
        arguments = self.lead(), self.draw(KEYS), self.draw(KINDS), occurred_at, self.draw(REASONS)
        self.call("correct_lead_activity", correct, *arguments)

    def delete_lead_activity(self):
        delete = "delete_lead_activity(%s, %s, %s, 5)"
        self.call("delete_lead_activity", delete, self.lead(), self.draw(KEYS), self.draw(REASONS))

    def transfer_lead(self):
        transfer = "transfer_lead(%s, %s, %s, %s, 5)"
        self.call("transfer_lead", transfer, *self.protected(), self.draw([7, 8, 9, None]), self.draw(REASONS))

    def give_back_lead(self):
        self.call("give_back_lead", "give_back_lead(%s, %s, %s, 5)", *self.protected(), self.draw(REASONS))

    def extend_lead(self):
        lead_id, user_id = self.protected()
        days, key, reason = self.draw([-1, 0, 1, 2, 4, 15, 40, 61]), self.draw(KEYS), self.draw(REASONS)
        extend = "extend_lead(%s, %s, %s, %s, 6, 5, %s, %s)"
        arguments = lead_id, user_id, days, reason, key
        dry = self.call("dry run of extend_lead", extend, *arguments, True)
        self.as_foreseen(dry, self.call("extend_lead", extend, *arguments, False))

    def backdate_lead(self):
        lead_id, user_id = self.protected()
        start_at = self.shown[lead_id]["created_at"] - timedelta(days=self.draw([-1, 0, 1, 3, 10, 25]))
        backdate = "backdate_lead(%s, %s, %s, %s, 'file 12', 5)"
        self.call("backdate_lead", backdate, lead_id, user_id, start_at, self.draw(REASONS))

    def close_lead(self):
        if self.chance.random() < 0.3:
            # Seldom: it is for good.
            self.call("delete_lead", "delete_lead(%s, %s, %s, 5)", *self.protected(), self.draw(REASONS))
            return
        outcome = self.draw(["CONVERTED", "LOST", "SOLD"])
        self.call("close_lead", "close_lead(%s, %s, %s, %s, 5)", *self.protected(), outcome, self.draw(REASONS))

    def reopen_lead(self):
        self.call("reopen_lead", "reopen_lead(%s, %s, %s, 5)", *self.protected(), self.draw(REASONS))

    def move_leads_to_policy(self):
        some = self.chance.sample(self.leads, self.draw([0, 1, 1, 1, 2]))
        policy_id, reason = self.draw([*self.policies * 3, -1]), self.draw(REASONS)
        move = "move_leads_to_policy(%s, %s, %s, 5, %s)"
        dry = self.call("dry run of move_leads_to_policy", move, some, policy_id, reason, True)
        self.as_foreseen(dry, self.call("move_leads_to_policy", move, some, policy_id, reason, False))

    def update(self):
        change, value = self.draw(
            [
                ("created_at = %s", ago(self.draw([-1, *AGES]))),
                ("closed_at = %s", ago(self.draw([-1, 0, 1, 30]))),
                ("closed_at = %s", None),
                ("policy_id = %s", self.draw(self.policies)),
                ("user_id = %s", self.draw([None, 7, 8])),
            ]
        )
        self.call("UPDATE", f"UPDATE lead_protection.leads SET {change} WHERE id = %s", value, self.lead())

    def refused(self):
        """A lead that there is not, or null: for any function of a lead and a user."""
        function = self.draw(
            [
                "create_lead_hold(%s, %s, 'x', 5)",
                "release_lead_hold(%s, %s, 5)",
                "transfer_lead(%s, %s, 8, 'x', 5)",
                "give_back_lead(%s, %s, 'x', 5)",
                "extend_lead(%s, %s, 3, 'x', 5, 5, 'k')",
                "backdate_lead(%s, %s, '2020-01-01', 'x', 'x', 5)",
                "close_lead(%s, %s, 'LOST', 'x', 5)",
                "reopen_lead(%s, %s, 'x', 5)",
                "delete_lead(%s, %s, 'x', 5)",
                "record_lead_activity(%s, %s, 'QUALIFIED_CALL', '2020-01-01', 'k', 5)",
                "create_lead_hold(%s, %s, 'x', 5, dry_run => true)",
                "extend_lead(%s, %s, 1, 'x', 5, 5, 'k', dry_run => true)",
            ]
        )
        arguments = self.draw([(None, 7), (-1, 7), (-1, None)])
        self.history.append((function, *arguments))
        with pytest.raises(psycopg.Error) as refused:
            self.db.execute(f"SELECT lead_protection.{function}", arguments)
        # These take a user of null for nobody.
        for_nobody = function.startswith(("transfer_lead", "close_lead", "reopen_lead", "delete_lead"))
        is_null = arguments[0] is None or (arguments[1] is None and not for_nobody)
        assert refused.value.sqlstate == ("LP001" if is_null else "LP002")
        assert written_about(self.db, self.leads) == self.written

    def pipeline(self):
        before, logged = self.shown, {row["event_id"] for row in self.logged}
        self.history.append(("run_protection_pipeline()",))
        self.db.execute("CALL lead_protection.run_protection_pipeline()")
        written = self.written
        self.shown, self.written, self.logged = self.now()
        after = self.shown
        added = [row for row in self.logged if row["event_id"] not in logged]
        for lead_id in self.leads:
            assert transitions(before[lead_id], after[lead_id], "pipeline") <= self.edges
        for row in added:
            was, became = before[row["lead_id"]], after[row["lead_id"]]
            assert row["state_after"] in (became["state"], was["state"]), (was, became, row)
            if row["event_type"] == "lead.protection.reactivated":
                assert became["state"] not in ("EXPIRED", "CLOSED"), (was, became, row)
                continue
            assert row["event_type"] == "lead.protection.expired" or was["state"] == row["state_before"]
            assert not was["on_hold"] and not became["on_hold"], (was, became, row)
            expected = {"lead.protection.reminder": "GRACE", "lead.protection.expired": "EXPIRED"}
            assert became["state"] == expected[row["event_type"]] == row["state_after"], (was, became, row)
        # Nothing that is due is left.
        for row in after.values():
            assert row["on_hold"] or row["state"] != "REMINDER_DUE", row
            standing = "lead_expiries WHERE lead_id = %s AND user_id = %s AND reactivated_at IS NULL"
            recorded = bool(rows(self.db, f"SELECT FROM lead_protection.{standing}", [row["lead_id"], row["user_id"]]))
            assert row["state"] == "CLOSED" or recorded == (row["state"] == "EXPIRED"), row
        if self.written != written:
            self.done["pipeline"] += 1
            self.check_everything()
            self.db.execute("CALL lead_protection.run_protection_pipeline()")
            assert written_about(self.db, self.leads) == self.written

    def let_time_pass(self):
        """From now on nothing happens but time: the cache knows it, and so does the diagram."""
        for lead_id in self.leads:
            looks = over_time(self.db, lead_id)
            made = transitions_of_time(looks)
            assert made <= self.edges, (named(made - self.edges), looks)
            cached = rows(
                self.db,
                "SELECT i.instant, s.protection_expires_at, s.state, s.on_hold, s.reminder_due_at"
                " FROM unnest(%s::timestamptz[]) AS i (instant)"
                " CROSS JOIN LATERAL lead_protection.user_lead_protection(i.instant) AS s"
                " WHERE s.lead_id = %s ORDER BY i.instant",
                [[row["instant"] for row in looks], lead_id],
            )
            assert cached == [{name: row[name] for name in cached[0]} for row in looks]


@pytest.mark.slow("hundreds of calls")
def test_random_calls(db):
    """A failure tells the calls that led to it, and comes again with the seed at the head of the run."""
    db.execute("SET TimeZone = 'America/New_York'")
    done: Counter[str] = Counter()
    wanted = set() if FAST else set(EVENTS) | {"pipeline"}
    for number in range(MOST_RUNS):
        if number >= RUNS and set(done) >= wanted:
            break
        calls = Calls(db, number)
        calls.run(STEPS)
        done += calls.done
    # A driver whose calls are all refused proves nothing. A fast run does not come to all of them.
    assert FAST or wanted == set(done), done
