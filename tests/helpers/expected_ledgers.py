"""What the ledgers and the log must hold: the model of the rule, run after run of the jobs.

It is told the facts as they are entered, and at which instants, by the server's clock, the jobs ran. It never looks at
the database.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from helpers.model import (
    Activity,
    Clock,
    Extension,
    Hold,
    Lead,
    Policy,
    Protection,
    Reminder,
    Version,
    instant,
    local_date,
    midnight,
    protection,
    working_day,
    zone_of,
)
from helpers.warnings import Sent, expected

Warnings = dict[Policy, tuple[tuple[int, str], ...]]

BEFORE_ALL, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# How far an instant may lie ahead before it counts as one of a wrong clock; and the longest pause of a repetition.
SKEW, LONGEST_PAUSE = timedelta(minutes=5), timedelta(days=1)
REMINDER, WARNING, EXPIRED, REACTIVATED = (
    f"lead.protection.{name}" for name in ("reminder", "warning", "expired", "reactivated")
)


@dataclass
class HoldRow:
    """A hold and its number; `released` once a call ended it."""

    id: int
    user_id: int
    start_at: datetime
    end_at: datetime | None
    released: bool = False


@dataclass
class ReminderRow:
    """A row of lead_reminders."""

    user_id: int
    window: date
    due_at: datetime
    sent_at: datetime
    reactivated_at: datetime | None = None
    delivered_at: datetime | None = None
    retry_at: datetime | None = None
    attempts: int = 1


@dataclass
class ExpiryRow:
    """A row of lead_expiries."""

    user_id: int
    expires_at: datetime
    recorded_at: datetime
    reactivated_at: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """A row of the log that a job, or the expiry found by a call, writes."""

    lead_id: int
    user_id: int
    type: str
    occurred_at: datetime
    state_after: str
    what: str = ""


@dataclass
class Story:
    """All that is known of one lead."""

    lead_id: int
    versions: list[Version]
    holds: list[HoldRow] = field(default_factory=list)
    activities: dict[str, Activity] = field(default_factory=dict)
    extensions: list[Extension] = field(default_factory=list)
    reminders: list[ReminderRow] = field(default_factory=list)
    expiries: list[ExpiryRow] = field(default_factory=list)
    # When each warning was sent, and when it was due.
    warnings: dict[Sent, datetime] = field(default_factory=dict)
    warned_for: dict[Sent, datetime] = field(default_factory=dict)
    # Until then nothing can happen but by a call.
    quiet_until: datetime = BEFORE_ALL

    @property
    def now(self) -> Version:
        """What the lead is."""
        return self.versions[-1]

    def lead(self) -> Lead:
        """The facts as the model takes them."""
        return Lead(
            tuple(self.versions),
            tuple(Hold(h.user_id, h.start_at, h.end_at) for h in self.holds),
            tuple(self.activities.values()),
            tuple(self.extensions),
            tuple(Reminder(r.user_id, r.sent_at, r.window, r.delivered_at) for r in self.reminders),
        )

    def shown(self, as_of: datetime) -> Protection | None:
        """What the lead shows."""
        return protection(self.lead(), as_of)

    def standing(self) -> ExpiryRow | None:
        """The recorded expiry of the present user."""
        return next((x for x in self.expiries if x.user_id == self.now.user_id and x.reactivated_at is None), None)


class Ledgers:
    """What there must be."""

    def __init__(self, warnings: Warnings):
        self.warnings = warnings
        self.stories: dict[int, Story] = {}
        # By the instant, as the log has it.
        self.log: dict[datetime, Counter[Entry]] = defaultdict(Counter)
        self.counts: Counter[str] = Counter()
        self.last_run = BEFORE_ALL

    def tell(self, story: Story, type_: str, at: datetime, state: str, what: str = "", user: int | None = None) -> None:
        """One more row of the log."""
        user_id = story.now.user_id if user is None else user
        assert user_id is not None
        self.log[at][Entry(story.lead_id, user_id, type_, at, state, what)] += 1
        self.counts[type_] += 1

    # --- Calls -------------------------------------------------------------------------------------------------------

    def changed(self, lead_id: int) -> Story:
        """A call changes this lead."""
        story = self.stories[lead_id]
        story.quiet_until = BEFORE_ALL
        return story

    def record_expiry(self, story: Story, at: datetime) -> None:
        """If the protection has ended and nobody has recorded it."""
        shown = story.shown(at)
        if shown is not None and shown.state == "EXPIRED" and story.standing() is None:
            assert shown.user_id is not None and shown.protection_expires_at is not None
            story.expiries.append(ExpiryRow(shown.user_id, shown.protection_expires_at, at))
            self.tell(story, EXPIRED, at, "EXPIRED")

    def end_holds(self, story: Story, at: datetime, *, with_planned: bool) -> None:
        """Those of the present user that are in force, and those to come."""
        for hold in story.holds:
            if hold.user_id == story.now.user_id and not hold.released:
                lasts = hold.end_at is None or hold.end_at > at
                if lasts and (hold.end_at is None or with_planned or hold.start_at <= at):
                    hold.end_at, hold.released = max(at, hold.start_at), True

    def hand_over(self, lead_id: int, user_id: int | None, policy: Policy, at: datetime) -> None:
        """To another user, or to nobody."""
        story = self.changed(lead_id)
        self.record_expiry(story, at)
        self.end_holds(story, at, with_planned=True)
        for expiry in story.expiries:
            if expiry.reactivated_at is None:
                expiry.reactivated_at = max(at, expiry.recorded_at)
        story.versions[-1] = replace(story.now, valid_until=at)
        story.versions.append(Version(user_id, policy, at))

    def close(self, lead_id: int, at: datetime) -> None:
        """Closed for any reason."""
        story = self.changed(lead_id)
        self.record_expiry(story, at)
        self.end_holds(story, at, with_planned=False)
        story.versions[-1] = replace(story.now, closed_at=at)

    def reopen(self, lead_id: int, at: datetime) -> None:
        """As if it had never been closed."""
        story = self.changed(lead_id)
        was = story.now
        story.versions[-1] = replace(was, valid_until=at)
        story.versions.append(replace(was, closed_at=None))

    def move(self, lead_id: int, policy: Policy, at: datetime) -> None:
        """Under other terms."""
        story = self.changed(lead_id)
        was = story.now
        story.versions[-1] = replace(was, valid_until=at)
        story.versions.append(replace(was, policy=policy))

    def backdate(self, lead_id: int, start: datetime) -> None:
        """The start of all that this protection was."""
        story = self.changed(lead_id)
        was = story.now
        story.versions = [
            replace(v, start=start) if (v.user_id, v.start) == (was.user_id, was.start) else v for v in story.versions
        ]

    # --- Jobs --------------------------------------------------------------------------------------------------------

    def recover(self, story: Story, at: datetime) -> None:
        """What the pipeline does first, and recover_from_clock_ahead()."""
        self.take_back_ahead(story, at)
        self.end_waits_ahead(story, at)

    def run_pipeline(self, at: datetime) -> None:
        """A run of the pipeline at that instant of the server's clock."""
        stories = self.stories.values()
        if at < self.last_run:
            # Nothing that was foreseen holds: all are looked at.
            for story in stories:
                story.quiet_until = BEFORE_ALL
        self.last_run = at
        for story in stories:
            if story.quiet_until > at:
                continue
            self.recover(story, at)
            if story.now.user_id is None or story.now.closed_at is not None:
                story.quiet_until = self.next_ahead(story, at)
                continue
            self.reactivate(story, at)
            self.record_expiry(story, at)
            self.remind(story, at)
            self.warn(story, at)
            story.quiet_until = self.next_look(story, at)

    def take_back_ahead(self, story: Story, at: datetime) -> None:
        """What a clock that ran ahead has recorded."""

        def goes(due_at: datetime, sent_at: datetime) -> bool:
            return sent_at > at and due_at > at + SKEW

        def stays(due_at: datetime, sent_at: datetime) -> bool:
            return sent_at > at and due_at <= at

        had_expired = story.standing() is not None
        expiries = [x for x in story.expiries if x.reactivated_at is None and x.recorded_at > at]
        reminders = [r for r in story.reminders if goes(r.due_at, r.sent_at)]
        warnings = [w for w, sent_at in story.warnings.items() if goes(story.warned_for[w], sent_at)]
        kept = [r for r in story.reminders if stays(r.due_at, r.sent_at)]
        kept_warnings = [w for w, sent_at in story.warnings.items() if stays(story.warned_for[w], sent_at)]
        arrived = [r for r in story.reminders if r.delivered_at is not None and r.delivered_at > at + SKEW]
        if not (expiries or reminders or warnings or kept or kept_warnings or arrived):
            return
        for reminder in arrived:
            reminder.delivered_at = at
        taken_back = [x for x in expiries if x.expires_at > at]
        for expiry in expiries:
            if expiry.expires_at > at:
                expiry.reactivated_at = max(at, expiry.recorded_at)
            else:
                expiry.recorded_at = at
        story.reminders = [r for r in story.reminders if r not in reminders]
        for reminder in kept:
            reminder.sent_at = at
        for warning in warnings:
            del story.warnings[warning]
        for warning in kept_warnings:
            story.warnings[warning] = at
        self.counts["taken back: expiries"] += len(taken_back)
        self.counts["taken back: reminders"] += len(reminders)
        self.counts["taken back: warnings"] += len(warnings)
        shown, user_id = story.shown(at), story.now.user_id
        if shown is None or user_id is None:
            return
        if had_expired:
            if shown.state in ("PROTECTED", "REMINDER_DUE", "GRACE") and any(x.user_id == user_id for x in taken_back):
                self.tell(story, REACTIVATED, at, shown.state)
        elif shown.state == "PROTECTED" and any(r.user_id == user_id for r in reminders):
            self.tell(story, REACTIVATED, at, shown.state)

    def end_waits_ahead(self, story: Story, at: datetime) -> None:
        """A repetition that was planned for a day ahead waits no more."""
        for reminder in story.reminders:
            if reminder.retry_at is not None and reminder.retry_at - LONGEST_PAUSE > at + SKEW:
                reminder.retry_at = at

    def reactivate(self, story: Story, at: datetime) -> None:
        """The announced end did not come."""
        shown, user_id = story.shown(at), story.now.user_id
        if shown is None:
            return
        clock = Clock(story.lead(), story.now, at)
        reminders = [
            r
            for r in story.reminders
            if r.user_id == user_id and (r.sent_at >= story.now.start or r.window == clock.window) and r.sent_at <= at
        ]
        standing = story.standing()
        if standing is not None:
            if shown.state not in ("PROTECTED", "REMINDER_DUE", "GRACE"):
                return
            standing.reactivated_at = max(at, standing.recorded_at)
            is_news = True
        else:
            windows = [r.window for r in reminders if r.reactivated_at is None]
            if any(r.window == clock.window for r in reminders) or not windows or max(windows) >= clock.window:
                return
            if shown.state != "PROTECTED":
                return
            is_news = any(
                r.user_id == user_id and r.reactivated_at is None and r.window < clock.window for r in story.reminders
            )
        for reminder in story.reminders:
            if reminder.user_id == user_id and reminder.reactivated_at is None and reminder.window < clock.window:
                reminder.reactivated_at = max(at, reminder.sent_at)
        if is_news:
            self.tell(story, REACTIVATED, at, shown.state)

    def remind(self, story: Story, at: datetime) -> None:
        """What is due, and what did not arrive."""
        shown, user_id = story.shown(at), story.now.user_id
        if shown is None or shown.on_hold or user_id is None:
            return
        clock = Clock(story.lead(), story.now, at)
        own = [r for r in story.reminders if (r.user_id, r.window) == (user_id, clock.window)]
        if shown.state == "REMINDER_DUE":
            assert not own, (story, at)
            story.reminders.append(ReminderRow(user_id, clock.window, clock.due, at))
            self.tell(story, REMINDER, at, "GRACE", f"{clock.window} 1")
        elif shown.state == "GRACE":
            for reminder in own:
                if reminder.retry_at is not None and reminder.retry_at <= at:
                    reminder.retry_at = None
                    reminder.attempts += 1
                    self.tell(story, REMINDER, at, "GRACE", f"{clock.window} {reminder.attempts}")
                    self.counts["repeated reminders"] += 1

    def warn(self, story: Story, at: datetime) -> None:
        """Early warnings."""
        found = expected(story.lead_id, story.lead(), at, self.warnings, story.warnings)
        shown = story.shown(at)
        for warning in found:
            assert shown is not None
            story.warnings[warning] = at
            story.warned_for[warning] = self.warned_at(story.now.policy, warning.window, warning.days_before)
            what = f"{warning.window} {warning.days_before} {warning.audience}"
            self.tell(story, WARNING, at, shown.state, what)

    @staticmethod
    def warned_at(policy: Policy, window: date, days: int) -> datetime:
        """When the warning is due so many days before the window."""
        return instant(datetime.combine(window - timedelta(days=days), policy.reminder_time), zone_of(policy))

    # --- What comes next ---------------------------------------------------------------------------------------------

    @staticmethod
    def next_ahead(story: Story, at: datetime) -> datetime:
        """When what bears an instant ahead may have to be looked at again."""
        ahead = [r.sent_at for r in story.reminders] + [x.recorded_at for x in story.expiries]
        return min((moment for moment in [*ahead, *story.warnings.values()] if moment > at), default=NEVER)

    def next_look(self, story: Story, at: datetime) -> datetime:
        """The next instant at which anything of the lead may change by itself; rather too early than too late."""
        clock = Clock(story.lead(), story.now, at)
        policy = story.now.policy
        marks = {clock.due, clock.expiry(None), clock.expiry(at), midnight(clock.window + timedelta(days=1), policy)}
        for hold in story.holds:
            marks |= {hold.start_at, hold.end_at or NEVER}
        for reminder in story.reminders:
            marks |= {reminder.sent_at, reminder.retry_at or NEVER}
            if reminder.delivered_at is not None:
                marks.add(reminder.delivered_at)
                if policy.calendar is not None:
                    day = local_date(reminder.delivered_at, policy)
                    marks.add(midnight(working_day(day, policy, 1), policy))
        last_day = max(clock.window, local_date(clock.expiry(None) - timedelta(microseconds=1), policy))
        marks |= {self.warned_at(policy, last_day, days) for days, _ in self.warnings[policy]}
        marks.add(self.next_ahead(story, at))
        return min((mark for mark in marks if mark > at), default=NEVER)


