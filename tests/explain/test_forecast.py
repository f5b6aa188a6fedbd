"""The forecast: what comes in which week, as things stand now."""

import random
from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from helpers.facts import insert_activities, insert_holds, insert_lead, insert_policy, insert_reminders

MICROSECOND = timedelta(microseconds=1)
ZONES = ["Europe/Berlin", "America/New_York", "Pacific/Auckland"]
# Under the parallel rule without activities a lead expires so many days after its start, at the same local time.
DAYS, GRACE = 300, 10


@pytest.fixture
def frozen(db):
    """A connection in a transaction that is rolled back: now() stands still."""
    with db.transaction(force_rollback=True):
        yield db


def forecast(db, *weeks: int) -> list[tuple]:
    """The rows for so many weeks, or for the default."""
    return db.execute(
        "SELECT week_start, user_id, expiries, reminders"
        f" FROM lead_protection.forecast_protection({', '.join(map(str, weeks))})"
    ).fetchall()


def agents(db, zone: str = "Europe/Berlin", **terms) -> int:
    """A policy under which a lead expires DAYS after its start."""
    terms = {"rule": "parallel", "base_months": 1200, "extension_days": DAYS - GRACE, "grace_days": GRACE} | terms
    return insert_policy(db, name=f"{zone} {terms}", time_zone=zone, **terms)


def local_now(db, zone: str = "Europe/Berlin") -> datetime:
    return db.execute("SELECT now()").fetchone()[0].astimezone(ZoneInfo(zone))


def monday(db, zone: str = "Europe/Berlin", weeks: int = 0) -> datetime:
    """Midnight, local, of the Monday so many weeks from this one."""
    now = local_now(db, zone)
    return datetime.combine(
        now.date() - timedelta(days=now.weekday()) + timedelta(weeks=weeks), datetime.min.time(), now.tzinfo
    )


def insert_lead_that_expires(db, lead_id: int, at: datetime, policy_id: int, **more) -> None:
    """Insert a lead that expires at that local time."""
    insert_lead(db, lead_id, at - timedelta(days=DAYS), policy_id=policy_id, **more)


@pytest.mark.parametrize("session_zone", ["UTC", "Pacific/Chatham", "America/Los_Angeles"])
def test_a_week_begins_on_the_local_monday(frozen, session_zone):
    """In each zone at another instant; and the reminder, ten days before, falls into another week than the expiry."""
    frozen.execute("SELECT set_config('TimeZone', %s, true)", (session_zone,))
    expected: Counter[tuple] = Counter()
    for number, zone in enumerate(ZONES, start=1):
        policy_id = agents(frozen, zone)
        third = monday(frozen, zone, 3)
        insert_lead_that_expires(frozen, number, third, policy_id, user_id=number)
        insert_lead_that_expires(frozen, number + 10, third - MICROSECOND, policy_id, user_id=number)
        expected[third.date(), number, "expiries"] += 1
        expected[third.date() - timedelta(days=7), number, "expiries"] += 1
        # Monday and Sunday, less ten days: Friday and Thursday of the same week.
        expected[third.date() - timedelta(days=14), number, "reminders"] += 2
    shown: Counter[tuple] = Counter()
    for week_start, user_id, expiries, reminders in forecast(frozen):
        shown[week_start, user_id, "expiries"] = expiries
        shown[week_start, user_id, "reminders"] = reminders
    assert +shown == +expected


@pytest.mark.parametrize("zone", ZONES)
def test_the_present_week_is_the_first(frozen, zone):
    policy_id = agents(frozen, zone)
    for weeks in (2, 8):
        insert_lead_that_expires(frozen, weeks, monday(frozen, zone, weeks) - MICROSECOND, policy_id, user_id=1)
        insert_lead_that_expires(frozen, weeks + 10, monday(frozen, zone, weeks), policy_id, user_id=2)

    def expiries(*weeks: int) -> list[tuple]:
        return [(row[0], row[1]) for row in forecast(frozen, *weeks) if row[2]]

    def week(number: int) -> date:
        return monday(frozen, zone, number).date()

    assert expiries(1) == []
    assert expiries(2) == [(week(1), 1)]
    assert expiries(3) == [(week(1), 1), (week(2), 2)]
    assert expiries() == expiries(8) == [(week(1), 1), (week(2), 2), (week(7), 1)]
    assert expiries(9) == expiries(520) == [(week(1), 1), (week(2), 2), (week(7), 1), (week(8), 2)]


def test_users_and_numbers(frozen):
    policy_id = agents(frozen)
    third = monday(frozen, weeks=3)
    for lead_id, user_id in ((1, 7), (2, 7), (3, 7), (4, 9)):
        insert_lead_that_expires(frozen, lead_id, third + timedelta(days=lead_id), policy_id, user_id=user_id)
    assert forecast(frozen) == [
        # Tuesday to Friday, less ten days: Saturday, Sunday, Monday, Tuesday.
        (monday(frozen, weeks=1).date(), 7, 0, 2),
        (monday(frozen, weeks=2).date(), 7, 0, 1),
        (monday(frozen, weeks=2).date(), 9, 0, 1),
        (third.date(), 7, 3, 0),
        (third.date(), 9, 1, 0),
    ]


def test_what_is_over_or_stands_still_does_not_come(frozen):
    policy_id = agents(frozen)
    now = local_now(frozen)
    soon = monday(frozen, weeks=2)
    insert_lead_that_expires(frozen, 1, now, policy_id)
    insert_lead_that_expires(frozen, 2, now - timedelta(days=400), policy_id)
    insert_lead_that_expires(frozen, 3, soon, policy_id, closed_at=now)
    insert_lead_that_expires(frozen, 4, soon, policy_id)
    insert_holds(frozen, 4, [(now - timedelta(days=1), None)])
    insert_lead_that_expires(frozen, 5, soon, policy_id)
    insert_holds(frozen, 5, [(now, now + timedelta(days=1))])
    assert forecast(frozen, 520) == []


