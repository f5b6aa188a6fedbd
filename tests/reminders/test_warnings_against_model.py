"""Random histories, run after run of the pipeline: each early warning is sent once for each window, and no other."""

import random
from datetime import UTC, datetime, time, timedelta

import pytest

from helpers.facts import insert_activities, insert_extensions, insert_lead
from helpers.jobs import run_pipeline
from helpers.model import Activity, Extension, Hold, Lead, Policy, Reminder, Version
from helpers.project import cases
from helpers.warnings import Sent, expected, insert_warned_policy, sent

# Short terms, so that a lead goes through all states in the days of a world; warnings before and after the reminder.
TERMS = {
    Policy("parallel", 2, 20, 5, "Europe/Berlin", time(8), True): (
        (12, "user"),
        (12, "manager"),
        (8, "user"),
        (2, "manager"),
    ),
    Policy("sequential", 1, 10, 4, "America/New_York", time(8)): ((20, "user"), (4, "user"), (3, "team")),
    Policy("sequential", 1, 10, 4, "America/New_York", time(9)): (),
    Policy("sequential", 1, 3, 10, "Pacific/Auckland", time(23, 30), True): ((11, "user"), (9, "manager"), (3, "user")),
    Policy("parallel", 1, 15, 3, "UTC", time(0)): ((17, "user"), (5, "user"), (1, "user")),
    Policy(
        "sequential",
        1,
        8,
        5,
        "Europe/Berlin",
        time(8),
        period_end="end_of_day",
        hold_unit="day",
        calendar="DE",
        expiry_on="working_day",
        remind_on="working_day",
    ): ((14, "user"), (6, "user"), (2, "manager")),
    Policy("parallel", 1, 15, 4, "Europe/Berlin", time(8), True, notice_counts_from="delivered"): (
        (9, "user"),
        (3, "user"),
    ),
}
LEADS, DAYS = 40, 90