# The terms that are there from the beginning.
STANDARD = Policy()
# Terms of all kinds, with early warnings.
TERMS: Warnings = {
    STANDARD: (),
    Policy(reminder_time=time(9)): ((30, "user"), (3, "manager")),
    Policy("parallel", 6, 60, 10, "Europe/Berlin", time(8), True): ((12, "user"), (12, "manager"), (2, "manager")),
    Policy("sequential", 1, 10, 4, "America/New_York", time(2, 30)): ((20, "user"), (4, "user"), (3, "team")),
    Policy("sequential", 2, 20, 10, "Australia/Lord_Howe", time(2, 15), True): ((11, "user"), (9, "manager")),
    Policy("parallel", 3, 25, 5, "UTC", time(0)): (),
    Policy(
        "sequential", 2, 8, 5, "Europe/Berlin", time(8), period_end="end_of_day", hold_unit="day", calendar="DE",
        expiry_on="working_day", remind_on="working_day",
    ): ((14, "user"), (2, "manager")),
    Policy("parallel", 2, 15, 4, "Europe/Berlin", time(8), True, notice_counts_from="delivered"): ((9, "user"),),
    Policy(
        "sequential", 1, 15, 6, "Europe/Berlin", time(8), True, period_end="end_of_day", calendar="DE-NW",
        notice_counts_from="delivered_working_day",
    ): ((20, "user"), (3, "user")),
}  # fmt: skip
