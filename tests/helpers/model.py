"""An independent model of the rule, in Python, zoneinfo and `holidays`: what the SQL is tested against.

It knows nothing of the SQL: it walks the facts of one lead one after another, anew for each instant of looking.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays


@dataclass(frozen=True)
class Policy:
    """The terms of a protection."""

    rule: str = "sequential"
    base_months: int = 6
    extension_days: int = 60
    grace_days: int = 10
    time_zone: str = "Europe/Berlin"
    reminder_time: time = time(8, 0)
    notice_required: bool = False
    period_end: str = "instant"
    hold_unit: str = "elapsed"
    calendar: str | None = None
    expiry_on: str = "any_day"
    remind_on: str = "any_day"
    notice_counts_from: str = "sent"

    @property
    def counts_by_days(self) -> bool:
        """Whether the expiry is no matter of elapsed time alone."""
        return self.period_end != "instant" or self.hold_unit != "elapsed"


@dataclass(frozen=True)
class Version:
    """What a lead is until `valid_until`, or from then on if that is None; without a user it is nobody's."""

    user_id: int | None
    policy: Policy
    start: datetime
    closed_at: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True)
class Hold:
    """A hold; `end_at` None while it is open."""

    user_id: int
    start_at: datetime
    end_at: datetime | None


@dataclass(frozen=True)
class Activity:
    """An activity; deleted or of a kind that does not qualify, it changes nothing."""

    user_id: int
    occurred_at: datetime
    kind: str = "QUALIFIED_CALL"
    deleted: bool = False


@dataclass(frozen=True)
class Extension:
    """Days granted on request."""

    user_id: int
    granted_at: datetime
    days: int


@dataclass(frozen=True)
class Reminder:
    """A reminder of the window that ends on `window`; adopted if another system sent it."""

    user_id: int
    sent_at: datetime
    window: date
    delivered_at: datetime | None = None
    adopted: bool = False


@dataclass(frozen=True)
class Lead:
    """All that is known of a lead; its versions in order, the present one last."""

    versions: tuple[Version, ...]
    holds: tuple[Hold, ...] = ()
    activities: tuple[Activity, ...] = ()
    extensions: tuple[Extension, ...] = ()
    reminders: tuple[Reminder, ...] = ()


@dataclass(frozen=True)
class Protection:
    """What a lead shows."""

    user_id: int | None
    protection_expires_at: datetime | None
    state: str
    on_hold: bool
    reminder_due_at: datetime | None


QUALIFYING = ("QUALIFIED_CALL", "CUSTOMER_REACTION", "SCHEDULED_FOLLOWUP", "SAMPLE_FEEDBACK", "ROI_PRESENTATION")


@cache
def zone_of(policy: Policy) -> ZoneInfo:
    """The zone of the policy's calendar."""
    return ZoneInfo(policy.time_zone)


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Turn a wall-clock time into an instant: a skipped one by the offset before, a repeated one is the later."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    repeated = first.astimezone(UTC) < second.astimezone(UTC)
    return (second if repeated else first).astimezone(UTC)


