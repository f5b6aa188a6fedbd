"""The calendars that come with the package, against PyPI's `holidays` and dateutil; and later versions of them."""

from datetime import date

import holidays
import pytest
from dateutil.easter import easter

from helpers.calls import rows
from helpers.project import PROJECT, cases

STATES = ("BB", "BE", "BW", "BY", "HB", "HE", "HH", "MV", "NI", "NW", "RP", "SH", "SL", "SN", "ST", "TH")
CODES = ("AT", "DE", *(f"DE-{state}" for state in STATES))
# What the law says otherwise than `holidays`, by calendar: the day, what we say, and the law. There is nothing.
DIFFERENCES: dict[str, dict[date, str]] = {}


def expected(code: str, years: range) -> dict[date, set[str]]:
    """The holidays of a country or state by `holidays`: the names of each day."""
    country, _, state = code.partition("-")
    found = holidays.country_holidays(country, subdiv=state or None, years=years, language="de", categories="public")
    return {day: set(names.split("; ")) for day, names in found.items()}


def shipped(db, code: str) -> dict[date, set[str]]:
    """The holidays of the latest version of a calendar."""
    days = db.execute(
        "SELECT date, name FROM lead_protection.v_calendar_days WHERE code = %s AND is_latest", (code,)
    ).fetchall()
    return {day: set(name.split("; ")) for day, name in days}


def test_germany_its_states_and_austria_are_shipped(db):
    found = rows(db, "SELECT * FROM lead_protection.calendars ORDER BY id")
    assert tuple(calendar["code"] for calendar in found) == CODES
    for calendar in found:
        known = (calendar["version"], calendar["rest_days"], calendar["first_year"], calendar["last_year"])
        assert known == (1, [6, 7], 1990, 2100)
        assert calendar["created_by"] is None and calendar["based_on"] is None


@pytest.mark.parametrize("code", CODES)
def test_every_day_of_a_century_is_what_holidays_says(code, db):
    """Names included. From 1991 on, which is as far back as it knows the united Germany."""
    ours = {day: names for day, names in shipped(db, code).items() if day.year >= 1991}
    theirs = expected(code, range(1991, 2101))
    assert {day.year for day in theirs} == set(range(1991, 2101))
    differing = {day for day in ours.keys() | theirs.keys() if ours.get(day) != theirs.get(day)}
    assert differing == set(DIFFERENCES.get(code, {}))


@pytest.mark.parametrize("code", CODES)
def test_working_days_are_those_without_a_holiday_from_monday_to_friday(code, db):
    """Which days are holidays is compared for the whole century; how they are looked up is the same in each year."""
    first, last = cases(2000, usual=2019, fast=2024), cases(2100, usual=2035, fast=2030)
    theirs = expected(code, range(first, last + 1))
    answers = db.execute(
        "SELECT day::date, lead_protection.is_working_day(c.id, day::date)"
        " FROM lead_protection.calendars AS c"
        " CROSS JOIN generate_series(%s::date, %s::date, INTERVAL '1 day') AS day"
        " WHERE c.code = %s",
        (date(first, 1, 1), date(last, 12, 31), code),
    ).fetchall()
    assert len(answers) == (date(last + 1, 1, 1) - date(first, 1, 1)).days
    assert [day for day, working in answers if working != (day.weekday() < 5 and day not in theirs)] == []


def test_1990_has_both_days_of_unity_and_the_day_of_repentance(db):
    """`holidays` begins in 1991. The calendar of 1990 by the almanac: Easter was on 15 April."""
    common = {
        *(date(1990, 1, 1), date(1990, 4, 13), date(1990, 4, 16), date(1990, 5, 1), date(1990, 5, 24)),
        *(date(1990, 6, 4), date(1990, 6, 17), date(1990, 10, 3), date(1990, 11, 21), date(1990, 12, 25)),
        date(1990, 12, 26),
    }
    assert {day for day in shipped(db, "DE") if day.year == 1990} == common
    more = {date(1990, 6, 14), date(1990, 11, 1)}
    assert {day for day in shipped(db, "DE-NW") if day.year == 1990} == common | more
    assert {day for day in shipped(db, "AT") if day.year == 1990} == expected("AT", range(1990, 1991)).keys()


def test_the_country_has_what_all_its_states_have(db):
    states = [shipped(db, f"DE-{state}") for state in STATES]
    assert shipped(db, "DE").keys() == set.intersection(*(set(state) for state in states))


