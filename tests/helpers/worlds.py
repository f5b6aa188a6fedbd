"""Random facts of one lead, in any position to each other, and the instants at which it is looked at."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import psycopg
from hypothesis import strategies as st

from helpers.facts import insert_policy
from helpers.model import (
    Activity,
    Clock,
    Extension,
    Hold,
    Lead,
    Policy,
    Reminder,
    Version,
    calendar,
    protection,
    version_at,
)

USERS = (7, 8)
KINDS = ("QUALIFIED_CALL", "CUSTOMER_REACTION", "SAMPLE_FEEDBACK", "EMAIL_SENT", "SYSTEM_NOTE")
MICROSECOND = timedelta(microseconds=1)

plain_policies = st.builds(
    Policy,
    rule=st.sampled_from(["parallel", "sequential"]),
    base_months=st.integers(1, 14),
    extension_days=st.integers(1, 70),
    grace_days=st.integers(1, 20),
    time_zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "UTC", "Asia/Kathmandu"]),
    reminder_time=st.sampled_from([time(0, 0), time(2, 30), time(8, 0), time(23, 59, 59)]),
    notice_required=st.booleans(),
)


@st.composite
def contract_policies(draw):
    """Policies with the words of a contract: days, working days, receipt."""
    calendar_code = draw(st.sampled_from([None, "DE", "DE-NW", "DE-BY", "AT"]))
    period_end = draw(st.sampled_from(["instant", "end_of_day", "end_of_day"]))
    days = st.sampled_from(["any_day", "working_day"]) if calendar_code else st.just("any_day")
    receipts = ["sent", "delivered", "delivered_working_day"] if calendar_code else ["sent", "delivered"]
    plain = draw(plain_policies)
    return replace(
        plain,
        period_end=period_end,
        hold_unit=draw(st.sampled_from(["elapsed", "day"])),
        calendar=calendar_code,
        expiry_on=draw(days) if period_end == "end_of_day" else "any_day",
        remind_on=draw(days),
        notice_counts_from=draw(st.sampled_from(receipts)) if plain.notice_required else "sent",
    )


policies = st.one_of(plain_policies, contract_policies())
starts = st.datetimes(datetime(2015, 1, 1), datetime(2022, 12, 31), timezones=st.just(UTC))
# Whole days make instants meet: adjacent holds, holds at the expiry, looks at a boundary.
offsets = st.one_of(
    st.integers(-30, 600).map(lambda days: timedelta(days=days)),
    st.timedeltas(timedelta(days=-30), timedelta(days=600)),
)


# One of them more often, or half of the facts would be of another user than the lead's.
users = st.sampled_from([7, 7, 8])
# None: nobody.
owners = st.sampled_from([7, 7, 8, None])


# Mostly one that qualifies.
kinds = st.sampled_from([*KINDS[:3], *KINDS])


class Moments:
    """Instants of one world: new ones, or again one that something else already happens at."""

    def __init__(self, draw, start: datetime, policy: Policy):
        self.draw = draw
        self.start = start
        first = calendar(start, policy, policy.base_months, 0)
        second = calendar(start, policy, policy.base_months, policy.extension_days + policy.grace_days)
        idle = calendar(start, policy, 0, policy.extension_days + policy.grace_days)
        self.known = [start, *((second,) if policy.rule == "sequential" else (first, idle))]

    def any(self) -> datetime:
        """Return an instant from a month before the start on."""
        if self.draw(st.integers(0, 3)) == 0:
            return self.draw(st.sampled_from(self.known))
        return self.remember(self.start + self.draw(offsets))

    def remember(self, moment: datetime) -> datetime:
        """Let something else happen at this instant, too."""
        self.known.append(moment)
        return moment

    def some(self, most: int) -> range:
        """Return a range of 0 to `most`."""
        return range(self.draw(st.integers(0, most)))


def draw_versions(draw, moments: Moments, terms: list[Policy]) -> tuple[Version, ...]:
    """The lead from its start on: transfers, also from nobody and to the same user once more, and given back; moves to
    another policy; closings with and without a reopening."""
    user_id, policy, start, versions = draw(owners), terms[0], moments.start, []
    changes = sorted({moment for _ in moments.some(3) if (moment := moments.any()) > start})
    for changed_at in changes:
        change = draw(st.sampled_from(["hand over", "hand over", "move", "reopen"]))
        closed_at = None
        if change == "reopen":
            closed_at = min(max(moments.any(), start), changed_at)
        versions.append(Version(user_id, policy, start, closed_at, changed_at))
        if change != "reopen":
            policy = draw(st.sampled_from(terms))
        if change == "hand over":
            user_id, start = draw(owners), changed_at
    closed_at = max(moments.any(), start) if draw(st.integers(0, 5)) == 0 else None
    return (*versions, Version(user_id, policy, start, closed_at))


def draw_holds(draw, moments: Moments) -> tuple[Hold, ...]:
    """Holds in any position to each other; one open hold a user at most."""
    holds = []
    for _ in moments.some(4):
        bounds = moments.any(), moments.any()
        holds.append(Hold(draw(users), min(bounds), max(bounds)))
    for user_id in USERS:
        if draw(st.integers(0, 2)) == 0:
            ends = [hold.end_at for hold in holds if hold.user_id == user_id]
            # Often it takes over from a planned one.
            adjoining = ends and draw(st.booleans())
            holds.append(Hold(user_id, draw(st.sampled_from(ends)) if adjoining else moments.any(), None))
    return tuple(holds)


def draw_reminders(draw, moments: Moments, lead: Lead) -> tuple[Reminder, ...]:
    """Reminders of windows that were due at some time, sent in time, late or even too early."""
    reminders: dict[tuple[int, date], Reminder] = {}
    for _ in moments.some(3):
        as_of = moments.any()
        version = version_at(lead, as_of) or lead.versions[0]
        if version.user_id is None:
            continue
        clock = Clock(lead, version, as_of)
        window = clock.window if draw(st.integers(0, 3)) else date(1999, 1, 1)
        sent_at = moments.remember(draw(st.sampled_from([as_of, clock.due, clock.due + draw(offsets) / 10])))
        delivered_at = draw(
            st.sampled_from(
                [None, sent_at, sent_at + timedelta(minutes=5), moments.remember(sent_at + draw(offsets) / 10)]
            )
        )
        reminders.setdefault(
            (version.user_id, window),
            Reminder(version.user_id, sent_at, window, delivered_at, adopted=draw(st.integers(0, 9)) == 0),
        )
    return tuple(reminders.values())


def boundaries(lead: Lead, moments: Moments) -> list[datetime]:
    """The instants at which something may change, with a microsecond to either side."""
    edges = set(moments.known)
    for moment in moments.known:
        shown = protection(lead, moment)
        if shown is not None:
            edges |= {shown.protection_expires_at or moment, shown.reminder_due_at or moment}
    return sorted({edge + step for edge in edges for step in (-MICROSECOND, timedelta(0), MICROSECOND)})


@st.composite
def worlds(draw):
    """Everything that is known of a lead, and the instants at which it is looked at."""
    terms = [draw(policies), draw(policies)]
    moments = Moments(draw, draw(starts), terms[0])
    lead = Lead(
        versions=draw_versions(draw, moments, terms),
        holds=draw_holds(draw, moments),
        activities=tuple(
            Activity(draw(users), moments.any(), draw(kinds), draw(st.integers(0, 4)) == 0) for _ in moments.some(4)
        ),
        extensions=tuple(Extension(draw(users), moments.any(), draw(st.integers(1, 40))) for _ in moments.some(2)),
    )
    # Bound to the lead without reminders: good enough to meet its windows.
    reminders = draw_reminders(draw, moments, lead)
    lead = Lead(lead.versions, lead.holds, lead.activities, lead.extensions, reminders)
    return lead, boundaries(lead, moments)


def last_known(lead: Lead) -> datetime:
    """The instant of the last fact that the cache knows as if it had always been."""
    present = lead.versions[-1]
    return max(
        present.start,
        present.closed_at or present.start,
        *(activity.occurred_at for activity in lead.activities),
        *(extension.granted_at for extension in lead.extensions),
        *(reminder.sent_at for reminder in lead.reminders),
        *(reminder.delivered_at for reminder in lead.reminders if reminder.delivered_at is not None),
        *(version.valid_until for version in lead.versions[:-1] if version.valid_until),
    )


def insert_world(db: psycopg.Connection, lead_id: int, lead: Lead) -> None:
    """Write a world as facts, one statement a table."""
    policy_ids: dict[Policy, int] = {}
    for policy in {version.policy for version in lead.versions}:
        terms = dict(vars(policy))
        code = terms.pop("calendar")
        if code is not None:
            newest = "SELECT max(id) FROM lead_protection.calendars WHERE code = %s"
            ((terms["calendar_id"],),) = db.execute(newest, (code,))
        policy_ids[policy] = insert_policy(db, name=f"policy {len(policy_ids)} of lead {lead_id}", **terms)

    def insert(table: str, columns: dict[str, str], rows: list[tuple]) -> None:
        if rows:
            names = ", ".join(columns)
            types = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
            db.execute(
                f"INSERT INTO lead_protection.{table} ({names})"
                f" SELECT {names} FROM jsonb_to_recordset(%s::jsonb) AS fact ({types})",
                (json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str),),
            )

    *past, present = lead.versions
    key = {"lead_id": "bigint", "user_id": "bigint"}
    insert(
        "leads",
        {
            "id": "bigint",
            "user_id": "bigint",
            "policy_id": "bigint",
            "created_at": "timestamptz",
            "closed_at": "timestamptz",
        },
        [(lead_id, present.user_id, policy_ids[present.policy], present.start, present.closed_at)],
    )
    insert(
        "lead_history",
        key
        | {
            "policy_id": "bigint",
            "created_at": "timestamptz",
            "closed_at": "timestamptz",
            "valid_until": "timestamptz",
        },
        [(lead_id, v.user_id, policy_ids[v.policy], v.start, v.closed_at, v.valid_until) for v in past],
    )
    insert(
        "lead_holds",
        key
        | {
            "reason": "text",
            "start_at": "timestamptz",
            "end_at": "timestamptz",
            "created_by": "bigint",
            # Those with an end count as released, so that equal ones may stand.
            "released_by": "bigint",
        },
        [(lead_id, h.user_id, "test", h.start_at, h.end_at, 1, h.end_at and 1) for h in lead.holds],
    )
    insert(
        "lead_activities",
        key
        | {
            "kind": "text",
            "occurred_at": "timestamptz",
            "activity_key": "text",
            "recorded_by": "bigint",
            "deleted_at": "timestamptz",
        },
        [
            (lead_id, a.user_id, a.kind, a.occurred_at, str(n), 1, a.occurred_at if a.deleted else None)
            for n, a in enumerate(lead.activities)
        ],
    )
    insert(
        "lead_extensions",
        key
        | {
            "days": "integer",
            "reason": "text",
            "approved_by": "bigint",
            "granted_by": "bigint",
            "granted_at": "timestamptz",
            "request_key": "text",
        },
        [(lead_id, x.user_id, x.days, "test", 1, 1, x.granted_at, str(n)) for n, x in enumerate(lead.extensions)],
    )
    insert(
        "lead_reminders",
        key
        | {
            "window_date": "date",
            "protection_expires_at": "timestamptz",
            "due_at": "timestamptz",
            "sent_at": "timestamptz",
            "adopted": "boolean",
        },
        [
            (lead_id, r.user_id, r.window, r.sent_at + timedelta(days=1), r.sent_at, r.sent_at, r.adopted)
            for r in lead.reminders
        ],
    )
    insert(
        "reminder_deliveries",
        key | {"window_date": "date", "message_id": "text", "outcome": "text", "occurred_at": "timestamptz"},
        [
            (lead_id, r.user_id, r.window, "first", "delivered", r.delivered_at)
            for r in lead.reminders
            if r.delivered_at is not None
        ],
    )
    # As who reports a delivery does; see record_delivery_report().
    db.execute("SELECT lead_protection.refresh_lead_clocks(ARRAY[%s]::bigint[])", (lead_id,))


def take_facts_of_the_future(db: psycopg.Connection) -> None:
    """Let the database take facts in the future, in a session with a zone of many changes; plans are made once, and for
    tables with rows."""
    db.execute("ALTER TABLE lead_protection.leads DISABLE TRIGGER check_lead")
    db.execute("ALTER TABLE lead_protection.lead_activities DISABLE TRIGGER check_activity")
    # A zone with clock changes of its own: it must not matter.
    db.execute("SET TimeZone = 'Australia/Lord_Howe'")
    db.execute("SET plan_cache_mode = force_generic_plan")
    db.execute("SET enable_seqscan = off")
    db.execute("SET jit = off")
