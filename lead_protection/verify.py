#!/usr/bin/env python3
"""Checks an export of Lead Protection, without the database and with nothing but Python's standard library.

    python3 verify.py export.json --seal checkpoint.txt

It recomputes the hash of each row of the log, the chain of each lead, the Merkle tree up to the seal that was kept
outside, and every date from the facts; and it compares the facts with the log. docs/seals.md says what that proves.
The rule is written here once more, on purpose: what checks the database must not be its code.

Exit status: 0 all is well, 1 something is not, and where is printed; 2 the export cannot be checked.
"""

import argparse
import json
import re
import struct
import sys
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Problem(NamedTuple):
    """What is wrong, and where: in which lead, if in one, in which row of its log, and in what of it."""

    lead_id: int | None
    log_number: int | None
    kind: str
    text: str

    def __str__(self) -> str:
        """Where first."""
        where = [f"lead {self.lead_id}"] if self.lead_id is not None else []
        where += [f"row {self.log_number}"] if self.log_number is not None else []
        return f"{', '.join(where) or 'the log'}: {self.kind}: {self.text}"


class CannotBeChecked(Exception):
    """The export is not one that this program knows."""


# --- The rule, as docs/rule.md has it --------------------------------------------------------------------------------

# What a policy may say. One that says more is of a later version, and its dates cannot be told here.
TERMS = {
    "rule": {"sequential", "parallel"},
    "period_end": {"instant", "end_of_day"},
    "hold_unit": {"elapsed", "day"},
    "expiry_on": {"any_day", "working_day"},
    "remind_on": {"any_day", "working_day"},
    "notice_counts_from": {"sent", "delivered", "delivered_working_day"},
}
COUNTS = ("base_months", "extension_days", "grace_days", "time_zone", "reminder_time", "notice_required", "calendar_id")


class Terms:
    """The terms of a policy, with its calendar."""

    def __init__(self, policy: dict, calendars: dict):
        said = {name: policy[name] for name in (*TERMS, *COUNTS)}
        unknown = [f"{name} {said[name]}" for name in TERMS if said[name] not in TERMS[name]]
        if unknown or set(policy) - set(said):
            names = unknown or sorted(set(policy) - set(said))
            raise CannotBeChecked(f"a policy has terms that this program does not know: {', '.join(names)}")
        self.__dict__.update(said)
        self.zone, self.reminder_time = ZoneInfo(said["time_zone"]), time.fromisoformat(said["reminder_time"])
        self.calendar = calendars.get(str(self.calendar_id))

    def instant(self, local: datetime) -> datetime:
        """Turn a wall-clock time into an instant: a skipped one by the offset before, a repeated one is the later."""
        first, second = (local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return second if first < second else first

    def day(self, moment: datetime) -> date:
        """The local date."""
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
        day = self.day(reached)
        return self.working_day(day, 1) if self.expiry_on == "working_day" else day

    def midnight(self, day: date) -> datetime:
        """When a local day begins."""
        return self.instant(datetime.combine(day, time()))

    def end(self, reached: datetime) -> datetime:
        """When a protection ends whose clock reaches to an instant."""
        return reached if self.period_end == "instant" else self.midnight(self.last_day(reached) + timedelta(days=1))

    def due(self, window: date) -> datetime:
        """When the reminder of a window falls due."""
        day = window - timedelta(days=self.grace_days)
        if self.remind_on == "working_day":
            day = self.working_day(day, -1)
        return self.instant(datetime.combine(day, self.reminder_time))

    def received(self, reminder: dict, as_of: datetime) -> datetime | None:
        """When a notice counts as received, by what was known at an instant."""
        if self.notice_counts_from == "sent" or reminder["adopted"]:
            return reminder["sent_at"]
        arrived = min((at for at in reminder["delivered_at"] if at <= as_of), default=None)
        if arrived is None or self.notice_counts_from == "delivered":
            return arrived
        day = self.working_day(self.day(arrived), 1)
        return arrived if day == self.day(arrived) else self.midnight(day)

    def stopped(self, base: datetime, begin: datetime, spans: list[tuple]) -> datetime:
        """What a clock reaches to that began at `begin`: each stop that begins before the protection ends moves it."""
        reached, days, last = base, 0, date.min
        for start, end in merged((max(span[0], begin), span[1]) for span in spans if span[1] > begin):
            if start >= self.end(reached):
                break
            if self.hold_unit == "elapsed":
                reached = (reached if start < reached else self.end(reached)) + (end - start)
                continue
            if self.day(start) > self.day(reached):  # it begins in days that the calendar added: they are granted
                days += (self.last_day(reached) - self.day(reached)).days
            first = max(self.day(start), last + timedelta(days=1))
            last = self.day(end - timedelta(microseconds=1))
            days += (last - first).days + 1
            reached = self.add(base, 0, days)
        return reached


def merged(spans: Iterable[tuple]) -> list[tuple]:
    """Make one of those that overlap or touch; in order."""
    result: list[tuple] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], end)
        else:
            result.append((begin, end))
    return result


