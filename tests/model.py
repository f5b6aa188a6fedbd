"""An independent model of the rule, in Python and zoneinfo: what the SQL is tested against.

It knows nothing of the SQL: it walks the holds of one lead one after another.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Policy:
    """The terms of a sequential protection."""

    base_months: int = 6
    extension_days: int = 60
    grace_days: int = 10
    time_zone: str = "Europe/Berlin"
    reminder_time: time = time(8, 0)


@dataclass(frozen=True)
class Hold:
    """A hold; `end_at` None while it is open."""

    start_at: datetime
    end_at: datetime | None


@dataclass(frozen=True)
class Protection:
    """What a lead shows."""

    protection_expires_at: datetime
    state: str
    on_hold: bool
    reminder_due_at: datetime | None


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Turn a wall-clock time into an instant: a skipped one by the offset before, a repeated one is the later."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    repeated = first.utcoffset() > second.utcoffset()
    return (second if repeated else first).astimezone(UTC)


def base_expiry(start: datetime, policy: Policy) -> datetime:
    """Add months, then days, on the wall clock of the policy."""
    zone = ZoneInfo(policy.time_zone)
    local = start.astimezone(zone).replace(tzinfo=None)
    months = local.year * 12 + local.month - 1 + policy.base_months
    day = local.day
    while True:
        try:
            local = local.replace(year=months // 12, month=months % 12 + 1, day=day)
            break
        except ValueError:
            day -= 1
    return instant(local + timedelta(days=policy.extension_days + policy.grace_days), zone)


def stops(start: datetime, holds: list[Hold], as_of: datetime) -> list[list[datetime]]:
    """The holds as seen at `as_of`, cut at the start and merged where they overlap or touch, in order."""
    merged: list[list[datetime]] = []
    spans = ([max(hold.start_at, start), as_of if hold.end_at is None else hold.end_at] for hold in holds)
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    return merged


def expiry(start: datetime, policy: Policy, holds: list[Hold], as_of: datetime) -> datetime:
    """The expiry as seen at `as_of`: each stop that begins before the expiry reached so far moves it."""
    reached = base_expiry(start, policy)
    for begin, end in stops(start, holds, as_of):
        if begin >= reached:
            break
        reached += end - begin
    return reached


def reminder_due(expires_at: datetime, policy: Policy) -> datetime:
    """The policy's reminder time, `grace_days` calendar days before the local date of the expiry."""
    zone = ZoneInfo(policy.time_zone)
    day = expires_at.astimezone(zone).date() - timedelta(days=policy.grace_days)
    return instant(datetime.combine(day, policy.reminder_time), zone)


def protection(
    start: datetime,
    policy: Policy,
    holds: list[Hold],
    reminders: list[datetime],
    closed_at: datetime | None,
    as_of: datetime,
) -> Protection:
    """What the lead shows at `as_of`."""
    seen = as_of if closed_at is None else min(as_of, closed_at)
    expires_at = expiry(start, policy, holds, seen)
    if seen is closed_at or (closed_at is not None and closed_at <= as_of):
        return Protection(expires_at, "CLOSED", False, None)

    in_force = [h for h in holds if h.start_at <= as_of and (h.end_at is None or as_of < h.end_at) and as_of >= start]
    on_hold = bool(in_force) and as_of < expires_at
    # An open hold that begins this very moment stops the clock without having moved anything.
    looked_at = as_of
    if on_hold:
        looked_at = min(max(h.start_at, start) for h in in_force)
        for begin, end in reversed(stops(start, holds, as_of)):
            if begin <= looked_at <= end:
                looked_at = begin
    expiry_there = expiry(start, policy, holds, looked_at)
    due = reminder_due(expiry_there, policy)
    reminded = any(due <= sent <= as_of for sent in reminders)
    if looked_at >= expiry_there:
        state = "EXPIRED"
    elif looked_at < due:
        state = "PROTECTED"
    else:
        state = "GRACE" if reminded else "REMINDER_DUE"
    return Protection(expires_at, state, on_hold, None if on_hold else due)