def test_a_planned_hold_counts_at_once(frozen):
    policy_id = agents(frozen)
    insert_lead_that_expires(frozen, 1, monday(frozen, "UTC", 2), policy_id)
    begins = local_now(frozen) + timedelta(hours=1)
    insert_holds(frozen, 1, [(begins, begins + timedelta(days=21))])
    assert [row[0] for row in forecast(frozen) if row[2]] == [monday(frozen, weeks=5).date()]


def test_overdue_reminders_come_this_week_and_sent_ones_no_more(frozen):
    policy_id = agents(frozen)
    now = local_now(frozen)
    tomorrow = now + timedelta(days=1)
    insert_lead_that_expires(frozen, 1, tomorrow, policy_id, user_id=1)
    insert_lead_that_expires(frozen, 2, tomorrow, policy_id, user_id=2)
    insert_reminders(frozen, 2, [now - timedelta(days=1)], user_id=2)
    reminders = [(row[0], row[1]) for row in forecast(frozen) if row[3]]
    assert reminders == [(monday(frozen).date(), 1)]
    assert sorted(row[1] for row in forecast(frozen) if row[2]) == [1, 2]


def test_a_window_that_was_announced_early_is_not_announced_again(frozen):
    """A move to another policy may put the due instant after the reminder of the same date."""
    policy_id = agents(frozen)
    third = monday(frozen, weeks=3)
    insert_lead_that_expires(frozen, 1, third, policy_id)
    now = local_now(frozen)
    frozen.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at) VALUES (1, 7, %s, %s, %s, %s)",
        (third.date(), third, now, now),
    )
    assert forecast(frozen) == [(third.date(), 7, 1, 0)]


def test_an_expiry_that_waits_for_its_notice_comes_where_it_is_shown(frozen):
    policy_id = agents(frozen, notice_required=True)
    now = local_now(frozen)
    insert_lead_that_expires(frozen, 1, now - timedelta(days=100), policy_id)
    shown = (now + timedelta(days=GRACE)).date()
    assert forecast(frozen) == [
        (monday(frozen).date(), 7, 0, 1),
        (shown - timedelta(days=shown.weekday()), 7, 1, 0),
    ]


@pytest.mark.slow("a forecast of hundreds of worlds")
def test_nothing_is_forgotten_and_nothing_invented(frozen):
    """Random leads, counted here from what protection_as_of() shows of each."""
    choose = random.Random(5)
    now = local_now(frozen)
    policies = {
        insert_policy(
            frozen, name=f"{zone} {rule} {notice}", time_zone=zone, rule=rule, notice_required=notice,
            base_months=2, extension_days=15, grace_days=GRACE,
        ): ZoneInfo(zone)
        for zone in ZONES
        for rule in ("sequential", "parallel")
        for notice in (False, True)
    }  # fmt: skip
    for lead_id in range(1, 301):
        start = now - timedelta(days=choose.uniform(0, 110))
        user_id = choose.choice((7, 8, 9))
        insert_lead(frozen, lead_id, start, user_id=user_id, policy_id=choose.choice(list(policies)))
        begin = start + timedelta(days=choose.uniform(0, 90))
        end = begin + timedelta(days=choose.uniform(0, 40))
        if choose.random() < 0.3:
            insert_holds(frozen, lead_id, [(min(begin, now), None) if choose.random() < 0.4 else (begin, end)], user_id)
        if choose.random() < 0.4:
            insert_reminders(frozen, lead_id, [now - timedelta(days=choose.uniform(0, 30))], user_id)
        if choose.random() < 0.5:
            insert_activities(frozen, lead_id, [start + (now - start) * choose.random()], user_id)
    expected: dict[tuple, list[int]] = {}
    states: Counter[tuple] = Counter()
    query = (
        "SELECT user_id, policy_id, protection_expires_at, state, on_hold, reminder_due_at"
        " FROM lead_protection.protection_as_of(now())"
    )
    for user_id, policy_id, expires_at, state, on_hold, due_at in frozen.execute(query).fetchall():
        states[state, on_hold] += 1
        if on_hold or state == "EXPIRED":
            continue
        zone = policies[policy_id]
        comes = [(expires_at, 0)]
        if state != "GRACE":
            comes.append((max(due_at, now), 1))
        for instant, place in comes:
            day = instant.astimezone(zone).date()
            week = day - timedelta(days=day.weekday())
            if week < monday(frozen, zone.key, 6).date():
                expected.setdefault((week, user_id), [0, 0])[place] += 1
    assert min(states[state, False] for state in ("PROTECTED", "REMINDER_DUE", "GRACE", "EXPIRED")) > 5, states
    assert forecast(frozen, 6) == [(*key, *numbers) for key, numbers in sorted(expected.items())]


def test_without_leads_there_is_nothing(db):
    assert forecast(db) == []


@pytest.mark.parametrize("weeks", [None, 0, -1, 521])
def test_weeks_out_of_range_are_refused(db, weeks):
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT * FROM lead_protection.forecast_protection(%s)", (weeks,))
    assert caught.value.sqlstate == "LP029"
    assert caught.value.diag.message_detail == f"Given: {'null' if weeks is None else weeks}."
    assert caught.value.diag.message_hint


@pytest.mark.parametrize("role", ["app", "operator", "monitor"])
def test_who_may_ask(db, role):
    db.execute(f"SET ROLE lead_protection_{role}")
    assert forecast(db) == []
