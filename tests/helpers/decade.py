"""Years of days on a server whose clock is set: leads, calls, jobs, consumers, crashes and wrong clocks, by one seed.

What each call is answered is told to the ledgers of the model; after each run of a job the log, and now and then all
there is, must be what these say.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from helpers.calls import row, rows
from helpers.command_line import run_ok
from helpers.consumers_that_die import Consumer
from helpers.expected_ledgers import (
    EXPIRED,
    REACTIVATED,
    REMINDER,
    STANDARD,
    TERMS,
    WARNING,
    Entry,
    HoldRow,
    Ledgers,
    Story,
)
from helpers.facts import in_utc
from helpers.faked_clock import FakedServer
from helpers.model import Activity, Extension, Policy, Version
from helpers.pages import wrong_starts
from helpers.project import PROJECT
from helpers.worlds import KINDS

USERS = range(1, 13)
OF_JOBS = [REMINDER, WARNING, EXPIRED, REACTIVATED]
LOG = (
    "SELECT lead_id, user_id, event_type, occurred_at, state_after, details FROM lead_protection.protection_log"
    " WHERE event_type = ANY(%s) AND (%s::timestamptz IS NULL OR occurred_at = %s)"
)
TABLES = {
    "reminders": "SELECT lead_id, user_id, window_date, due_at, sent_at, reactivated_at"
    " FROM lead_protection.lead_reminders",
    "expiries": "SELECT lead_id, user_id, protection_expires_at, recorded_at, reactivated_at"
    " FROM lead_protection.lead_expiries",
    "warnings": "SELECT lead_id, user_id, window_date, days_before, audience, sent_at"
    " FROM lead_protection.lead_warnings",
}


class Difference(AssertionError):
    """The database is not what the model says."""


class Decade:
    """One history; the same seed is the same history."""

    def __init__(
        self,
        server: FakedServer,
        seed: int | str,
        start: datetime,
        *,
        leads_a_day: float,
        trouble: float = 1,
        release: Path = PROJECT,
    ):
        self.server, self.chance, self.now = server, random.Random(seed), start
        self.leads_a_day, self.trouble = leads_a_day, trouble
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.ledgers = Ledgers(TERMS)
        self.number = 0
        self.turns: Counter[str] = Counter()
        self.at(start)
        server.server.execute("CREATE DATABASE decade")
        self.url = server.server.url("decade")
        run_ok("apply", "--database", self.url, tree=release)
        self.connect()
        self.consumers = [Consumer(self, "crm"), Consumer(self, "mailer", mails=True)]
        self.users = dict.fromkeys(USERS, STANDARD)
        if release == PROJECT:
            self.make_terms()

    def make_terms(self) -> None:
        """All kinds of terms, and users who have them."""
        self.policies = {policy: self.make_policy(number, policy) for number, policy in enumerate(TERMS)}
        for user in USERS:
            self.users[user] = self.chance.choice(list(TERMS))
            self.call("assign_user_policy(%s, %s, 1)", user, self.policies[self.users[user]])

    def live_before(self, days: int) -> None:
        """So many days of a release, by what it had already; then the upgrade."""
        for number in range(days):
            midnight = self.now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            if midnight.weekday() != 6:
                self.at(midnight + timedelta(seconds=self.chance.randint(1, 30000)))
                lead_id, user = 10**6 + number, self.chance.choice(USERS)
                enter = "INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (%s, %s, now())"
                self.db.execute(enter, (lead_id, user))
                self.ledgers.stories[lead_id] = Story(lead_id, [Version(user, STANDARD, self.now)])
            for what in [*self.chance.choices(["hold", "release", "extend"], k=2), "run", "night"]:
                self.later(self.chance.randint(1, 10000))
                if self.ledgers.stories:
                    getattr(self, what)()
            for consumer in self.consumers:
                consumer.work()
        self.db.close()
        self.job.close()
        self.later()
        run_ok("apply", "--database", self.url)
        self.connect()
        self.done["upgrades"] += 1
        self.make_terms()
        self.compare_all()

    # --- Time, and sessions ------------------------------------------------------------------------------------------

    def at(self, moment: datetime) -> None:
        """Set the clock."""
        self.now = moment
        self.server.set(moment)

    def later(self, seconds: int = 1) -> None:
        """Go on a little."""
        self.at(self.now + timedelta(seconds=seconds))

    def connect(self) -> None:
        """The session of the application; its time zone must not matter."""
        zone = self.chance.choice(["America/New_York", "Australia/Lord_Howe", "UTC"])
        self.db = psycopg.connect(self.url, autocommit=True, options=f"-c TimeZone={zone}")
        self.job = psycopg.connect(self.url, autocommit=True)

    def crash(self, work: Callable[[], Any]) -> Any:
        """Kill the server while it works; what it was asked for is asked for once more, and answered."""
        self.done["crashes"] += 1
        killer = threading.Timer(self.chance.choice([0, 0.002, 0.01, 0.03]), self.server.kill)
        killer.start()
        with suppress(psycopg.OperationalError):
            work()
        killer.join()
        self.db.close()
        self.job.close()
        self.server.recover()
        self.connect()
        return work()

    def make_policy(self, number: int, policy: Policy) -> int:
        """Make terms through the API."""
        if policy == STANDARD:
            return row(self.db, "SELECT id FROM lead_protection.protection_policies WHERE is_default")["id"]
        terms = dict(vars(policy))
        calendar = terms.pop("calendar")
        if calendar is not None:
            newest = "SELECT max(id) AS id FROM lead_protection.calendars WHERE code = %s"
            terms["calendar_id"] = row(self.db, newest, calendar)["id"]
        terms["warnings"] = Jsonb([{"days_before": days, "audience": who} for days, who in TERMS[policy]])
        given = ", ".join(f"{name} => %({name})s" for name in terms)
        query = f"SELECT * FROM lead_protection.create_policy_version('terms {number}', 1, {given})"
        return self.db.cursor(row_factory=dict_row).execute(query, terms).fetchone()["policy_id"]

    # --- Calls -------------------------------------------------------------------------------------------------------

    def call(self, function: str, *arguments: Any) -> dict[str, Any]:
        """What a call answers; nothing, if it is refused."""
        try:
            found = rows(self.db, f"SELECT * FROM lead_protection.{function}", arguments)
        except psycopg.Error as refused:
            if not (refused.sqlstate or "").startswith("LP"):
                raise
            self.refused[refused.sqlstate or ""] += 1
            return {}
        name = function.split("(")[0]
        answer = found[0] if found else {}
        if any(answer.get(what) for what in ("changed", "created", "released", name)):
            self.done[name] += 1
        return answer

    def some(self, *, held: bool = False) -> Story:
        """A lead, rather one that is young; or rather one that has holds."""
        leads = list(self.ledgers.stories)
        if held:
            young = (self.ledgers.stories[lead_id] for lead_id in leads[-150:])
            if found := [story for story in young if any(not hold.released for hold in story.holds)]:
                return self.chance.choice(found)
        return self.ledgers.stories[self.chance.choice(leads if self.chance.random() < 0.1 else leads[-150:])]

    def key(self) -> str:
        """A key that was never given."""
        self.number += 1
        return f"key {self.number}"

    def ago(self, days: float) -> datetime:
        """An instant some days ago, at most; in whole seconds, or on the very second of the present day."""
        span = int(days * 86400)
        return self.now - timedelta(seconds=self.chance.choice([self.chance.randint(0, span), span]))

    def enter(self) -> None:
        """A lead comes in."""
        user = self.chance.choice(USERS)
        started_at = self.chance.choice([None, None, self.ago(40), self.ago(100)])
        policy = self.chance.choice([None, None, self.chance.choice(list(TERMS))])
        answer = self.call(
            "protect_lead(%s, 1, %s, %s, NULL, %s)", user, self.key(), started_at, policy and self.policies[policy]
        )
        version = Version(user, policy or self.users[user], started_at or self.now)
        self.ledgers.stories[answer["lead_id"]] = Story(answer["lead_id"], [version])

    def hold(self) -> None:
        """A hold, open or with an end, from now, from a day that has passed or from one to come."""
        story = self.some()
        start = self.chance.choice([None, None, self.ago(10), self.now + timedelta(hours=self.chance.randint(1, 300))])
        end = self.chance.choice([None, (start or self.now) + timedelta(hours=self.chance.choice([3, 24, 100, 700]))])
        create = "create_lead_hold(%s, %s, 'because', 1, %s, %s)"
        arguments = story.lead_id, story.now.user_id, start, end

        def work() -> dict[str, Any]:
            return self.call(create, *arguments)

        crashes = start is None and end is None and self.chance.random() < 0.005 * self.trouble
        holds = "SELECT count(*) AS n FROM lead_protection.lead_holds"
        before = row(self.db, holds)["n"] if crashes else 0
        answer = self.crash(work) if crashes else work()
        if answer.get("created") or (crashes and row(self.db, holds)["n"] > before):
            self.ledgers.changed(story.lead_id).holds.append(
                HoldRow(answer["hold_id"], answer["user_id"], start or self.now, end)
            )

    def release(self) -> None:
        """What stops the clock now ends."""
        story = self.some(held=True)
        if self.call("release_lead_hold(%s, %s, 1)", story.lead_id, story.now.user_id).get("released"):
            self.ledgers.end_holds(self.ledgers.changed(story.lead_id), self.now, with_planned=False)

    def correct(self) -> None:
        """A hold gets another start and end, or is declared void."""
        story = self.some(held=True)
        if not story.holds:
            return
        hold = self.chance.choice(story.holds)
        version = row(self.db, "SELECT version FROM lead_protection.lead_holds WHERE id = %s", hold.id)["version"]
        if self.chance.random() < 0.3:
            if self.call("void_lead_hold(%s, %s, 'by mistake', 1)", hold.id, version).get("changed"):
                self.ledgers.changed(story.lead_id).holds.remove(hold)
            return
        start = self.ago(30)
        end = self.chance.choice([None, start + timedelta(hours=self.chance.randint(1, 900))])
        correct = "correct_lead_hold(%s, %s, %s, %s, 'was wrong', 1)"
        if self.call(correct, hold.id, version, start, end).get("changed"):
            hold.start_at, hold.end_at = start, end
            hold.released = hold.released and end is not None and end <= self.now
            self.ledgers.changed(story.lead_id)

    def act(self) -> None:
        """An activity, mostly of the user who is protected; or one is corrected, or struck out."""
        story = self.some()
        if story.activities and self.chance.random() < 0.2:
            key, kind, occurred_at = self.chance.choice(list(story.activities)), self.chance.choice(KINDS), self.ago(20)
            if self.chance.random() < 0.5:
                correct = "correct_lead_activity(%s, %s, %s, %s, 'was wrong', 1)"
                if self.call(correct, story.lead_id, key, kind, occurred_at).get("changed"):
                    was = self.ledgers.changed(story.lead_id).activities[key]
                    story.activities[key] = replace(was, kind=kind, occurred_at=occurred_at)
            elif self.call("delete_lead_activity(%s, %s, 'was none', 1)", story.lead_id, key).get("changed"):
                was = self.ledgers.changed(story.lead_id).activities[key]
                story.activities[key] = replace(was, deleted=True)
            return
        user = self.chance.choice([story.now.user_id or 1] * 5 + [self.chance.choice(USERS)])
        kind, occurred_at, key = self.chance.choice(KINDS), self.ago(self.chance.choice([0, 0, 5])), self.key()
        record = "record_lead_activity(%s, %s, %s, %s, %s, 1)"
        if self.call(record, story.lead_id, user, kind, occurred_at, key).get("changed"):
            self.ledgers.changed(story.lead_id).activities[key] = Activity(user, occurred_at, kind)

    def extend(self) -> None:
        """Days on request."""
        story, days = self.some(), self.chance.choice([1, 5, 14])
        extend = "extend_lead(%s, %s, %s, 'asked for', 2, 1, %s)"
        if self.call(extend, story.lead_id, story.now.user_id, days, self.key()).get("changed"):
            user_id = story.now.user_id
            assert user_id is not None
            self.ledgers.changed(story.lead_id).extensions.append(Extension(user_id, self.now, days))

    def transfer(self) -> None:
        """To another user, from nobody, or back to nobody."""
        story = self.some()
        if story.now.user_id is not None and self.chance.random() < 0.15:
            if self.call("give_back_lead(%s, %s, 'no use', 1)", story.lead_id, story.now.user_id).get("changed"):
                self.ledgers.hand_over(story.lead_id, None, story.now.policy, self.now)
            return
        user, to = self.chance.choice([story.now.user_id, story.now.user_id, None]), self.chance.choice(USERS)
        if self.call("transfer_lead(%s, %s, %s, 'better', 1)", story.lead_id, user, to).get("changed"):
            self.ledgers.hand_over(story.lead_id, to, self.users[to], self.now)

    def close(self) -> None:
        """Won, lost, deleted; opened again, or the closing made undone."""
        story = self.some()
        who = story.lead_id, story.now.user_id
        if story.now.closed_at is None:
            close = self.chance.choice(["close_lead(%s, %s, 'LOST', 'x', 1)"] * 5 + ["delete_lead(%s, %s, 'x', 1)"])
            if self.call(close, *who).get("changed"):
                self.ledgers.close(story.lead_id, self.now)
            return
        closed_at, voids = story.now.closed_at, self.chance.random() < 0.3
        reopen = "void_lead_closing(%s, %s, 'by mistake', 1)" if voids else "reopen_lead(%s, %s, 'goes on', 1)"
        if self.call(reopen, *who).get("changed"):
            self.ledgers.reopen(story.lead_id, self.now)
            if voids:
                hold = "SELECT max(id) AS id FROM lead_protection.lead_holds WHERE lead_id = %s"
                user_id = story.now.user_id
                assert user_id is not None
                number = row(self.db, hold, story.lead_id)["id"]
                story.holds.append(HoldRow(number, user_id, closed_at, self.now, released=True))

    def backdate(self) -> None:
        """The protection began earlier."""
        story = self.some()
        start = story.now.start - timedelta(hours=self.chance.randint(1, 200))
        backdate = "backdate_lead(%s, %s, %s, 'was earlier', 'file 12', 1)"
        if self.call(backdate, story.lead_id, story.now.user_id, start).get("changed"):
            self.ledgers.backdate(story.lead_id, start)

    def move(self) -> None:
        """Leads come under other terms, or a user's next ones do."""
        policy = self.chance.choice(list(TERMS))
        if self.chance.random() < 0.3:
            user = self.chance.choice(USERS)
            self.call("assign_user_policy(%s, %s, 1)", user, self.policies[policy])
            self.users[user] = policy
            return
        ids = sorted({self.some().lead_id for _ in range(3)})
        move = "SELECT * FROM lead_protection.move_leads_to_policy(%s, %s, 'new terms', 1)"
        for answer in rows(self.db, move, (ids, self.policies[policy])):
            if answer["changed"]:
                self.done["move_leads_to_policy"] += 1
                self.ledgers.move(answer["lead_id"], policy, self.now)

    # The more often, the more likely.
    CALLS: ClassVar = [*["hold"] * 6, *["act"] * 6, *["release"] * 4, *["transfer", "close"] * 3, *["correct"] * 2,
        "extend", "extend", "backdate", "move"]  # fmt: skip

    # --- Jobs and days -----------------------------------------------------------------------------------------------

    def run(self, *, killed: bool = False) -> None:
        """The pipeline, as pg_cron calls it; now and then, or if `killed`, the server is killed while it runs."""

        def work() -> None:
            self.job.execute("CALL lead_protection.run_protection_pipeline()")

        if self.chance.random() < 0.005 * self.trouble or killed:
            self.crash(work)
        else:
            work()
        self.done["runs of the pipeline"] += 1
        self.ledgers.run_pipeline(self.now)
        self.compare_log(self.now)

    def night(self) -> None:
        """The nightly job, which finds nothing wrong."""
        self.job.execute("CALL lead_protection.run_nightly_maintenance()")
        self.done["nightly runs"] += 1
        found = row(self.db, "SELECT outcome, result, error FROM lead_protection.job_runs ORDER BY id DESC LIMIT 1")
        wrong = {name: found["result"].get(name) for name in ("clocks_mended", "log_problems", "events_published")}
        if found["outcome"] != "succeeded" or any(wrong.values()):
            raise Difference(f"the nightly job: {found}")

    def ahead(self) -> None:
        """The clock runs ahead while the jobs run; then it is put right, as the runbook says."""
        right = self.now
        by = self.next_of("ahead", [timedelta(minutes=7), timedelta(days=365), timedelta(days=1), timedelta(days=40)])
        self.done[f"ahead by {by}"] += 1
        self.at(right + by)
        for _ in range(self.chance.choice([1, 2])):
            self.run()
            for consumer in self.consumers:
                consumer.work()
            self.later(3600)
        if self.chance.random() < 0.3:
            self.crash(lambda: None)
        self.at(right + timedelta(seconds=10))
        if self.chance.random() < 0.5:
            self.call("recover_from_clock_ahead()")
            for story in self.ledgers.stories.values():
                self.ledgers.recover(story, self.now)
            found = row(self.db, "SELECT status, found FROM lead_protection.health WHERE check_name = 'clock_skew'")
            if found["status"] != "ok":
                raise Difference(f"after the call of the runbook: {found}")
            self.compare_log(self.now)
            self.later(60)
        self.run()
        for consumer in self.consumers:
            consumer.note_discarded()
        self.compare_all()
        self.later(600)
        self.run()

    def next_of(self, what: str, choices: list[timedelta]) -> timedelta:
        """One after the other, so that few are enough for all."""
        self.turns[what] += 1
        return choices[self.turns[what] % len(choices)]

    def behind(self) -> None:
        """The clock is behind, and the jobs are paused: leads come in, whose starts are moved as the runbook says."""
        self.enter()
        last = row(self.db, "SELECT max(sequence_number) AS number FROM lead_protection.outbox_events")["number"]
        right, by = self.now, self.next_of("behind", [timedelta(hours=5), timedelta(days=300), timedelta(days=2)])
        self.done[f"behind by {by}"] += 1
        self.call("pause_protection('the clock is behind', 1)")
        before = set(self.ledgers.stories)
        self.at(right - by)
        for _ in range(3):
            self.later(60)
            self.enter()
        self.at(right + timedelta(minutes=10))
        began = {lead_id: self.ledgers.stories[lead_id].now.start for lead_id in set(self.ledgers.stories) - before}
        moved = {each["id"] for each in rows(self.db, wrong_starts("moved"), {"behind": by, "first": last + 1})}
        for lead_id, start in began.items():
            if lead_id in moved:
                self.ledgers.backdate(lead_id, start + by)
        # A start that the application gave for a day in the past is left as it is.
        given = {lead_id for lead_id, start in began.items() if start < right - by}
        if moved != set(began) - given:
            raise Difference(f"moved {moved}, of {began}, given {given}")
        self.call("resume_protection(1)")
        self.run()

    def day(self, day: date) -> None:
        """One day: what happens, in the order of its instants."""
        chance = self.chance
        happens = ["run"] * 3 + ["consume"] * 2
        happens += ["enter"] * (int(self.leads_a_day) + (chance.random() < self.leads_a_day % 1))
        happens += [chance.choice(self.CALLS) for _ in range(chance.randint(0, 6)) if self.ledgers.stories]
        happens += ["night"] * (chance.random() < 0.15)
        if self.ledgers.stories:
            happens += ["ahead"] * (chance.random() < 0.012 * self.trouble)
            happens += ["behind"] * (chance.random() < 0.006 * self.trouble)
        seconds = sorted(chance.sample(range(60, 86000, 7), len(happens)))
        chance.shuffle(happens)
        changes = day.weekday() == 6 and day.month in (3, 4, 10, 11)
        plan = list(zip(seconds, happens, strict=True))
        if changes:
            # Around the change of the clocks in Europe.
            plan = sorted([*plan, (3599, "run"), (3600, "run")])
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for second, what in plan:
            self.at(max(midnight + timedelta(seconds=second), self.now + timedelta(seconds=1)))
            if what == "consume":
                for consumer in self.consumers:
                    consumer.work()
            else:
                getattr(self, what)()

    def go(self, days: int, every: int, report: Callable[[str], None] = lambda line: None) -> None:
        """So many days, all compared every so many and at the end."""
        first = self.now.date()
        for number in range(days):
            day = first + timedelta(days=number)
            try:
                self.day(day)
                if number % every == every - 1 or number == days - 1:
                    self.later(60)
                    self.compare_all()
                    report(f"{day}: {len(self.ledgers.stories)} leads, {sum(self.done.values())} calls and runs")
            except BaseException as error:
                error.add_note(f"on day {number} of {days}, {day}, at {self.now}")
                raise

    # --- Comparing ---------------------------------------------------------------------------------------------------

    def logged(self, at: datetime | None) -> Counter[Entry]:
        """What the log has of the jobs."""
        found: Counter[Entry] = Counter()
        for each in rows(self.db, LOG, (OF_JOBS, at, at)):
            details, what = each["details"] or {}, ""
            if each["event_type"] == REMINDER:
                what = f"{details['window_date']} {details['attempt']}"
            elif each["event_type"] == WARNING:
                what = f"{details['window_date']} {details['days_before']} {details['audience']}"
            found[
                Entry(
                    each["lead_id"], each["user_id"], each["event_type"], each["occurred_at"].astimezone(UTC),
                    each["state_after"], what,
                )
            ] += 1  # fmt: skip
        return found

    def compare_log(self, at: datetime) -> None:
        """What was written at that instant."""
        same(f"the log at {at}", self.logged(at), self.ledgers.log[at])

    def compare_all(self) -> None:
        """Log, ledgers and states; the cache and the proofs."""
        self.done["comparisons of all"] += 1
        entries: Counter[Entry] = Counter()
        for at in self.ledgers.log.values():
            entries += at
        same("the log", self.logged(None), entries)
        stories = self.ledgers.stories.items()
        wanted: dict[str, list[tuple]] = {
            "reminders": [
                (n, r.user_id, r.window, r.due_at, r.sent_at, r.reactivated_at) for n, s in stories for r in s.reminders
            ],
            "expiries": [
                (n, x.user_id, x.expires_at, x.recorded_at, x.reactivated_at) for n, s in stories for x in s.expiries
            ],
            "warnings": [
                (n, w.user_id, w.window, w.days_before, w.audience, at)
                for n, s in stories
                for w, at in s.warnings.items()
            ],
        }
        for table, query in TABLES.items():
            same(table, Counter(map(in_utc, self.db.execute(query).fetchall())), Counter(wanted[table]))
        states = {}
        for lead_id, story in stories:
            shown = story.shown(self.now)
            assert shown is not None, story
            states[lead_id] = (
                shown.user_id, shown.protection_expires_at, shown.state, shown.on_hold, shown.reminder_due_at
            )  # fmt: skip
        view = (
            "SELECT lead_id, user_id, protection_expires_at, state, on_hold, reminder_due_at"
            " FROM lead_protection.v_user_lead_protection"
        )
        found = {each[0]: in_utc(each[1:]) for each in self.db.execute(view).fetchall()}
        same("the states", Counter(found.items()), Counter(states.items()))
        for query in ("find_clock_drift()", "verify_protection_log()"):
            if wrong := rows(self.db, f"SELECT * FROM lead_protection.{query}"):
                raise Difference(f"{query}: {wrong}")
        if wrong := rows(self.db, "SELECT * FROM lead_protection.job_runs WHERE outcome = 'failed'"):
            raise Difference(f"runs that failed: {wrong}")

    def finish(self) -> None:
        """All that waits is handled, and each event was."""
        self.later(3600)
        for consumer in self.consumers:
            consumer.finish()


def same(what: str, found: Counter, wanted: Counter) -> None:
    """Both are the same, or both differences are told."""
    if found != wanted:
        much, missing = (list(each.items())[:4] for each in (found - wanted, wanted - found))
        raise Difference(f"{what}: too much {much}, missing {missing}")