def calendar(begin: datetime, policy: Policy, months: int, days: int) -> datetime:
    """Add months, then days, on the wall clock of the policy."""
    zone = zone_of(policy)
    local = begin.astimezone(zone).replace(tzinfo=None)
    months += local.year * 12 + local.month - 1
    day = local.day
    while True:
        try:
            local = local.replace(year=months // 12, month=months % 12 + 1, day=day)
            break
        except ValueError:
            day -= 1
    return instant(local + timedelta(days=days), zone)


def local_date(moment: datetime, policy: Policy) -> date:
    """The date on the policy's calendar."""
    return moment.astimezone(zone_of(policy)).date()


@cache
def days_off(code: str) -> holidays.HolidayBase:
    """The holidays of a calendar of ours, such as DE-NW."""
    country, _, state = code.partition("-")
    return holidays.country_holidays(country, subdiv=state or None)


def working_day(day: date, policy: Policy, step: int) -> date:
    """The day, or the nearest working day of the policy's calendar in the direction of `step`."""
    while day.weekday() >= 5 or day in days_off(policy.calendar):
        day += timedelta(days=step)
    return day


def midnight(day: date, policy: Policy) -> datetime:
    """The first instant of a local day."""
    return instant(datetime.combine(day, time()), zone_of(policy))


def last_day(reached: datetime, policy: Policy) -> date:
    """The last protected day of a clock that reaches to an instant."""
    day = local_date(reached, policy)
    return working_day(day, policy, 1) if policy.expiry_on == "working_day" else day


def end_of(reached: datetime, policy: Policy) -> datetime:
    """When the protection ends whose clock reaches to an instant."""
    if policy.period_end == "instant":
        return reached
    return midnight(last_day(reached, policy) + timedelta(days=1), policy)


def received(reminder: Reminder, policy: Policy, as_of: datetime) -> datetime | None:
    """When a notice counts as received, as known at `as_of`."""
    if policy.notice_counts_from == "sent" or reminder.adopted:
        return reminder.sent_at
    if reminder.delivered_at is None or reminder.delivered_at > as_of:
        return None
    day = local_date(reminder.delivered_at, policy)
    if policy.notice_counts_from == "delivered" or working_day(day, policy, 1) == day:
        return reminder.delivered_at
    return midnight(working_day(day, policy, 1), policy)


def reminder_due(window: date, policy: Policy) -> datetime:
    """The policy's reminder time, `grace_days` days before the last protected day, or the working day before."""
    day = window - timedelta(days=policy.grace_days)
    if policy.remind_on == "working_day":
        day = working_day(day, policy, -1)
    return instant(datetime.combine(day, policy.reminder_time), zone_of(policy))


def merge(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Make one of those that overlap or touch; in order."""
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged


def touched(begin: datetime, end: datetime, policy: Policy) -> set[date]:
    """The local days that a stop touches."""
    first, last = local_date(begin, policy), local_date(end - timedelta(microseconds=1), policy)
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}


def stopped(base: datetime, begin: datetime, spans: Iterable[tuple[datetime, datetime]], policy: Policy) -> datetime:
    """What a clock reaches to that began at `begin`: each stop that begins before the protection ends moves it."""
    reached = base
    days: set[date] = set()
    granted = 0
    for stop_begin, stop_end in merge((max(span[0], begin), span[1]) for span in spans if span[1] > begin):
        if stop_begin >= end_of(reached, policy):
            break
        if policy.hold_unit == "day":
            stop_days = touched(stop_begin, stop_end, policy)
            # The days that the calendar has added by then stay.
            if min(stop_days) > local_date(reached, policy):
                granted += (last_day(reached, policy) - local_date(reached, policy)).days
            days |= stop_days
            reached = calendar(base, policy, 0, len(days) + granted)
        else:
            begins_in_time = stop_begin < reached
            reached = (reached if begins_in_time else end_of(reached, policy)) + (stop_end - stop_begin)
    return reached


def version_at(lead: Lead, as_of: datetime) -> Version | None:
    """What the lead was at `as_of`; None if its protection had not begun."""
    for version in lead.versions:
        if version.valid_until is None or as_of < version.valid_until:
            return version if version.start <= as_of else None
    raise ValueError("the last version has an end")


class Clock:
    """The clock of one version of a lead, with what was known at `as_of`."""

    def __init__(self, lead: Lead, version: Version, as_of: datetime):
        self.start = version.start
        self.policy = policy = version.policy
        self.closed_at = version.closed_at if version.closed_at is not None and version.closed_at <= as_of else None
        self.seen = as_of if self.closed_at is None else self.closed_at
        self.user_id = version.user_id
        self.holds = [hold for hold in lead.holds if hold.user_id == self.user_id]
        self.reminders = [
            reminder for reminder in lead.reminders if reminder.user_id == self.user_id and reminder.sent_at <= as_of
        ]
        self.restarted_at = max(
            (
                activity.occurred_at
                for activity in lead.activities
                if activity.user_id == self.user_id
                and activity.kind in QUALIFYING
                and not activity.deleted
                and self.start <= activity.occurred_at <= self.seen
            ),
            default=self.start,
        )
        granted = [
            extension
            for extension in lead.extensions
            if extension.user_id == self.user_id and self.start <= extension.granted_at <= self.seen
        ]
        days = policy.extension_days + policy.grace_days
        on_request = sum(extension.days for extension in granted)
        if policy.rule == "sequential":
            self.clocks = [(self.start, calendar(self.start, policy, policy.base_months, days + on_request))]
        else:
            since = sum(extension.days for extension in granted if extension.granted_at >= self.restarted_at)
            self.clocks = [
                (self.start, calendar(self.start, policy, policy.base_months, on_request)),
                (self.restarted_at, calendar(self.restarted_at, policy, 0, days + since)),
            ]

        # The window and the notice belong to the clock as it stands without what an open hold has yet to add.
        self.window = last_day(self.reached(self.spans(None)), policy)
        self.due = reminder_due(self.window, policy)
        # A window is reminded of once, even if the user's protection began anew since.
        counting_from = max(self.start, self.due)
        self.reminded_at = min(
            (r.sent_at for r in self.reminders if r.sent_at >= counting_from or r.window == self.window), default=None
        )
        receipts = [
            received(r, policy, as_of) for r in self.reminders if r.sent_at >= counting_from or r.window == self.window
        ]
        self.noticed_at = min((receipt for receipt in receipts if receipt is not None), default=None)
        self.owes_notice = policy.notice_required and self.noticed_at is None

    def spans(self, open_until: datetime | None) -> list[tuple[datetime, datetime]]:
        """The holds from the start on; an open one until `open_until`, and none of it if that is None."""
        spans = []
        for hold in self.holds:
            # Closing the lead ends its holds that have no end.
            end = hold.end_at or self.closed_at or open_until
            begin = max(hold.start_at, self.start)
            if end is not None and begin < end:
                spans.append((begin, end))
        return spans

    def reached(self, spans: list[tuple[datetime, datetime]]) -> datetime:
        """What the clock reaches to that ends first."""
        return min(stopped(base, begin, spans, self.policy) for begin, base in self.clocks)

    def noticed(self, received_at: datetime, spans: list[tuple[datetime, datetime]]) -> datetime:
        """The end of the grace days after a notice."""
        base = calendar(received_at, self.policy, 0, self.policy.grace_days)
        return end_of(stopped(base, received_at, spans, self.policy), self.policy)

    def expiry(self, open_until: datetime | None) -> datetime:
        """The expiry, which waits for the end of the grace days after a late reminder where notice is required."""
        spans = self.spans(open_until)
        expires_at = end_of(self.reached(spans), self.policy)
        if self.policy.notice_required and self.noticed_at is not None:
            expires_at = max(expires_at, self.noticed(self.noticed_at, spans))
        return expires_at

    def stopped_since(self, as_of: datetime) -> datetime | None:
        """Where the clock stopped that stands still at `as_of`; None if it runs or has run out."""
        in_force = [h for h in self.holds if h.start_at <= as_of and (h.end_at is None or as_of < h.end_at)]
        if not in_force or not (self.owes_notice or as_of < self.expiry(as_of)):
            return None
        # An open hold that begins this very moment stops the clock without having moved anything.
        just_begun = [(as_of, as_of) for hold in in_force if max(hold.start_at, self.start) == as_of]
        return next(begin for begin, end in merge(self.spans(as_of) + just_begun) if begin <= as_of <= end)

    def state(self, moment: datetime) -> str:
        """The state where the clock stands at `moment`."""
        if self.closed_at is not None:
            return "CLOSED"
        if moment >= self.expiry(None) and not self.owes_notice:
            return "EXPIRED"
        if moment < self.due:
            return "PROTECTED"
        return "REMINDER_DUE" if self.reminded_at is None else "GRACE"


def protection(lead: Lead, as_of: datetime) -> Protection | None:
    """What the lead shows at `as_of`; None if its protection had not begun."""
    version = version_at(lead, as_of)
    if version is None:
        return None
    if version.user_id is None:
        is_closed = version.closed_at is not None and version.closed_at <= as_of
        return Protection(None, None, "CLOSED" if is_closed else "FREE", False, None)
    clock = Clock(lead, version, as_of)
    since = clock.stopped_since(as_of) if clock.closed_at is None else None
    state = clock.state(as_of if since is None else since)
    # While it runs, no open hold is in force that counts: what has not begun or came too late adds nothing.
    expires_at = clock.expiry(None if since is None else as_of)
    if clock.owes_notice and state in ("REMINDER_DUE", "GRACE"):
        # As if the notice were given now: what is planned to stop the clock will stop that one, too.
        expires_at = max(expires_at, clock.noticed(as_of, clock.spans(as_of)))
    due = None if since is not None or clock.closed_at is not None else clock.due
    return Protection(version.user_id, expires_at, state, since is not None, due)


def time_left(lead: Lead, as_of: datetime, shown: Protection | None) -> timedelta | None:
    """For how long a protection has still to run: as if what stops the clock ended now, and nothing were planned."""
    if shown is None or shown.state in ("CLOSED", "FREE"):
        return None
    if shown.state == "EXPIRED":
        return timedelta()
    clock = Clock(lead, version_at(lead, as_of), as_of)
    spans = [(begin, min(end, as_of)) for begin, end in clock.spans(as_of) if begin < as_of]
    reached = [end_of(clock.reached(spans), clock.policy)]
    if clock.policy.notice_required and clock.noticed_at is not None:
        reached.append(clock.noticed(clock.noticed_at, spans))
    elif clock.owes_notice and shown.state in ("REMINDER_DUE", "GRACE"):
        reached.append(clock.noticed(as_of, spans))
    return max(reached) - as_of


def stands_still_by_days(lead: Lead, as_of: datetime, shown: Protection | None) -> bool:
    """Whether the clock stands still and counts by days: what is left then is what was when it stopped."""
    return shown is not None and shown.on_hold and version_at(lead, as_of).policy.counts_by_days