def test_every_rule_says_where_it_is_from_and_gives_a_day(db):
    rules = rows(db, "SELECT * FROM lead_protection.holiday_rules")
    assert {state for rule in rules for state in rule["states"] or ()} == set(STATES)
    for rule in rules:
        assert rule["law"]
        assert (rule["easter_offset"] is None) == (rule["month"] is not None) == (rule["day"] is not None)
        codes = [f"{rule['country']}-{state}" for state in rule["states"]] if rule["states"] else [rule["country"]]
        for code in codes:
            years = {day.year for day, names in shipped(db, code).items() if rule["name"] in names}
            assert years >= set(range(rule["first_year"] or 1990, (rule["last_year"] or 2100) + 1)), (code, rule)


def test_the_days_that_fell_together_bear_both_names(db):
    assert shipped(db, "DE")[date(2008, 5, 1)] == {"Erster Mai", "Christi Himmelfahrt"}


def test_easter_is_what_dateutil_says(db):
    answers = db.execute("SELECT y, lead_protection.easter_sunday(y) FROM generate_series(1583, 4099) AS y").fetchall()
    assert [year for year, day in answers if day != easter(year)] == []


@pytest.mark.parametrize(
    # The earliest and the latest there can be, and the two exceptions of Gauss' formula; a table of the year 1876.
    ("year", "day"),
    [(1818, "03-22"), (1943, "04-25"), (2038, "04-25"), (1954, "04-18"), (1981, "04-19"), (2000, "04-23")],
)
def test_easter_by_the_almanac(year, day, db):
    assert str(db.execute("SELECT lead_protection.easter_sunday(%s)", (year,)).fetchone()[0]) == f"{year}-{day}"


@pytest.mark.parametrize("year", [None, 0, -5, 1582, 10000, 2**31 - 1, -(2**31)])
def test_there_is_no_easter_outside_the_gregorian_calendar(year, db):
    assert db.execute("SELECT lead_protection.easter_sunday(%s)", (year,)).fetchone() == (None,)
    # Not even as a constant, which the planner counts before.
    literal = "NULL" if year is None else f"({year})"
    assert db.execute(f"SELECT lead_protection.easter_sunday({literal})").fetchone() == (None,)


# ---------------------------------------------------------------- a later version of the package


def ship(db) -> int:
    return db.execute("SELECT lead_protection.ship_calendars()").fetchone()[0]


def test_the_next_load_finds_nothing_to_do(db):
    before = rows(db, "SELECT * FROM lead_protection.calendars ORDER BY id")
    db.execute((PROJECT / "sql" / "shipped_calendars.sql").read_text(encoding="utf-8"))
    assert ship(db) == 0
    assert rows(db, "SELECT * FROM lead_protection.calendars ORDER BY id") == before


def test_a_new_law_is_a_new_version_of_the_calendars_that_it_changes(db):
    """A holiday that NW and HE get from 2030 on."""
    kept = {code: shipped(db, code) for code in CODES}
    (definition,) = db.execute("SELECT pg_get_viewdef('lead_protection.holiday_rules'::regclass)").fetchone()
    db.execute(
        f"CREATE OR REPLACE VIEW lead_protection.holiday_rules AS {definition.rstrip(';')}"
        " UNION ALL SELECT 'DE', '{NW,HE}', 'Neuer Tag', NULL, 7, 1, NULL, 2030, NULL, 'a law'"
    )
    assert ship(db) == 2
    assert ship(db) == 0

    newest = rows(db, "SELECT code, created_by FROM lead_protection.calendars WHERE version = 2 ORDER BY code")
    assert newest == [{"code": "DE-HE", "created_by": None}, {"code": "DE-NW", "created_by": None}]
    assert shipped(db, "DE-NW").keys() - kept["DE-NW"].keys() == {date(year, 7, 1) for year in range(2030, 2101)}
    # The version before is as it was.
    first = db.execute(
        "SELECT date FROM lead_protection.v_calendar_days WHERE code = 'DE-NW' AND version = 1 AND NOT is_latest"
    ).fetchall()
    assert {day for (day,) in first} == kept["DE-NW"].keys()
    for code in set(CODES) - {"DE-NW", "DE-HE"}:
        assert shipped(db, code) == kept[code]


def test_a_rest_day_that_differs_is_a_new_version_too(db):
    (definition,) = db.execute("SELECT pg_get_viewdef('lead_protection.shipped_calendars'::regclass)").fetchone()
    assert definition.count("'{6,7}'") == 1
    db.execute(
        "CREATE OR REPLACE VIEW lead_protection.shipped_calendars AS "
        + definition.replace("'{6,7}'::integer[]", "CASE WHEN c.code = 'AT' THEN '{7}' ELSE '{6,7}'::integer[] END")
    )
    assert ship(db) == 1
    versions = rows(db, "SELECT version, rest_days FROM lead_protection.calendars WHERE code = 'AT' ORDER BY version")
    assert versions == [{"version": 1, "rest_days": [6, 7]}, {"version": 2, "rest_days": [7]}]
