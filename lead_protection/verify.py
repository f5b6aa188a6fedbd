#!/usr/bin/env python3
"""Checks an export of Lead Protection, without the database and with nothing but Python's standard library.

    python3 verify.py export.json --seal checkpoint.txt

It recomputes the hash of each row of the log, the chain of each lead, the Merkle tree up to the seal that was kept
outside, and every date from the facts; and it compares the facts with the log. docs/seals.md says what that proves.
The rule is written here once more, on purpose: what checks the database must not be its code.

Exit status: 0 all is well; 1 something is not, and where is printed; 2 the export cannot be checked.
"""

import argparse
import json
import re
import struct
import sys
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

Row = tuple[Any, ...]
ONE, ERA = timedelta(microseconds=1), datetime(2000, 1, 1, tzinfo=UTC)
CHECKPOINT = "lead-protection seal v1\nnumber {}\nsealed_at {}\ntree_size {}\nroot {}\nprevious {}\n"
# What a policy may say. One that says more is of a later version, and its dates cannot be told here.
TERMS: dict[str, tuple[str, ...]] = {
    "rule": ("sequential", "parallel"),
    "period_end": ("instant", "end_of_day"),
    "hold_unit": ("elapsed", "day"),
}
TERMS |= {"expiry_on": ("any_day", "working_day"), "remind_on": ("any_day", "working_day")}
TERMS |= {"notice_counts_from": ("sent", "delivered", "delivered_working_day")}
NUMBERS = {
    "base_months",
    "extension_days",
    "grace_days",
    "time_zone",
    "reminder_time",
    "notice_required",
    "calendar_id",
}


class CannotBeChecked(Exception):
    """The export is not one that this program knows."""


class Problem(NamedTuple):
    """What is wrong, and where: in which lead and which row of its log, if in one, and in what of it."""

    lead_id: int | None
    log_number: int | None
    kind: str
    text: str

    def __str__(self) -> str:
        row = "" if self.log_number is None else f", row {self.log_number}"
        return f"{'the log' if self.lead_id is None else f'lead {self.lead_id}'}{row}: {self.kind}: {self.text}"


# --- The rule, as docs/rule.md has it --------------------------------------------------------------------------------


class Terms:
    """The terms of a policy, with its calendar."""

    def __init__(self, policy: dict[str, Any], calendars: dict[str, Any]):
        strange = [name for name in policy if policy[name] not in TERMS.get(name, [policy[name]])]
        if strange := strange + sorted(policy.keys() ^ (TERMS.keys() | NUMBERS)):
            raise CannotBeChecked(f"a policy has terms that this program does not know: {', '.join(strange)}")
        self.rule, self.period_end, self.hold_unit = policy["rule"], policy["period_end"], policy["hold_unit"]
        self.expiry_on, self.remind_on = policy["expiry_on"], policy["remind_on"]
        self.months, self.days, self.grace = policy["base_months"], policy["extension_days"], policy["grace_days"]
        self.zone, self.reminder_time = ZoneInfo(policy["time_zone"]), time.fromisoformat(policy["reminder_time"])
        self.notice, self.counts_from = policy["notice_required"], policy["notice_counts_from"]
        self.calendar: dict[str, Any] = calendars.get(str(policy["calendar_id"]), {})

    def instant(self, local: datetime) -> datetime:
        """Turn a wall-clock time into an instant: a skipped one by the offset before, a repeated one is the later."""
        first, second = (local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return second if first < second else first

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def add(self, begin: datetime, months: int, days: int) -> datetime:
        """Add months, then days, on the wall clock."""
        local = begin.astimezone(self.zone).replace(tzinfo=None)
        year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
        day = min(local.day, monthrange(year, month + 1)[1])
        return self.instant(local.replace(year=year, month=month + 1, day=day) + timedelta(days=days))

    def working_day(self, day: date, step: int) -> date:
        """The day, or the nearest working day in the direction of step."""
        while day.isoweekday() in self.calendar["rest_days"] or day.isoformat() in self.calendar["days"]:
            day += timedelta(days=step)
        return day

    def last_day(self, reached: datetime) -> date:
        """The last protected day of a clock that reaches to an instant."""
        return self.working_day(self.day(reached), 1) if self.expiry_on == "working_day" else self.day(reached)

    def midnight(self, day: date) -> datetime:
        return self.instant(datetime.combine(day, time()))

    def end(self, reached: datetime) -> datetime:
        """When a protection ends whose clock reaches to an instant."""
        return reached if self.period_end == "instant" else self.midnight(self.last_day(reached) + timedelta(days=1))

    def due(self, window: date) -> datetime:
        """When the reminder of a window falls due."""
        day = window - timedelta(days=self.grace)
        day = self.working_day(day, -1) if self.remind_on == "working_day" else day
        return self.instant(datetime.combine(day, self.reminder_time))

    def received(self, reminder: dict[str, Any], as_of: datetime) -> datetime | None:
        """When a notice counts as received, by what was known at an instant."""
        if self.counts_from == "sent" or reminder["adopted"]:
            return cast(datetime, reminder["sent_at"])
        arrived = min((at for at in reminder["delivered_at"] if at <= as_of), default=None)
        if arrived is None or self.counts_from == "delivered":
            return arrived
        day = self.working_day(self.day(arrived), 1)
        return arrived if day == self.day(arrived) else self.midnight(day)

    def stopped(self, base: datetime, begin: datetime, spans: list[Row]) -> datetime:
        """What a clock reaches to that began at `begin`: each stop that begins before the protection ends moves it."""
        reached, days, last = base, 0, date.min
        for start, end in merged([(max(span[0], begin), span[1]) for span in spans if span[1] > begin]):
            if start >= self.end(reached):
                break
            if self.hold_unit == "elapsed":
                reached = (reached if start < reached else self.end(reached)) + (end - start)
                continue
            if self.day(start) > self.day(reached):  # it begins in days that the calendar added: they are granted
                days += (self.last_day(reached) - self.day(reached)).days
            first, last = max(self.day(start), last + timedelta(days=1)), self.day(end - ONE)
            days += (last - first).days + 1
            reached = self.add(base, 0, days)
        return reached


def merged(spans: list[Row]) -> list[Row]:
    """Make one of those that overlap or touch; in order."""
    result: list[Row] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], end)
        else:
            result.append((begin, end))
    return result


