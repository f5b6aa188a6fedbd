"""A company's own calendars: versions, what they are based on, what is refused; nothing that is there changes."""

import json
from datetime import date

import psycopg
import pytest

from helpers.calls import call_row, refused, rows
from helpers.sessions import interleave

EVE = {"date": "2026-12-24", "name": "Heiligabend"}
NEW_YEARS_EVE = {"date": "2026-12-31", "name": "Silvester"}
CREATE = "create_calendar_version(%s, %s, %s::jsonb, %s, %s, %s)"


def create(db, code="ACME", name="Acme", days=(EVE,), rest_days=None, actor_id=5, based_on=None) -> dict:
    return call_row(db, CREATE, code, name, json.dumps(days), rest_days, actor_id, based_on)


def shipped(db, code) -> int:
    return db.execute("SELECT id FROM lead_protection.calendars WHERE code = %s", (code,)).fetchone()[0]


def days_of(db, calendar_id) -> dict[date, str]:
    return dict(
        db.execute("SELECT date, name FROM lead_protection.calendar_days WHERE calendar_id = %s", (calendar_id,))
    )


def calendar(db, calendar_id) -> dict:
    (found,) = rows(db, "SELECT * FROM lead_protection.calendars WHERE id = %s", (calendar_id,))
    return found


def test_a_calendar_of_ones_own(db):
    made = create(db, days=[NEW_YEARS_EVE, EVE], rest_days=[7, 7])
    assert (made["code"], made["version"], made["created"]) == ("ACME", 1, True)
    assert days_of(db, made["calendar_id"]) == {date(2026, 12, 24): "Heiligabend", date(2026, 12, 31): "Silvester"}
    found = calendar(db, made["calendar_id"])
    assert (found["name"], found["rest_days"], found["created_by"]) == ("Acme", [7], 5)
    assert (found["first_year"], found["last_year"], found["based_on"]) == (2026, 2026, None)


def test_without_days_it_is_weekends_for_all_years(db):
    found = calendar(db, create(db, days=[])["calendar_id"])
    assert (found["rest_days"], found["first_year"], found["last_year"]) == ([6, 7], 1900, 2999)


def test_repeated_it_changes_nothing_and_says_so(db):
    first = create(db)
    assert create(db, actor_id=6) == first | {"created": False}
    # In another order, and with more blanks, it is the same.
    again = call_row(db, CREATE, "ACME", "Acme", ' [ {"name": "Heiligabend", "date":"2026-12-24"} ]', [7, 6], 5, None)
    assert again == first | {"created": False}


def test_what_differs_is_the_next_version_and_the_one_before_stays(db):
    versions = [
        create(db),
        create(db, days=[EVE, NEW_YEARS_EVE]),
        create(db, days=[EVE | {"name": "Christmas Eve"}]),
        create(db, name="Acme Ltd"),
        create(db, rest_days=[7]),
        create(db, based_on=shipped(db, "DE")),
        # As the first one, but that is not the latest.
        create(db),
    ]
    assert [made["version"] for made in versions] == [1, 2, 3, 4, 5, 6, 7]
    assert all(made["created"] for made in versions)
    assert days_of(db, versions[0]["calendar_id"]) == {date(2026, 12, 24): "Heiligabend"}
    latest = rows(db, "SELECT DISTINCT version FROM lead_protection.v_calendar_days WHERE code = 'ACME' AND is_latest")
    assert latest == [{"version": 7}]


def test_it_takes_over_the_days_of_another_one(db):
    """Augsburg is Bavaria with two days more; and somebody who works on All Saints' Day."""
    bavaria = shipped(db, "DE-BY")
    made = create(
        db,
        code="DE-BY-AUGSBURG",
        days=[
            {"date": "2026-08-08", "name": "Hohes Friedensfest"},
            {"date": "2026-08-15", "name": "Mariä Himmelfahrt"},
            {"date": "2026-11-01", "name": None},
            {"date": "2026-01-06", "name": "Epiphanias"},
        ],
        based_on=bavaria,
    )
    theirs, ours = days_of(db, bavaria), days_of(db, made["calendar_id"])
    assert ours.keys() - theirs.keys() == {date(2026, 8, 8), date(2026, 8, 15)}
    assert theirs.keys() - ours.keys() == {date(2026, 11, 1)}
    assert ours[date(2026, 1, 6)] == "Epiphanias" and ours[date(2027, 1, 6)] == "Heilige Drei Könige"
    found = calendar(db, made["calendar_id"])
    assert (found["rest_days"], found["first_year"], found["last_year"]) == ([6, 7], 1990, 2100)
    assert found["based_on"] == bavaria

    # Upon itself: what it had, and one day more.
    more = create(db, code="DE-BY-AUGSBURG", days=[EVE], based_on=made["calendar_id"])
    assert days_of(db, more["calendar_id"]).keys() - ours.keys() == {date(2026, 12, 24)}
    other = create(db, code="OTHER", days=[], rest_days=[], based_on=bavaria)
    assert other["created"] and days_of(db, other["calendar_id"]) == theirs
    assert create(db, code="OTHER", days=[], rest_days=[], based_on=bavaria) == other | {"created": False}
    assert rows(db, "SELECT rest_days FROM lead_protection.calendars WHERE code = 'OTHER'") == [{"rest_days": []}]


@pytest.mark.parametrize(
    "given", [{"code": None}, {"name": None}, {"days": None}, {"days": "null"}, {"actor_id": None}]
)
def test_nothing_of_it_can_be_null(given, db):
    arguments = {"code": "ACME", "name": "x", "days": "[]", "actor_id": 5} | given
    work = "SELECT lead_protection.create_calendar_version(%(code)s, %(name)s, %(days)s::jsonb, NULL, %(actor_id)s)"
    refused("LP001", db.execute, work, arguments)