class World:
    """Leads of one database and their facts, here and there, which grow from run to run."""

    def __init__(self, db, seed: int):
        self.db, self.chance = db, random.Random(seed)
        self.policies = {
            policy: insert_warned_policy(
                db, warnings, f"{seed} {number}", rule=policy.rule, base_months=policy.base_months,
                extension_days=policy.extension_days, grace_days=policy.grace_days, time_zone=policy.time_zone,
                reminder_time=policy.reminder_time, notice_required=policy.notice_required,
                period_end=policy.period_end, hold_unit=policy.hold_unit, expiry_on=policy.expiry_on,
                remind_on=policy.remind_on, notice_counts_from=policy.notice_counts_from,
                calendar_id=policy.calendar and self.calendar(policy.calendar),
            )
            for number, (policy, warnings) in enumerate(TERMS.items())
        }  # fmt: skip
        self.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS, hours=self.chance.uniform(1, 24))
        self.versions: dict[int, list[Version]] = {}
        self.holds: dict[int, list[Hold]] = {}
        self.activities: dict[int, list[Activity]] = {}
        self.extensions: dict[int, list[Extension]] = {}
        for lead_id in range(1, LEADS + 1):
            policy = self.chance.choice(list(TERMS))
            # Some come in late: they are as they would be had they always been there.
            start = self.now - timedelta(
                days=self.chance.choice([0, 0, 1, 10, 25, 40]), hours=self.chance.uniform(0, 23)
            )
            start = start.replace(microsecond=0)
            insert_lead(db, lead_id, start, policy_id=self.policies[policy])
            self.versions[lead_id] = [Version(7, policy, start)]
            self.holds[lead_id], self.activities[lead_id], self.extensions[lead_id] = [], [], []
        self.before: dict[Sent, datetime] = {}

    def calendar(self, code: str) -> int:
        """The number of a shipped calendar."""
        return self.db.execute("SELECT max(id) FROM lead_protection.calendars WHERE code = %s", (code,)).fetchone()[0]

    def deliver(self) -> None:
        """The mailer tells of some reminders that they arrived."""
        self.db.execute(
            "WITH told AS (INSERT INTO lead_protection.reminder_deliveries (lead_id, user_id, window_date, message_id,"
            " outcome, occurred_at) SELECT lead_id, user_id, window_date, 'm', 'delivered', %s"
            " FROM lead_protection.lead_reminders WHERE (lead_id + extract(DAY FROM %s::timestamptz))::int %% 4 = 0"
            " ON CONFLICT DO NOTHING RETURNING lead_id)"
            " SELECT array_agg(DISTINCT lead_id) FROM told",
            (self.now, self.now),
        )
        # A report refreshes the clock; these are reports of days that are past.
        self.db.execute("SELECT lead_protection.refresh_lead_clocks(%s)", (list(self.versions),))

    def lead(self, lead_id: int) -> Lead:
        """What is known of it."""
        return Lead(
            tuple(self.versions[lead_id]), tuple(self.holds[lead_id]), tuple(self.activities[lead_id]),
            tuple(self.extensions[lead_id]), tuple(self.reminders.get(lead_id, ())),
        )  # fmt: skip

    def change(self, lead_id: int) -> None:
        """One fact more, as of now."""
        present, now = self.versions[lead_id][-1], self.now
        user = present.user_id
        open_hold = next((h for h in self.holds[lead_id] if h.end_at is None and h.user_id == user), None)
        what = self.chance.choice(
            ["hold"] * 4 + ["planned"] + ["activity"] * 3 + ["extension", "close", "move"] + ["transfer"] * 3
        )
        if present.closed_at is not None:
            if self.chance.random() < 0.5:
                self.set_lead(lead_id, Version(user, present.policy, present.start))
        elif open_hold and what in ("hold", "transfer", "close"):
            self.end_hold(lead_id, open_hold)
        elif what == "hold":
            begin = now - timedelta(hours=self.chance.choice([0, 0, 5, 60]))
            if begin > present.start and not self.holds_at(lead_id, begin):
                self.add_hold(lead_id, Hold(user, begin, None))
        elif what == "planned":
            begin = now + timedelta(hours=self.chance.uniform(0, 200))
            if not open_hold:
                self.add_hold(lead_id, Hold(user, begin, begin + timedelta(days=self.chance.choice([0.2, 3, 12]))))
        elif what == "activity":
            self.activities[lead_id].append(Activity(user, now))
            insert_activities(self.db, lead_id, [now], user)
        elif what == "extension":
            self.extensions[lead_id].append(Extension(user, now, 5))
            insert_extensions(self.db, lead_id, [(now, 5)], user)
        elif what == "transfer":
            self.set_lead(lead_id, Version(self.chance.choice([7, 8]), present.policy, now))
        elif what == "close":
            self.set_lead(lead_id, Version(user, present.policy, present.start, now))
        else:
            self.set_lead(lead_id, Version(user, self.chance.choice(list(TERMS)), present.start))

    def holds_at(self, lead_id: int, moment: datetime) -> bool:
        return any(h.end_at is None or h.end_at >= moment for h in self.holds[lead_id])

    def add_hold(self, lead_id: int, hold: Hold) -> None:
        self.holds[lead_id].append(hold)
        self.db.execute(
            "INSERT INTO lead_protection.lead_holds"
            " (lead_id, user_id, reason, start_at, end_at, created_by, released_by)"
            " VALUES (%s, %s, 'x', %s, %s, 1, %s)",
            (lead_id, hold.user_id, hold.start_at, hold.end_at, 1 if hold.end_at else None),
        )

    def end_hold(self, lead_id: int, hold: Hold) -> None:
        self.holds[lead_id].remove(hold)
        self.holds[lead_id].append(Hold(hold.user_id, hold.start_at, self.now))
        self.db.execute(
            "UPDATE lead_protection.lead_holds SET end_at = %s, released_by = 1 WHERE lead_id = %s AND end_at IS NULL",
            (self.now, lead_id),
        )

    def set_lead(self, lead_id: int, version: Version) -> None:
        """The lead as it is from now on."""
        before = self.versions[lead_id][-1]
        if version.closed_at is None:
            self.versions[lead_id][-1] = Version(
                before.user_id, before.policy, before.start, before.closed_at, valid_until=self.now
            )
            self.versions[lead_id].append(version)
        else:
            self.versions[lead_id][-1] = version
        self.db.execute(
            "UPDATE lead_protection.leads SET user_id = %s, policy_id = %s, created_at = %s, closed_at = %s,"
            " closed_as = %s, changed_at = %s WHERE id = %s",
            (version.user_id, self.policies[version.policy], version.start, version.closed_at,
             "LOST" if version.closed_at else None, self.now, lead_id),
        )  # fmt: skip

    def run(self) -> None:
        """A run of the pipeline: what it sends is what the model says."""
        run_pipeline(self.db, self.now)
        self.reminders: dict[int, list[Reminder]] = {}
        for lead_id, *reminder in self.db.execute(
            "SELECT r.lead_id, r.user_id, r.sent_at, r.window_date, d.occurred_at"
            " FROM lead_protection.lead_reminders AS r"
            " LEFT JOIN lead_protection.reminder_deliveries AS d USING (lead_id, user_id, window_date)"
        ).fetchall():
            self.reminders.setdefault(lead_id, []).append(Reminder(*reminder))
        found = set()
        for lead_id in self.versions:
            found |= expected(lead_id, self.lead(lead_id), self.now, TERMS, self.before)
        assert set(sent(self.db, self.now)) == found, self.now
        self.before |= dict.fromkeys(found, self.now)

    def go_on(self) -> None:
        """To the next run: mostly half a day later, now and then after an outage."""
        self.now += timedelta(hours=self.chance.choice([1, 6, 12, 12, 20, 24] * 4 + [100, 240]))


@pytest.mark.slow("it runs the pipeline some thousand times")
@pytest.mark.parametrize("seed", range(cases(4, usual=1, fast=1)))
def test_each_warning_is_sent_once_for_its_window_at_its_instant_and_no_other(db, seed):
    world = World(db, seed)
    end = datetime.now(UTC) - timedelta(hours=1)
    while world.now < end:
        for lead_id in world.versions:
            if world.chance.random() < 0.05:
                world.change(lead_id)
        world.deliver()
        world.run()
        if world.chance.random() < 0.1:
            # Whoever runs it again at the same instant finds nothing to send.
            assert run_pipeline(db, world.now).get("warnings") == 0
        world.go_on()
    seen = {(w.days_before, w.audience) for w in world.before}
    assert len(seen) >= 9, "few kinds were tried"
    assert len(world.before) > 30
    assert sorted(sent(db)) == sorted(world.before)
    # Repeated for another window, for the same user.
    windows: dict[tuple, set] = {}
    for w in world.before:
        windows.setdefault((w.lead_id, w.user_id, w.days_before, w.audience), set()).add(w.window)
    assert max(map(len, windows.values())) > 1