def shown(lead: dict[str, list[Any]], policies: dict[str, Terms], qualifying: list[str], as_of: datetime) -> Row | None:
    """Tell user, expiry, state, on hold and due instant of a lead at `as_of`; None if its protection had not begun."""
    version = next(v for v in lead["versions"] if v["valid_until"] is None or as_of < v["valid_until"])
    user_id, start, closed_at = version["user_id"], version["started_at"], version["closed_at"]
    if start > as_of:
        return None
    if closed_at is not None and closed_at > as_of:
        closed_at = None
    if user_id is None:
        return None, None, "CLOSED" if closed_at else "FREE", False, None
    terms, seen = policies[str(version["policy_id"])], closed_at or as_of
    names = ("holds", "activities", "extensions", "reminders")
    holds, activities, extensions, reminders = ([f for f in lead[name] if f["user_id"] == user_id] for name in names)
    holds = [hold for hold in holds if hold["voided_at"] is None]
    activities = [f for f in activities if f["kind"] in qualifying and f["deleted_at"] is None]
    idle_from = max((f["occurred_at"] for f in activities if start <= f["occurred_at"] <= seen), default=start)
    granted = [(f["granted_at"], f["days"]) for f in extensions if start <= f["granted_at"] <= seen]
    on_request, days = sum(days for _, days in granted), terms.days + terms.grace
    if terms.rule == "sequential":
        clocks = [(start, terms.add(start, terms.months, days + on_request))]
    else:
        days += sum(days for at, days in granted if at >= idle_from)
        clocks = [(start, terms.add(start, terms.months, on_request)), (idle_from, terms.add(idle_from, 0, days))]

    def spans(open_until: datetime | None) -> list[Row]:
        """The holds from the start on; an open one until then, and none of it if that is None."""
        found = [(max(h["start_at"], start), h["end_at"] or closed_at or open_until) for h in holds]
        return [(begin, end) for begin, end in found if end is not None and begin < end]

    def expiry(open_until: datetime | None, received_at: datetime | None) -> datetime:
        """When the protection ends, and not before the grace days after a notice that was received have passed."""
        expires_at = terms.end(min(terms.stopped(base, begin, spans(open_until)) for begin, base in clocks))
        if not terms.notice or received_at is None:
            return expires_at
        base = terms.add(received_at, 0, terms.grace)
        return max(expires_at, terms.end(terms.stopped(base, received_at, spans(open_until))))

    window = terms.last_day(min(terms.stopped(base, begin, spans(None)) for begin, base in clocks))
    due = terms.due(window)
    covers = [f for f in reminders if f["sent_at"] >= max(start, due) or f["window_date"] == window]
    covers = [f for f in covers if f["sent_at"] <= as_of]
    receipt = min((at for f in covers if (at := terms.received(f, as_of)) is not None), default=None)
    owed = terms.notice and receipt is None
    stands_since = None
    in_force = [h for h in holds if h["start_at"] <= as_of and (h["end_at"] is None or as_of < h["end_at"])]
    if closed_at is None and in_force and (owed or as_of < expiry(as_of, receipt)):
        # An open hold that begins this very moment stops the clock without having moved anything.
        begun = [(as_of, as_of) for hold in in_force if max(hold["start_at"], start) == as_of]
        stands_since = next(begin for begin, end in merged(spans(as_of) + begun) if begin <= as_of <= end)
    at = stands_since or as_of
    state = "GRACE" if covers else "REMINDER_DUE"
    if closed_at is not None:
        state = "CLOSED"
    elif at >= expiry(None, receipt) and not owed:
        state = "EXPIRED"
    elif at < due:
        state = "PROTECTED"
    # While a notice is owed, as if it were given now.
    given_at = as_of if owed and state in ("REMINDER_DUE", "GRACE") else receipt
    expires_at = expiry(as_of if stands_since or given_at == as_of else None, given_at)
    return user_id, expires_at, state, stands_since is not None, None if stands_since or closed_at else due