def shown(lead: dict, policies: dict[str, Terms], qualifying: list[str], as_of: datetime) -> tuple | None:
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
    holds, activities, extensions, reminders = (
        [fact for fact in lead[kind] if fact["user_id"] == user_id]
        for kind in ("holds", "activities", "extensions", "reminders")
    )
    holds = [hold for hold in holds if hold["voided_at"] is None]
    restarts = [
        fact["occurred_at"]
        for fact in activities
        if fact["kind"] in qualifying and fact["deleted_at"] is None and start <= fact["occurred_at"] <= seen
    ]
    idle_from = max(restarts, default=start)
    granted = [(fact["granted_at"], fact["days"]) for fact in extensions if start <= fact["granted_at"] <= seen]
    on_request, days = sum(days for _, days in granted), terms.extension_days + terms.grace_days
    if terms.rule == "sequential":
        clocks = [(start, terms.add(start, terms.base_months, days + on_request))]
    else:
        days += sum(days for at, days in granted if at >= idle_from)
        clocks = [(start, terms.add(start, terms.base_months, on_request)), (idle_from, terms.add(idle_from, 0, days))]

    def spans(open_until: datetime | None) -> list[tuple]:
        """The holds from the start on; an open one until then, and none of it if that is None."""
        ends = ((hold, hold["end_at"] or closed_at or open_until) for hold in holds)
        found = ((max(hold["start_at"], start), end) for hold, end in ends if end is not None)
        return [(begin, end) for begin, end in found if begin < end]

    def reached(open_until: datetime | None) -> datetime:
        return min(terms.stopped(base, begin, spans(open_until)) for begin, base in clocks)

    def noticed(received_at: datetime, open_until: datetime | None) -> datetime:
        """The end of the grace days after a notice."""
        base = terms.add(received_at, 0, terms.grace_days)
        return terms.end(terms.stopped(base, received_at, spans(open_until)))

    window = terms.last_day(reached(None))
    due = terms.due(window)
    covering = [
        fact
        for fact in reminders
        if fact["sent_at"] <= as_of and (fact["sent_at"] >= max(start, due) or fact["window_date"] == window)
    ]
    receipts = [at for fact in covering if (at := terms.received(fact, as_of)) is not None]
    owed = terms.notice_required and not receipts

    def expiry(open_until: datetime | None) -> datetime:
        expires_at = terms.end(reached(open_until))
        if terms.notice_required and receipts:
            expires_at = max(expires_at, noticed(min(receipts), open_until))
        return expires_at

    stands_since = None
    in_force = [h for h in holds if h["start_at"] <= as_of and (h["end_at"] is None or as_of < h["end_at"])]
    if closed_at is None and in_force and (owed or as_of < expiry(as_of)):
        # An open hold that begins this very moment stops the clock without having moved anything.
        begun = [(as_of, as_of) for hold in in_force if max(hold["start_at"], start) == as_of]
        stands_since = next(begin for begin, end in merged(spans(as_of) + begun) if begin <= as_of <= end)

    at = stands_since or as_of
    if closed_at is not None:
        state = "CLOSED"
    elif at >= expiry(None) and not owed:
        state = "EXPIRED"
    elif at < due:
        state = "PROTECTED"
    else:
        state = "GRACE" if covering else "REMINDER_DUE"
    expires_at = expiry(as_of if stands_since else None)
    if owed and state in ("REMINDER_DUE", "GRACE"):  # as if the notice were given now
        expires_at = max(expires_at, noticed(as_of, as_of))
    return user_id, expires_at, state, stands_since is not None, None if stands_since or closed_at else due


