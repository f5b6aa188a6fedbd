"""Early warnings: policies that have some, what was sent, and which ones an independent model expects."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from helpers.facts import insert_policy
from helpers.model import Clock, Lead, Policy, instant, local_date, protection, version_at, zone_of

WARNING = "lead.protection.warning"


class Sent(NamedTuple):
    """A row of the ledger, but for when it was sent."""

    lead_id: int
    user_id: int
    window: date
    days_before: int
    audience: str


def insert_warned_policy(
    db: psycopg.Connection, warnings: Iterable[tuple[int, str]], name: str = "warned", **terms
) -> int:
    """Insert a policy with warnings (days before, audience), in one transaction, and return its id."""
    with db.transaction():
        policy_id = insert_policy(db, name, **terms)
        for step, (days, audience) in enumerate(sorted(warnings, key=lambda w: (-w[0], w[1])), start=1):
            db.execute(
                "INSERT INTO lead_protection.policy_warnings (policy_id, step, days_before, audience)"
                " VALUES (%s, %s, %s, %s)",
                (policy_id, step, days, audience),
            )
    return policy_id


def create_version(db: psycopg.Connection, warnings: object, name: str = "warned", **terms) -> tuple:
    """Call create_policy_version with warnings; returns policy_id, version, created."""
    given = ", ".join(f"{term} => %({term})s" for term in terms)
    return db.execute(
        "SELECT policy_id, version, created FROM lead_protection.create_policy_version("
        f"%(name)s, 900, warnings => %(warnings)s{', ' if given else ''}{given})",
        {"name": name, "warnings": Jsonb(warnings), **terms},
    ).fetchone()


def sent(db: psycopg.Connection, since: datetime | None = None) -> list[Sent]:
    """What the ledger has, in order; the log and the outbox must tell the same."""
    ledger = db.execute(
        "SELECT lead_id, user_id, window_date, days_before, audience, sent_at FROM lead_protection.lead_warnings"
        " WHERE %(since)s::timestamptz IS NULL OR sent_at >= %(since)s ORDER BY 1, 2, 3, 4, 5",
        {"since": since},
    ).fetchall()
    for table, payload in (("protection_log", "details"), ("outbox_events", "payload")):
        of_lead = (
            "lead_id, user_id" if table == "protection_log" else "aggregateid::bigint, (payload ->> 'user_id')::bigint"
        )
        at, type = (
            ("occurred_at", "event_type")
            if table == "protection_log"
            else ("(payload ->> 'occurred_at')::timestamptz", "type")
        )
        told = db.execute(
            f"SELECT {of_lead}, ({payload} ->> 'window_date')::date, ({payload} ->> 'days_before')::int,"
            f" {payload} ->> 'audience', {at} FROM lead_protection.{table} WHERE {type} = %(type)s"
            f" AND (%(since)s::timestamptz IS NULL OR {at} >= %(since)s) ORDER BY 1, 2, 3, 4, 5",
            {"type": WARNING, "since": since},
        ).fetchall()
        assert sorted(told) == sorted(ledger), table
    return sorted(Sent(*row[:5]) for row in ledger)


def expected(
    lead_id: int,
    lead: Lead,
    as_of: datetime,
    warnings: dict[Policy, tuple[tuple[int, str], ...]],
    before: dict[Sent, datetime],
) -> set[Sent]:
    """Which warnings of the lead are sent at `as_of`, if those in `before` were sent at their instants."""
    shown, version = protection(lead, as_of), version_at(lead, as_of)
    if shown is None or version is None or shown.on_hold or shown.state not in ("PROTECTED", "GRACE"):
        return set()
    policy = version.policy
    clock = Clock(lead, version, as_of)
    if shown.state == "GRACE" and clock.owes_notice:
        return set()
    last_day = max(clock.window, local_date(clock.expiry(None) - timedelta(microseconds=1), policy))

    def due(days: int) -> datetime:
        return instant(datetime.combine(last_day - timedelta(days=days), policy.reminder_time), zone_of(policy))

    found = set()
    for audience in {audience for _, audience in warnings[policy]}:
        passed = [days for days, other in warnings[policy] if other == audience and due(days) <= as_of]
        if not passed:
            continue
        days = min(passed)
        if days > policy.grace_days and clock.due <= as_of:
            continue
        # Of its own terms alone: what fell due before the lead came under them is not sent.
        if any(
            v.valid_until is not None
            and v.valid_until > due(days)
            and v.user_id == version.user_id
            and v.policy != policy
            for v in lead.versions
        ):
            continue
        warning = Sent(lead_id, version.user_id, last_day, days, audience)
        known = [
            (other, at)
            for other, at in before.items()
            if (other.lead_id, other.user_id, other.days_before, other.audience)
            == (lead_id, version.user_id, days, audience)
        ]
        if not any(other.window == last_day or at >= max(due(days), version.start) for other, at in known):
            found.add(warning)
    return found