def parsed(fact: dict[str, Any]) -> dict[str, Any]:
    """Turn the instants of a fact, which end in _at or _until, and the date of a window into Python's."""
    result = dict(fact)
    for name, value in fact.items():
        if name.endswith(("_at", "_until")) and value is not None:
            result[name] = [*map(datetime.fromisoformat, value)] if isinstance(value, list) else at(value)
        elif name == "window_date":
            result[name] = date.fromisoformat(value)
    return result


def at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# --- The written form of a row, as docs/log-format.md has it ---------------------------------------------------------


def field(value: Any) -> bytes:
    """Write a field: its length in bytes, a colon, the bytes; null is a colon alone."""
    text = value if isinstance(value, bytes) else str(value).encode()
    return b":" if value is None else b"%d:%s" % (len(text), text)


def typed(value: Any) -> bytes:
    """Write a value of the details: the word for its type, and its field."""
    if isinstance(value, bool) or value is None:
        return b"null:" if value is None else b"boolean" + field("true" if value else "false")
    if isinstance(value, (int, Decimal)):
        return b"number" + field(format(value, "f") if isinstance(value, Decimal) else value)
    if isinstance(value, str):
        return b"string" + field(value)
    return (
        b"array" + field(b"".join(map(typed, value))) if isinstance(value, list) else b"object" + field(members(value))
    )


def members(details: dict[str, Any]) -> bytes:
    names = sorted(details, key=lambda name: (len(name.encode()), name.encode()))
    return b"".join(field(name) + typed(details[name]) for name in names)


