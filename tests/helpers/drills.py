"""A year of leads of all kinds, and what the jobs must have done to them at each of some instants, by the model.

Told once and kept: the jobs are then tried on it as often as one likes, each time in a transaction that is undone.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import psycopg

from helpers.expected_ledgers import BEFORE_ALL, EXPIRED, REMINDER, TERMS, HoldRow, Ledgers, ReminderRow, Story
from helpers.facts import in_utc
from helpers.model import Activity, Clock, Extension, Version
from helpers.worlds import insert_world, take_facts_of_the_future

BEGIN = datetime(2021, 2, 1, 5, tzinfo=UTC)
DAYS = 150
LEADS = 60
# In the order of a run: all at once, or by so few that a lead which has no place in a batch is in the way of others.
STEPS = """
CREATE FUNCTION public.drill(at timestamptz, at_once boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    every CONSTANT bigint [] := ARRAY(SELECT l.id FROM lead_protection.leads AS l);
    waiting bigint [];
    handled bigint;
BEGIN
    IF at_once THEN
        PERFORM lead_protection.record_reactivations(at, 1000), lead_protection.record_expiries(at, 1000);
    ELSE
        WHILE lead_protection.record_reactivations(at, 1) > 0 LOOP END LOOP;
        LOOP
            handled := lead_protection.record_expiries(at, 1);
            ASSERT handled <= 1, 'a lead that is not of the batch';
            EXIT WHEN handled = 0;
        END LOOP;
    END IF;
    ASSERT lead_protection.record_expiries(at, 1000) = 0, 'an expiry is left';
    ASSERT lead_protection.reminders_to_send(at, 'warnings') = '{}', 'nobody is warned here';
    waiting := lead_protection.reminders_to_send(at);
    WHILE waiting <> '{}' LOOP
        handled := lead_protection.send_due_reminders(waiting[1:2], at);
        ASSERT handled = cardinality(waiting[1:2]), 'a lead whose reminder is not due, or one that was not asked for';
        waiting := waiting[3:];
    END LOOP;
    ASSERT lead_protection.send_due_reminders(every, at) = 0, 'a reminder is left, or is sent twice';
    ASSERT lead_protection.record_expiries_of(every, at) = 0, 'an expiry is recorded that is none';
END
$$
"""
LOGGED = """
SELECT lead_id, user_id, event_type, concat_ws(' ', details ->> 'window_date', details ->> 'attempt'), state_after,
    CASE WHEN event_type <> 'lead.protection.reactivated' THEN state_before END, expires_after,
    details ? 'reminded_at', coalesce(details ->> 'reminder_due_at', details ->> 'missed_reminder_due_at')::timestamptz
FROM lead_protection.protection_log
WHERE occurred_at = %s
"""
REPORT = """
INSERT INTO lead_protection.reminder_deliveries
(lead_id, user_id, window_date, message_id, outcome, occurred_at, retry_at, retried_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
HOLD = """
INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by, released_by)
VALUES (%s, %s, 'test', %s, %s, 1, 1)
"""
RECORDED = "UPDATE lead_protection.leads SET recorded_at = %s WHERE id = %s"
KEPT = {
    "reminders": "SELECT lead_id, user_id, window_date, due_at, sent_at, reactivated_at"
    " FROM lead_protection.lead_reminders",
    "expiries": "SELECT lead_id, user_id, protection_expires_at, recorded_at, reactivated_at"
    " FROM lead_protection.lead_expiries",
}


@dataclass
class Run:
    """A run, what it must log, what is reported of deliveries after it, and which holds are entered."""

    at: datetime
    log: Counter[tuple] = field(default_factory=Counter)
    reports: list[tuple] = field(default_factory=list)
    holds: list[tuple] = field(default_factory=list)


class Drills:
    """One history; the same seed is the same history."""

    def __init__(self, db: psycopg.Connection, seed: str):
        """Write the facts, and ask the model."""
        self.db, self.chance = db, random.Random(seed)
        self.ledgers = Ledgers({policy: () for policy in TERMS})
        take_facts_of_the_future(db)
        db.execute(STEPS)
        self.recorded: dict[int, datetime | None] = {}
        for lead_id in range(1, LEADS + 1):
            self.ledgers.stories[lead_id] = story = self.draw(lead_id)
            strange = self.strange_reminders(story)
            insert_world(db, lead_id, story.lead())
            db.cursor().executemany(REPORT, strange)
            self.recorded[lead_id] = self.record(story)
            db.execute(RECORDED, (self.recorded[lead_id], lead_id))
        self.todo = self.instants()
        self.runs: list[Run] = []
        while self.todo:
            self.runs.append(self.foresee(self.todo.pop(0)))
        stories = self.ledgers.stories.items()
        self.kept: dict[str, Counter[tuple]] = {
            "reminders": Counter(
                (n, r.user_id, r.window, r.due_at, r.sent_at, r.reactivated_at) for n, s in stories for r in s.reminders
            ),
            "expiries": Counter(
                (n, x.user_id, x.expires_at, x.recorded_at, x.reactivated_at) for n, s in stories for x in s.expiries
            ),
        }

    def draw(self, lead_id: int) -> Story:
        """A lead: activities and extensions, which the cache counts at once, are of before the first run."""
        chance = self.chance

        def ago(days: float) -> datetime:
            return BEGIN - timedelta(seconds=int(days * 86400))

        if 1 < lead_id < 6:
            # Of the same user, and with the same window.
            return Story(lead_id, [self.ledgers.stories[1].now])
        policy = chance.choice(list(TERMS))
        length = policy.base_months * 30 + policy.extension_days + policy.grace_days
        age = chance.uniform(0, length + 20)
        user_id = None if lead_id % 20 == 0 else chance.choice([7, 8])
        closed_at = ago(1) if lead_id % 15 == 0 else None
        story = Story(lead_id, [Version(user_id, policy, ago(age), closed_at)])
        for number in range(chance.choice([0, 0, 1, 2])):
            begin = ago(chance.uniform(-DAYS, age))
            story.holds.append(
                HoldRow(number, chance.choice([7, 8]), begin, begin + timedelta(days=chance.randint(1, 30)))
            )
        if chance.random() < 0.2:
            story.holds.append(HoldRow(9, chance.choice([7, 8]), ago(chance.uniform(-DAYS, age)), None))
        if chance.random() < 0.4:
            story.activities["a"] = Activity(chance.choice([7, 8]), ago(chance.uniform(0, age)))
        if chance.random() < 0.3:
            story.extensions.append(
                Extension(chance.choice([7, 8]), ago(chance.uniform(0, age)), chance.randint(1, 20))
            )
        return story

    def record(self, story: Story) -> datetime | None:
        """When it was entered: with its start, just as it ended, afterwards, or before anybody wrote that down."""
        ends_at = story.shown(BEGIN).protection_expires_at
        return [None, story.now.start, ends_at, BEGIN + timedelta(days=2 * DAYS)][story.lead_id % 4]

    def strange_reminders(self, story: Story) -> list[tuple]:
        """Reminders of the other user and of a window long ago, which wait for a repetition that is nobody's now."""
        version = story.now
        if story.lead_id % 3 != 0 or version.user_id is None:
            return []
        window = Clock(story.lead(), version, BEGIN).window
        sent_at = version.start + timedelta(hours=1)
        reports: list[tuple] = []
        for user_id, of_window in ((15 - version.user_id, window), (version.user_id, date(2015, 1, 1))):
            story.reminders.append(ReminderRow(user_id, of_window, sent_at, sent_at))
            key = (story.lead_id, user_id, of_window)
            reports.append((*key, "first", "failed", sent_at, None, sent_at))
            reports.append((*key, "second", "failed", sent_at, sent_at, None))
        return reports

    def instants(self) -> list[datetime]:
        """When the jobs run: at any second, and the very instants at which something falls due or ends."""
        some = {BEGIN + timedelta(seconds=self.chance.randint(0, DAYS * 86400)) for _ in range(16)}
        for lead_id in self.chance.sample(range(1, LEADS + 1), 12):
            shown = self.ledgers.stories[lead_id].shown(BEGIN)
            some |= {at for at in (shown.reminder_due_at, shown.protection_expires_at) if at is not None}
        return sorted(at for at in some if BEGIN <= at <= BEGIN + timedelta(days=DAYS))

    def foresee(self, at: datetime) -> Run:
        """What a run must do, and what comes after it."""
        run, stories = Run(at), self.ledgers.stories
        self.ledgers.run_pipeline(at)
        for entry, times in self.ledgers.log[at].items():
            story, before, reminder_due_at = stories[entry.lead_id], None, None
            expires_at = story.shown(at).protection_expires_at
            if entry.type == REMINDER:
                before = "REMINDER_DUE" if entry.what.endswith(" 1") else "GRACE"
                reminder_due_at = self.reminder(story, entry.what[:10]).due_at
                if self.chance.random() < 0.7:
                    run.reports.append(self.report(story, entry.what[:10], at + timedelta(seconds=1)))
            elif entry.type == EXPIRED:
                clock = Clock(story.lead(), story.now, at)
                before = clock.state(expires_at - timedelta(microseconds=1))
                if before == "REMINDER_DUE" and (self.recorded[story.lead_id] or BEFORE_ALL) < expires_at:
                    reminder_due_at = clock.due
            was_reminded = entry.type == EXPIRED and before == "GRACE"
            told = (entry.what, entry.state_after, before, expires_at, was_reminded, reminder_due_at)
            run.log[entry.lead_id, entry.user_id, entry.type, *told] = times
        for lead_id in self.chance.sample(sorted(stories), 6):
            run.holds.append(self.enter_hold(stories[lead_id], at))
        return run

    @staticmethod
    def reminder(story: Story, window: str) -> ReminderRow:
        """Of the present user."""
        return next(r for r in story.reminders if str(r.window) == window and r.user_id == story.now.user_id)

    def report(self, story: Story, window: str, at: datetime) -> tuple:
        """It arrives, or is to be repeated."""
        reminder = self.reminder(story, window)
        outcome = self.chance.choice(["delivered", "failed"])
        if outcome == "failed":
            reminder.retry_at = at + timedelta(minutes=15)
            if self.chance.random() < 0.2:
                self.todo = sorted({*self.todo, reminder.retry_at})
        elif reminder.delivered_at is None:
            reminder.delivered_at = at
        self.ledgers.changed(story.lead_id)
        message = f"message {reminder.attempts}"
        return story.lead_id, reminder.user_id, reminder.window, message, outcome, at, reminder.retry_at, None

    def enter_hold(self, story: Story, at: datetime) -> tuple:
        """Late, or ahead: what was announced may not come."""
        begin = at + timedelta(days=self.chance.uniform(-12, 3))
        end = begin + timedelta(days=self.chance.randint(1, 20))
        story.holds.append(HoldRow(0, self.chance.choice([7, 8]), begin, end))
        self.ledgers.changed(story.lead_id)
        return story.lead_id, story.holds[-1].user_id, begin, end

    def difference(self) -> tuple | None:
        """Run the jobs, and return the first thing that is not as the model says; in a transaction that is undone."""
        for number, run in enumerate(self.runs):
            self.db.execute("SELECT public.drill(%s, %s)", (run.at, number % 2 == 0))
            found: Counter[tuple] = Counter(map(in_utc, self.db.execute(LOGGED, (run.at,)).fetchall()))
            if found != run.log:
                return run.at, found - run.log, run.log - found
            if run.reports:
                self.db.cursor().executemany(REPORT, run.reports)
                ids = [report[0] for report in run.reports]
                self.db.execute("SELECT lead_protection.refresh_lead_clocks(%s)", (ids,))
            self.db.cursor().executemany(HOLD, run.holds)
        for what, query in KEPT.items():
            kept = Counter(map(in_utc, self.db.execute(query).fetchall()))
            if kept != self.kept[what]:
                return what, kept - self.kept[what], self.kept[what] - kept
        return None