@pytest.mark.parametrize(
    "given",
    [
        {"code": ""},
        {"code": "acme"},
        {"code": "A" * 64},
        {"code": "1A"},
        {"code": "A B"},
        {"code": "ACME\n"},
        # The package's own, also those that it has not yet.
        {"code": "DE"},
        {"code": "DE-NW"},
        {"code": "AT-9"},
        {"code": "CH-ZH"},
        {"name": " "},
        {"name": "x" * 256},
        {"rest_days": [0]},
        {"rest_days": [8]},
        {"rest_days": [6, None]},
        {"rest_days": [1, 2, 3, 4, 5, 6, 7]},
        {"rest_days": [7, 6, 5, 4, 3, 2, 1, 1]},
    ],
)
def test_a_calendar_that_makes_no_sense(given, db):
    error = refused("LP090", create, db, **given)
    (name,) = given
    assert f"{name}: " in error.diag.message_detail and f"{name}: " in error.diag.message_hint


@pytest.mark.parametrize(
    "days",
    [
        {},
        "x",
        7,
        ["2026-12-24"],
        [None],
        [[]],
        [{}],
        [{"date": "2026-12-24"}],
        [{"name": "x"}],
        [EVE | {"more": 1}],
        [EVE | {"name": ""}],
        [EVE | {"name": "x" * 256}],
        [EVE | {"name": 1}],
        [EVE | {"date": None}],
        [EVE | {"date": 20261224}],
        [EVE | {"date": "24.12.2026"}],
        [EVE | {"date": "2026-12-24 "}],
        [EVE | {"date": "2026-12-24T00:00"}],
        [EVE | {"date": "infinity"}],
        [EVE | {"date": "today"}],
        [EVE | {"date": "1899-12-31"}],
        [EVE | {"date": "3000-01-01"}],
        [EVE | {"date": "2026-02-29"}],
        [EVE | {"date": "2026-13-01"}],
        [EVE | {"date": "2026-00-01"}],
        [EVE, EVE],
        [EVE, EVE | {"name": "x"}],
        # There is nothing to take it out of.
        [EVE | {"name": None}],
    ],
)
def test_days_that_are_none(days, db):
    refused("LP091", create, db, days=days)
    assert rows(db, "SELECT FROM lead_protection.calendars WHERE code = 'ACME'") == []


@pytest.mark.parametrize(
    "day", [EVE | {"name": None}, EVE | {"date": "1989-12-24"}, EVE | {"date": "2101-12-24"}, {"date": "2101-01-01"}]
)
def test_days_that_do_not_go_with_what_it_is_based_on(day, db):
    refused("LP091", create, db, days=[EVE | {"date": "2026-12-23"}, day], based_on=shipped(db, "DE"))


def test_an_unknown_calendar_is_no_base(db):
    refused("LP092", create, db, based_on=999)


# ---------------------------------------------------------------- nothing that is there changes


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lead_protection.calendars SET name = 'x'",
        "DELETE FROM lead_protection.calendars",
        "TRUNCATE lead_protection.calendars CASCADE",
        "UPDATE lead_protection.calendar_days SET name = 'x'",
        "DELETE FROM lead_protection.calendar_days",
        "TRUNCATE lead_protection.calendar_days",
        "INSERT INTO lead_protection.calendar_days VALUES (1, '2026-12-24', 'x')",
        "INSERT INTO lead_protection.calendar_days SELECT max(id), '2026-12-31', 'x' FROM lead_protection.calendars",
    ],
)
def test_not_even_the_owner_changes_a_calendar(statement, db):
    create(db)
    before = rows(db, "SELECT * FROM lead_protection.v_calendar_days ORDER BY 1, 5")
    refused("LP012", db.execute, statement)
    assert rows(db, "SELECT * FROM lead_protection.v_calendar_days ORDER BY 1, 5") == before


def test_days_come_with_their_calendar_also_inside_a_savepoint(db):
    """An application's own transaction, as Django makes them."""
    with db.transaction():
        db.execute("SELECT now()")
        with db.transaction():
            made = create(db)
        with db.transaction():
            assert create(db) == made | {"created": False}
    assert days_of(db, made["calendar_id"]) == {date(2026, 12, 24): "Heiligabend"}


@pytest.mark.parametrize(("days", "second"), [([EVE], (1, False)), ([NEW_YEARS_EVE], (2, True))])
def test_two_at_once_make_one_version_of_the_same_days_or_two_of_different_ones(days, second, db, wait_until, two):
    made = interleave(db, wait_until, two, create, lambda session: create(session, days=days))
    assert (made["version"], made["created"]) == second
    assert days_of(db, made["calendar_id"]) == {date.fromisoformat(day["date"]): day["name"] for day in days}


@pytest.mark.parametrize("role", ["app", "monitor", "jobs", "consumer"])
def test_only_operators_make_calendars(role, db):
    db.execute(f"SET ROLE lead_protection_{role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        create(db)


@pytest.mark.parametrize("role", ["app", "operator", "monitor"])
def test_who_shows_dates_may_ask_for_working_days(role, db):
    db.execute(f"SET ROLE lead_protection_{role}")
    assert db.execute(
        "SELECT lead_protection.is_working_day(id, '2026-04-03'), lead_protection.next_working_day(id, '2026-04-03'),"
        " lead_protection.previous_working_day(id, '2026-04-03') FROM lead_protection.calendars WHERE code = 'DE'"
    ).fetchone() == (False, date(2026, 4, 7), date(2026, 4, 2))
    assert rows(db, "SELECT FROM lead_protection.v_calendar_days, lead_protection.holiday_rules LIMIT 1")
    if role == "operator":
        assert create(db)["created"]