def with_instants(value: Any) -> Any:
    """Turn the instants and dates in facts, which end in _at, _until or _date, into Python's."""
    if isinstance(value, list):
        return [with_instants(item) for item in value]
    if not isinstance(value, dict):
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    parse = {"_at": with_instants, "_until": with_instants, "_date": date.fromisoformat}
    return {
        name: parse.get("_" + name.rpartition("_")[2], lambda same: same)(item) if item is not None else None
        for name, item in value.items()
    }


# --- The written form of a row, as docs/log-format.md has it ---------------------------------------------------------


def field(value: Any) -> bytes:
    """Write a field: its length in bytes, a colon, the bytes; null is a colon alone."""
    text = str(value).encode()
    return b":" if value is None else b"%d:%s" % (len(text), text)


def micros(text: str | None) -> int | None:
    """An instant as microseconds since 1970."""
    return None if text is None else (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def typed(value: Any) -> bytes:
    """Write a value of the details: the word for its type, and its field."""
    if value is None:
        return b"null:"
    if isinstance(value, bool):
        return b"boolean" + field("true" if value else "false")
    if isinstance(value, (int, Decimal)):
        return b"number" + field(format(value, "f") if isinstance(value, Decimal) else value)
    if isinstance(value, str):
        return b"string" + field(value)
    form = b"".join(map(typed, value)) if isinstance(value, list) else members(value)
    return (b"array" if isinstance(value, list) else b"object") + b"%d:%s" % (len(form), form)


def members(details: dict) -> bytes:
    """Write the members of an object, shorter names first."""
    names = sorted(details, key=lambda name: (len(name.encode()), name.encode()))
    return b"".join(field(name) + typed(details[name]) for name in names)


def texts_commitment(row: dict) -> str | None:
    """What stands for the texts of a row in its hash."""
    if row.get("texts_salt") is None:
        return row["texts_hash"]
    texts = field(row["reason"]) + field(row["evidence"])
    return sha256(bytes.fromhex(row["texts_salt"]) + texts).hexdigest()


def row_hash(lead_id: int, row: dict) -> str:
    """Recompute the hash of a row of the log."""
    details = members(row["details"])
    values = ["lead-protection log 1", lead_id]
    values += [row[name] for name in ("log_number", "previous_hash", "event_id", "event_type", "user_id", "actor_id")]
    values += [micros(row[name]) for name in ("occurred_at", "recorded_at")]
    values += [row["state_before"], micros(row["expires_before"]), row["state_after"], micros(row["expires_after"])]
    values += [row["session_role"], row["application_name"], micros(row["chained_at"]), texts_commitment(row)]
    return sha256(b"".join(map(field, values)) + b"%d:%s" % (len(details), details)).hexdigest()


# --- The Merkle tree, by RFC 6962 ------------------------------------------------------------------------------------


def leaf_data(lead_id: int, log_number: int, hashed: str) -> bytes:
    """What a leaf is over: lead and number as 8 bytes each, and the hash of the row."""
    return struct.pack(">qq32s", lead_id, log_number, bytes.fromhex(hashed))


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_by_path(hashed: bytes, leaf: int, tree_size: int, path: list[str]) -> bytes | None:
    """Return the root that a path from a leaf leads to; None if it leads nowhere."""
    last = tree_size - 1
    for step in map(bytes.fromhex, path):
        if last == 0:
            return None
        if leaf % 2 or leaf == last:
            hashed = node(step, hashed)
            while leaf and not leaf % 2:
                leaf, last = leaf >> 1, last >> 1
        else:
            hashed = node(hashed, step)
        leaf, last = leaf >> 1, last >> 1
    return hashed if last == 0 else None


def roots(leaves: bytearray, sizes: set[int]) -> dict[int, bytes]:
    """Return the roots over the first so many leaves, for each of the sizes."""
    found: dict[int, bytes] = {}
    complete: list[tuple[int, bytes]] = []
    for size in range(1, len(leaves) // 48 + 1):
        height, hashed = 0, leaf_hash(leaves[48 * size - 48 : 48 * size])
        while complete and complete[-1][0] == height:
            height, hashed = height + 1, node(complete.pop()[1], hashed)
        complete.append((height, hashed))
        if size in sizes:
            root = hashed
            for _, left in reversed(complete[:-1]):
                root = node(left, root)
            found[size] = root
    return found


CHECKPOINT = re.compile(
    r"lead-protection seal v1\nnumber (?P<number>\d+)\nsealed_at (?P<sealed_at>\S+)\ntree_size (?P<tree_size>\d+)\n"
    r"root (?P<root>[0-9a-f]{64})\nprevious (?P<previous>[0-9a-f]{64})\n"
)


class Seal(NamedTuple):
    """A seal of the log."""

    number: int
    sealed_at: str
    tree_size: int
    root: str
    previous: str

    def checkpoint(self) -> str:
        """The text that is kept outside, and that the next seal has the hash of."""
        return (
            f"lead-protection seal v1\nnumber {self.number}\nsealed_at {self.sealed_at}\n"
            f"tree_size {self.tree_size}\nroot {self.root}\nprevious {self.previous}\n"
        )


def seals_in(text: str) -> list[Seal]:
    """Find the checkpoints in a text, such as a mail."""
    found = CHECKPOINT.finditer(text.replace("\r\n", "\n") + "\n")
    return [Seal(int(m["number"]), m["sealed_at"], int(m["tree_size"]), m["root"], m["previous"]) for m in found]


# --- The checks ------------------------------------------------------------------------------------------------------


class Check:
    """The checks of one export; problems and notes gather as its leads come by."""

    def __init__(self, header: dict, outside: list[Seal]):
        if header.get("format") != "lead-protection export v1":
            raise CannotBeChecked("this is no export of a version that this program knows")
        self.policies = {key: Terms(policy, header["calendars"] or {}) for key, policy in header["policies"].items()}
        self.qualifying, self.as_of = header["qualifying"], datetime.fromisoformat(header["as_of"])
        self.whole = header["whole"]
        self.seals = [Seal(*seal) for seal in header["seals"]]
        self.outside = outside
        self.problems: list[Problem] = []
        self.leaves = bytearray()
        self.rows = self.sealed = self.leads = self.otherwise = 0
        newest = self.seals[-1] if self.seals else None
        for seal in outside:
            if not self.whole and newest is not None and seal.number < newest.number:
                text = f"the export leads to seal {newest.number} and not to {seal.number}: export it with --seal"
                raise CannotBeChecked(f"{text} {seal.number}")

    def say(self, lead_id: int | None, log_number: int | None, kind: str, text: str) -> None:
        self.problems.append(Problem(lead_id, log_number, kind, text))

    def lead(self, lead: dict) -> None:
        """Check one lead."""
        lead_id = lead["lead_id"]
        self.leads += 1
        self.chain(lead_id, lead["log"])
        self.sealing(lead_id, lead["log"], lead["leaves"])
        if lead["facts"]["versions"]:
            facts = {name: with_instants(found or []) for name, found in lead["facts"].items()}
            self.dates(lead_id, facts, lead)
            self.facts_by_log(lead_id, facts, lead["log"])
        elif lead["log"]:
            self.say(lead_id, None, "facts", "the lead itself is gone")

    def chain(self, lead_id: int, log: list[dict]) -> None:
        """Each row has the next number, the hash of the one before, and its own."""
        number, before = 0, None
        for row in log:
            self.rows += 1
            if row["log_number"] is None:
                self.say(lead_id, None, "number", f"event {row['event_id']} is not chained")
                continue
            if row["log_number"] <= number:
                self.say(lead_id, row["log_number"], "number", "there is another row of this number")
            for missing in range(number + 1, row["log_number"]):
                self.say(lead_id, missing, "number", "the row is gone")
            if row["previous_hash"] != before:
                self.say(lead_id, row["log_number"], "previous_hash", "it is not the hash of the row before")
            if row_hash(lead_id, row) != row["row_hash"]:
                self.say(lead_id, row["log_number"], "row_hash", "it is not the hash of the row: a field was changed")
            number, before = row["log_number"], row["row_hash"]

    def sealing(self, lead_id: int, log: list[dict], leaves: list[list]) -> None:
        """Each leaf has its row, with the hash that was sealed, and leads to the seal."""
        hashes = {row["log_number"]: row["row_hash"] for row in log}
        last_sealed = max((number for _, number, *_ in leaves), default=0)
        for number in set(hashes) - {None} - {number for _, number, *_ in leaves}:
            if number < last_sealed:
                self.say(lead_id, number, "seal", "the row was not sealed, and a later one was")
        for leaf, number, hashed, *path in leaves:
            data = leaf_data(lead_id, number, hashed)
            if number not in hashes:
                self.say(lead_id, number, "seal", "the row was sealed, and is gone")
            elif hashes[number] != hashed:
                self.say(lead_id, number, "seal", "the row was sealed with another hash")
            if self.whole:
                self.leaves += bytes(max(0, 48 * leaf + 48 - len(self.leaves)))
                self.leaves[48 * leaf : 48 * leaf + 48] = data
            elif path and path[0] is not None:
                self.sealed += 1
                seal = self.seals[-1]
                if root_by_path(leaf_hash(data), leaf, seal.tree_size, path[0]) != bytes.fromhex(seal.root):
                    self.say(
                        lead_id, number, "seal", f"the leaf of the row does not lead to the root of seal {seal.number}"
                    )

    def dates(self, lead_id: int, facts: dict, lead: dict) -> None:
        """What the database shows follows from the facts."""
        found = shown(facts, self.policies, self.qualifying, self.as_of)
        told = lead["shown"] and with_instants(lead["shown"])
        names = ("user_id", "protection_expires_at", "state", "on_hold", "reminder_due_at")
        for name, computed in zip(names, found or [None] * 5, strict=True):
            if computed != (told and told[name]):
                self.say(
                    lead_id, None, name, f"the database shows {told and told[name]}, by the facts it is {computed}"
                )
        # What was shown at the time may differ from what is known now: a hold that was entered later counts.
        for row in lead["log"]:
            at = shown(facts, self.policies, self.qualifying, datetime.fromisoformat(row["occurred_at"]))
            expires_at = row["expires_after"] and datetime.fromisoformat(row["expires_after"])
            self.otherwise += row["state_after"] is not None and (
                at is None or (at[2], at[1]) != (row["state_after"], expires_at)
            )

    def facts_by_log(self, lead_id: int, facts: dict, log: list[dict]) -> None:
        """What the log last told of a fact is what the fact is."""
        told: dict[tuple, dict] = {}
        for row in log:
            kind, details, at = row["event_type"].removeprefix("lead."), row["details"], row["occurred_at"]
            lead = told.setdefault(("lead", lead_id), {})
            if kind in (
                "created",
                "changed",
                "protection.transferred",
                "protection.given_back",
                "protection.backdated",
            ):
                lead["started_at"] = details.get("started_at", at if kind.startswith("protection.") else None)
            if kind in ("closed", "deleted", "reopened", "created", "changed"):
                lead["closed_at"] = at if kind in ("closed", "deleted") else details.get("closed_at")
            if kind == "reopened":
                lead["closed_at"] = None
            if "policy_id" in details:
                lead["policy_id"] = details["policy_id"]
            if kind.startswith("hold.") and "hold_start_at" in details and kind != "hold.limit_near":
                hold = {"start_at": details["hold_start_at"], "end_at": details.get("hold_end_at")}
                told["holds", details["hold_id"]] = hold | {"voided": kind == "hold.voided"}
            if kind.startswith("activity."):
                activity = {"user_id": details["activity_user_id"], "kind": details["kind"]}
                activity |= {"occurred_at": details["activity_occurred_at"], "deleted": kind == "activity.deleted"}
                told["activities", details["activity_id"]] = activity
            if kind == "protection.extended":
                extension = {"user_id": row["user_id"], "days": details["days"], "granted_at": at}
                told["extensions", details["extension_id"]] = extension
        present = facts["versions"][-1]
        there: dict[tuple, dict] = {("lead", lead_id): present}
        for table in ("holds", "activities", "extensions"):
            there |= {(table, fact["id"]): fact for fact in facts[table]}
        for (table, key), values in told.items():
            fact = there.get((table, key))
            if fact is None:
                self.say(lead_id, None, table, f"the log tells of {key}, and it is gone")
                continue
            fact = fact | {"voided": fact.get("voided_at") is not None, "deleted": fact.get("deleted_at") is not None}
            for name, value in values.items():
                if with_instants({name: value})[name] != fact[name]:
                    self.say(lead_id, None, table, f"{key}: {name} is {fact[name]}, by the log it is {value}")

    def end(self) -> None:
        """What can be said only when all leads were there: the tree, and the seals."""
        for before, seal in zip(self.seals, self.seals[1:], strict=False):
            if seal.previous != sha256(before.checkpoint().encode()).hexdigest() or seal.number != before.number + 1:
                self.say(None, None, "seal", f"seal {seal.number} does not follow upon seal {before.number}")
        mine = {seal.number: seal for seal in self.seals}
        for seal in self.outside:
            if seal.number not in mine:
                self.say(None, None, "seal", f"seal {seal.number} was kept outside, and is not in the export")
            elif mine[seal.number] != seal:
                self.say(None, None, "seal", f"seal {seal.number} is not the one that was kept outside")
        if not self.whole:
            return
        # By the seals from outside first: an own one that agrees with them is as good.
        trusted = sorted({*self.seals, *self.outside}, key=lambda seal: (seal.tree_size, seal not in self.outside))
        found = roots(self.leaves, {seal.tree_size for seal in trusted})
        good = 0
        for seal in trusted:
            if found.get(seal.tree_size) == bytes.fromhex(seal.root):
                good = seal.tree_size
                self.sealed = max(self.sealed, good)
                continue
            owners = [
                struct.unpack(">qq", self.leaves[at : at + 16])
                for at in range(48 * good, 48 * seal.tree_size, 48)
                if at + 48 <= len(self.leaves)
            ]
            named = ", ".join(f"lead {lead_id} row {number}" for lead_id, number in owners[:20])
            text = f"the leaves {good} to {seal.tree_size - 1} are not those that seal {seal.number} was made over"
            self.say(None, None, "seal", f"{text}: now {named or 'none'}{' …' if len(owners) > 20 else ''}")
            break


def read_export(path: Path) -> Iterator[dict]:
    """Yield the head of an export, and then its leads, one line each."""
    parse = {"parse_float": Decimal}
    with path.open(encoding="utf-8") as lines:
        yield json.loads(next(lines).rstrip().removesuffix("[") + "[]}", **parse)
        for line in lines:
            if line.startswith("{"):
                yield json.loads(line.rstrip().rstrip(","), **parse)
            elif line.startswith("]}"):
                return
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
    except (OSError, ValueError, KeyError, StopIteration, CannotBeChecked) as error:
        print(
            f"verify: it cannot be checked: {error!r}" if not str(error) else f"verify: it cannot be checked: {error}"
        )
        return 2
    for problem in check.problems:
        print(problem)
    print(
        f"{check.leads} leads, {check.rows} rows of the log, {check.sealed} leaves under the seal, problems: {len(check.problems)}"
    )
    if check.otherwise:
        print(f"{check.otherwise} rows told another state or expiry than follows from what is known now.")
    if not outside:
        print("No seal from outside was given: nobody can tell whether all of it was written anew.")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main())
