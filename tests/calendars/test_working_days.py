"""The three functions of working days against a model of ten lines, and what they read."""

import json
import random
from datetime import date, timedelta

import pytest

from helpers.calls import call_row
from helpers.project import cases, seed

DAY = timedelta(days=1)
NO_DAYS = [None, "infinity", "-infinity"]


def calendar(db, code: str) -> int:
    """The id of a shipped calendar."""
    return db.execute("SELECT id FROM lead_protection.calendars WHERE code = %s", (code,)).fetchone()[0]


def make(db, code: str, days: set[date], rest_days: list[int]) -> int:
    """Make a calendar of our own and return its id."""
    given = json.dumps([{"date": str(day), "name": "x"} for day in days])
    return call_row(db, "create_calendar_version(%s, 'x', %s::jsonb, %s, 5)", code, given, rest_days)["calendar_id"]


def answers(db, calendar_id: int, day: date) -> tuple:
    return db.execute(
        "SELECT lead_protection.is_working_day(%(c)s, %(d)s), lead_protection.next_working_day(%(c)s, %(d)s),"
        " lead_protection.previous_working_day(%(c)s, %(d)s)",
        {"c": calendar_id, "d": day},
    ).fetchone()


def model(days: set[date], rest_days: list[int], day: date) -> tuple:
    """The same three answers."""

    def works(day: date) -> bool:
        return day.isoweekday() not in rest_days and day not in days

    after = before = day
    while not works(after):
        after += DAY
    while not works(before):
        before -= DAY
    return works(day), after, before


def test_random_calendars_and_days(db):
    chance = random.Random(seed())
    for number in range(cases(60, usual=20, fast=5)):
        begin = date(2026, 1, 1) + DAY * chance.randrange(4000)
        # Up to all days of 40: weeks without a working day, as in a summer break.
        dense = chance.random()
        days = {begin + DAY * n for n in range(40) if chance.random() < dense}
        rest_days = sorted(chance.sample(range(1, 8), chance.randrange(7)))
        calendar_id = make(db, f"OWN-{number}-X", days, rest_days)
        for n in range(-5, 46):
            day = begin + DAY * n
            assert answers(db, calendar_id, day) == model(days, rest_days, day), (days, rest_days, day)


@pytest.mark.parametrize(
    ("code", "day", "working", "after", "before"),
    [
        # Good Friday to Easter Monday
        ("DE", "2026-04-03", False, "2026-04-07", "2026-04-02"),
        ("DE", "2026-04-06", False, "2026-04-07", "2026-04-02"),
        ("AT", "2026-04-03", True, "2026-04-03", "2026-04-03"),
        ("AT", "2026-04-04", False, "2026-04-07", "2026-04-03"),
        # over Christmas and the year
        ("DE-NW", "2027-12-25", False, "2027-12-27", "2027-12-24"),
        ("DE-BY", "2026-01-01", False, "2026-01-02", "2025-12-31"),
        ("DE-BY", "2026-01-06", False, "2026-01-07", "2026-01-05"),
        ("DE-HE", "2026-01-06", True, "2026-01-06", "2026-01-06"),
        # 17 June, in Berlin, once
        ("DE-BE", "2028-06-17", False, "2028-06-19", "2028-06-16"),
        # A leap day, on a Tuesday.
        ("DE", "2028-02-29", True, "2028-02-29", "2028-02-29"),
        # 31 October was a holiday everywhere in 2017, and a Tuesday.
        ("DE", "2017-10-31", False, "2017-11-01", "2017-10-30"),
        ("DE-NW", "2017-10-31", False, "2017-11-02", "2017-10-30"),
        # The day of repentance is left in Saxony only.
        ("DE-SN", "2026-11-18", False, "2026-11-19", "2026-11-17"),
        ("DE-TH", "2026-11-18", True, "2026-11-18", "2026-11-18"),
        # Before and after the years of the calendar only the rest days count: New Year's Day 2102 is a Sunday.
        ("DE", "2101-12-26", True, "2101-12-26", "2101-12-26"),
        ("DE", "2102-01-01", False, "2102-01-02", "2101-12-30"),
        ("DE", "1989-12-25", True, "1989-12-25", "1989-12-25"),
    ],
)
def test_days_that_people_know(code, day, working, after, before, db):
    found = answers(db, calendar(db, code), date.fromisoformat(day))
    assert (found[0], *map(str, found[1:])) == (working, after, before)


@pytest.mark.parametrize("day", NO_DAYS)
def test_no_day_is_no_working_day_and_none_is_next_to_it(day, db):
    assert answers(db, calendar(db, "DE"), day) == (None, None, None)


@pytest.mark.parametrize("calendar_id", [None, 0, 999])
def test_of_no_calendar_nothing_is_known(calendar_id, db):
    assert answers(db, calendar_id, date(2026, 4, 3)) == (None, None, None)


def test_a_session_setting_changes_nothing(db):
    asked = calendar(db, "DE-NW"), date(2026, 4, 3)
    before = answers(db, *asked)
    db.execute("SET TimeZone = 'Pacific/Auckland'; SET search_path = 'pg_temp'; SET lc_time = 'C'")
    assert answers(db, *asked) == before
    db.execute("SET DateStyle = 'SQL, DMY'")
    days_later = "SELECT lead_protection.next_working_day(%s, %s) - DATE '2026-04-03'"
    assert db.execute(days_later, asked).fetchone() == (4,)


@pytest.mark.slow("20,000 calls of each function")
def test_each_day_is_one_look_up_of_the_index_and_no_table_is_read_through(connect):
    """20,000 calls of each, on a Good Friday and the days after it; the calendars themselves fit on a page."""
    db = connect()
    (calendar_id,) = db.execute("SELECT id FROM lead_protection.calendars WHERE code = 'DE'").fetchone()
    statistics = (
        "SELECT seq_scan, idx_scan, seq_tup_read FROM pg_stat_user_tables"
        " WHERE schemaname = 'lead_protection' AND relname = 'calendar_days'"
    )
    db.execute("SELECT pg_stat_force_next_flush()")
    before = db.execute(statistics).fetchone()
    steps = {"is_working_day": 0, "next_working_day": 0, "previous_working_day": 0}
    for function in steps:
        db.execute(
            f"SELECT count(lead_protection.{function}(%s, DATE '2026-04-03' + n)) FROM generate_series(0, 19999) AS n",
            (calendar_id,),
        )
    db.execute("SELECT pg_stat_force_next_flush()")
    after = db.execute(statistics).fetchone()
    assert (after[0] - before[0], after[2] - before[2]) == (0, 0)
    # A weekend needs none, a free day and the working day after it one each.
    assert 0 < after[1] - before[1] <= 3 * 20000 * 1.1


def test_the_view_of_one_calendar_is_read_by_the_index(db):
    db.execute("ANALYZE lead_protection.calendars, lead_protection.calendar_days")
    plan = "\n".join(
        line
        for (line,) in db.execute(
            "EXPLAIN SELECT * FROM lead_protection.v_calendar_days"
            " WHERE calendar_id = 1 AND date BETWEEN '2026-01-01' AND '2026-12-31'"
        )
    )
    assert "calendar_days_pkey" in plan and "Seq Scan on calendar_days" not in plan