def row_hash(before: str | None, lead_id: int, row: dict[str, Any]) -> str:
    """Recompute the hash of a row of the log, by that of the row before it."""
    texts = row.get("texts_hash")
    if row.get("texts_salt") is not None:
        texts = sha256(bytes.fromhex(row["texts_salt"]) + field(row["reason"]) + field(row["evidence"])).hexdigest()
    names = "log_number event_id event_type user_id actor_id occurred_at recorded_at state_before"
    names += " expires_before state_after expires_after session_role application_name chained_at"
    values = ["lead-protection log 1", lead_id, *(row[name] for name in names.split()), texts, members(row["details"])]
    for place in (7, 8, 10, 12, 15):
        if values[place] is not None:
            values[place] = struct.pack(">q", (datetime.fromisoformat(values[place]) - ERA) // ONE).hex()
    return sha256(bytes.fromhex(before or "") + sha256(b"".join(map(field, values))).digest()).hexdigest()


# --- The Merkle tree, by RFC 6962 ------------------------------------------------------------------------------------


def node(*children: bytes) -> bytes:
    return sha256(b"\1" + b"".join(children)).digest()


def root_by_path(hashed: bytes, leaf: int, tree_size: int, path: list[str]) -> bytes | None:
    """Return the root that a path from a leaf leads to; None if it leads nowhere."""
    last = tree_size - 1
    for step in map(bytes.fromhex, path):
        if last == 0:
            return None
        hashed = node(step, hashed) if leaf % 2 or leaf == last else node(hashed, step)
        while leaf == last and leaf % 2 == 0 and leaf:
            leaf, last = leaf >> 1, last >> 1
        leaf, last = leaf >> 1, last >> 1
    return hashed if last == 0 else None


def roots(leaves: bytearray, sizes: set[int]) -> dict[int, str]:
    """Return the roots over the first so many leaves, for each of the sizes."""
    found: dict[int, str] = {}
    complete: list[tuple[int, bytes]] = []
    for size in range(1, len(leaves) // 48 + 1):
        height, hashed = 0, sha256(b"\0" + leaves[48 * size - 48 : 48 * size]).digest()
        while complete and complete[-1][0] == height:
            height, hashed = height + 1, node(complete.pop()[1], hashed)
        complete.append((height, hashed))
        if size in sizes:
            for _, left in reversed(complete[:-1]):
                hashed = node(left, hashed)
            found[size] = hashed.hex()
    return found


class Seal(NamedTuple):
    """A seal of the log."""

    number: int
    sealed_at: str
    tree_size: int
    root: str
    previous: str


def seals_in(text: str) -> list[Seal]:
    """Find the checkpoints in a text, such as a mail."""
    found = re.findall(CHECKPOINT.replace("{}", r"(\S+)"), text.replace("\r\n", "\n") + "\n")
    return [Seal(int(number), sealed_at, int(size), *hashes) for number, sealed_at, size, *hashes in found]


# --- The checks ------------------------------------------------------------------------------------------------------


class Check:
    """The checks of one export; problems gather as its leads come by."""

    def __init__(self, head: dict[str, Any], outside: list[Seal]):
        if head.get("format") != "lead-protection export v1":
            raise CannotBeChecked("this is no export of a version that this program knows")
        policies, calendars = head["policies"] or {}, head["calendars"] or {}
        self.policies = {key: Terms(policy, calendars) for key, policy in policies.items()}
        self.qualifying, self.whole = head["qualifying"], head["whole"]
        self.as_of = datetime.fromisoformat(head["as_of"])
        self.seals, self.outside = [Seal(*seal) for seal in head["seals"]], outside
        self.problems: list[Problem] = []
        self.leaves, self.departed = bytearray(), dict[int, str]()
        self.leads = self.rows = self.sealed = self.otherwise = 0
        if outside and not self.whole and not {seal.number for seal in outside} & {s.number for s in self.seals}:
            raise CannotBeChecked(f"export it with --seal {outside[-1].number}: this one leads to another seal")

    def say(self, lead_id: int | None, log_number: int | None, kind: str, text: str) -> None:
        self.problems.append(Problem(lead_id, log_number, kind, text))

    def lead(self, lead: dict[str, Any]) -> None:
        self.leads, self.rows = self.leads + 1, self.rows + len(lead["log"])
        self.tree(lead["lead_id"], lead["leaves"])
        if (moved := lead.get("departed")) and not lead["log"] and all(f[1] <= moved["rows"] for f in lead["leaves"]):
            # Where it is now its rows have leaves with the same hashes.
            self.departed[lead["lead_id"]] = moved["to"]
            return
        self.chain(lead["lead_id"], lead["log"], {number: hashed for _, number, hashed, *_ in lead["leaves"]})
        facts = {name: [parsed(fact) for fact in found or []] for name, found in lead["facts"].items()}
        if facts["versions"]:
            self.dates(lead["lead_id"], facts, lead)
            self.facts_by_log(lead["lead_id"], facts, lead["log"])
        elif lead["log"]:
            self.say(lead["lead_id"], None, "leads", "the log tells of the lead, and it is gone")

    def chain(self, lead_id: int, log: list[dict[str, Any]], sealed: dict[int, str]) -> None:
        """Each row has the next number, and the hash that was sealed: over itself and the hash of the one before."""
        number = 0
        erased = max((row["log_number"] or 0 for row in log if row["event_type"] == "lead.texts.erased"), default=0)
        there = {row["log_number"] for row in log} - {None}
        for missing in sorted(({*range(1, max(there, default=0))} | sealed.keys()) - there):
            was = "was sealed, and " if missing in sealed else ""
            self.say(lead_id, missing, "log_number", f"the row {was}is gone")
        for row in log:
            before, number = number, row["log_number"]
            if number is None:
                self.say(lead_id, None, "log_number", f"event {row['event_id']} is not chained")
                continue
            if number == before:
                self.say(lead_id, number, "log_number", "two rows have this number")
            if number not in sealed and number < max(sealed, default=0):
                self.say(lead_id, number, "seal", "the row was not sealed, and a later one was")
            if number in sealed and row_hash(sealed.get(number - 1), lead_id, row) != sealed[number]:
                self.say(lead_id, number, "row_hash", "the row was sealed, and said something else then")
            if row.get("texts") == "added":
                self.say(lead_id, number, "texts", "it has texts that were erased")
            if row.get("texts") == "erased" and number > erased:
                self.say(lead_id, number, "texts", "they were erased, and no later row says so")

    def tree(self, lead_id: int, leaves: list[list[Any]]) -> None:
        """Each leaf leads to the seal."""
        for leaf, number, hashed, *path in leaves:
            data = struct.pack(">qq32s", lead_id, number, bytes.fromhex(hashed))
            if self.whole:
                self.leaves += bytes(max(0, 48 * leaf + 48 - len(self.leaves)))
                self.leaves[48 * leaf : 48 * leaf + 48] = data
            elif path:
                self.sealed += 1
                root = root_by_path(sha256(b"\0" + data).digest(), leaf, self.seals[-1].tree_size, path[0])
                if root != bytes.fromhex(self.seals[-1].root):
                    self.say(lead_id, number, "seal", f"the row is not one that seal {self.seals[-1].number} covers")

    def dates(self, lead_id: int, facts: dict[str, list[Any]], lead: dict[str, Any]) -> None:
        """What the database shows follows from the facts."""
        found = shown(facts, self.policies, self.qualifying, self.as_of)
        told = parsed(lead["shown"] or {})
        names = ("user_id", "protection_expires_at", "state", "on_hold", "reminder_due_at")
        for name, computed in zip(names, found or [None] * 5, strict=True):
            if computed != told.get(name):
                text = f"the database shows {told.get(name)}, by the facts it is {computed}"
                self.say(lead_id, None, name, text)
        # What was shown at the time may differ from what is known now: a hold that was entered later counts.
        for row in lead["log"]:
            now = shown(facts, self.policies, self.qualifying, datetime.fromisoformat(row["occurred_at"]))
            was = row["state_after"], at(row["expires_after"])
            self.otherwise += was[0] is not None and (now is None or (now[2], now[1]) != was)

    def facts_by_log(self, lead_id: int, facts: dict[str, list[Any]], log: list[dict[str, Any]]) -> None:
        """What the log last told of a fact is what the fact is; what it never told of came by an adoption or import."""
        told: dict[Row, dict[str, Any]] = {("leads", lead_id): (lead := {})}
        for row in log:
            kind, details, when = row["event_type"].removeprefix("lead."), row["details"], row["occurred_at"]
            if kind in ("created", "changed", "protection.backdated") and "started_at" in details:
                lead["started_at"] = details["started_at"]
            if kind in ("created", "changed", "protection.transferred", "protection.given_back"):
                lead["user_id"] = row["user_id"]
            if kind in ("protection.transferred", "protection.given_back"):
                lead["started_at"] = when
            # One that was closed when it was deleted stays closed since it was.
            still = kind == "deleted" and "outcome_before" in details
            if kind in ("closed", "deleted", "reopened", "created", "changed") and not still:
                then = {"closed": when, "deleted": when, "reopened": None}
                lead["closed_at"] = then.get(kind, details.get("closed_at"))
            if "policy_id" in details:
                lead["policy_id"] = details["policy_id"]
            if kind.startswith("hold.") and kind != "hold.limit_near" and "hold_start_at" in details:
                hold = {"start_at": details["hold_start_at"], "end_at": details.get("hold_end_at")}
                told["holds", details["hold_id"]] = hold | {"voided": kind == "hold.voided"}
            if kind.startswith("activity."):
                activity = {"user_id": details["activity_user_id"], "kind": details["kind"]}
                activity |= {"occurred_at": details["activity_occurred_at"], "deleted": kind == "activity.deleted"}
                told["activities", details["activity_id"]] = activity
            if kind == "protection.extended":
                extension = {"user_id": row["user_id"], "days": details["days"], "granted_at": when}
                told["extensions", details["extension_id"]] = extension
        there = {(table, fact["id"]): fact for table in ("holds", "activities", "extensions") for fact in facts[table]}
        there["leads", lead_id] = facts["versions"][-1]
        for (table, key), values in told.items():
            if (fact := there.get((table, key))) is None:
                self.say(lead_id, None, table, f"the log tells of {key}, and it is gone")
                continue
            gone = {"voided": fact.get("voided_at") is not None, "deleted": fact.get("deleted_at") is not None}
            for name, value in parsed(values).items():
                if value != (found := (fact | gone)[name]):
                    self.say(lead_id, None, table, f"{key}: {name} is {found}, by the log it is {value}")

    def end(self) -> None:
        """What can be said only when all leads were there: of the seals, and of the whole tree."""
        so_far = len(self.problems)
        for before, seal in zip(self.seals, self.seals[1:], strict=False):
            expected = before.number + 1, sha256(CHECKPOINT.format(*before).encode()).hexdigest()
            if (seal.number, seal.previous) != expected:
                self.say(None, None, "seal", f"seal {seal.number} does not follow upon seal {before.number}")
        mine = {seal.number: seal for seal in self.seals}
        for seal in self.outside:
            if mine.get(seal.number) != seal and (self.whole or seal.number in mine):
                found = "another one" if seal.number in mine else "gone"
                self.say(None, None, "seal", f"seal {seal.number} was kept outside, and here it is {found}")
        # The own ones are as good as those from outside, unless they contradict them.
        own = [] if self.outside and len(self.problems) > so_far else self.seals
        ordered = sorted({*own, *self.outside}, key=lambda seal: seal.tree_size)
        computed, good = roots(self.leaves, {seal.tree_size for seal in ordered}), 0
        for seal in ordered if self.whole else []:
            if computed.get(seal.tree_size) == seal.root:
                self.sealed = good = seal.tree_size
                continue
            places = range(48 * good, min(48 * seal.tree_size, len(self.leaves)), 48)
            owners = ["lead {} row {}".format(*struct.unpack_from(">qq", self.leaves, place)) for place in places]
            text = f"leaves {good} to {seal.tree_size - 1} are not those of seal {seal.number}; now they are"
            self.say(None, None, "seal", f"{text} {', '.join(owners[:20]) or 'gone'}{' …' if owners[20:] else ''}")
            break


def read_export(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the head of an export, and then its leads, a line each: not all need be in memory."""
    with path.open(encoding="utf-8") as lines:
        yield json.loads(lines.readline().rstrip().removesuffix("[") + "[]}")
        for line in lines:
            if line.startswith("]}"):
                return
            yield json.loads(line.lstrip(","), parse_float=Decimal)
    raise CannotBeChecked("the file is cut off")


def main(argv: list[str] | None = None) -> int:
    """Check a file and print what was found."""
    parser = argparse.ArgumentParser(description="Checks an export of Lead Protection, without the database.")
    parser.add_argument("export", type=Path, help="what lead-protection export wrote")
    parser.add_argument("--seal", type=Path, action="append", default=[], help="a checkpoint that was kept outside")
    args = parser.parse_args(argv)
    try:
        outside = [seal for path in args.seal for seal in seals_in(path.read_text(encoding="utf-8"))]
        if args.seal and not outside:
            raise CannotBeChecked("there is no checkpoint in what --seal names")
        export = read_export(args.export)
        check = Check(next(export), outside)
        for lead in export:
            check.lead(lead)
        check.end()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, CannotBeChecked) as error:
        print(f"It cannot be checked: {str(error) or repr(error)}")
        return 2
    print(*check.problems, sep="\n", end="\n" if check.problems else "")
    print(f"Leads: {check.leads}, rows of the log: {check.rows}, of these under the seal: {check.sealed}.")
    print(f"Problems: {len(check.problems)}.")
    if check.departed:
        print(f"Moved, and checked by the export of {set(check.departed.values())}: {len(check.departed)} leads.")
    if check.otherwise:
        print(f"{check.otherwise} rows told another state or expiry than follows from what is known now.")
    if not outside:
        print("No seal from outside was given: nobody can tell by this whether all of it was written anew.")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main())
