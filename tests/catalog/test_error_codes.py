"""The errors as programs see them: the view, its JSON, and the page say the same."""

import json
import os
import re

import psycopg
import pytest

from helpers.calls import call, rows
from helpers.facts import EXPIRED, insert_lead_of_age
from helpers.pages import ERROR_CODES, WRITE_REFERENCE
from helpers.project import PROJECT

JSON = PROJECT / "schemas" / "error-codes.json"
# It undoes a dry run inside the function and never leaves it.
NEVER_SEEN = {"LP999"}


def test_every_code_that_is_raised_and_every_code_of_the_page_is_in_the_view(db):
    known = {row["sqlstate"] for row in rows(db, "SELECT sqlstate FROM lead_protection.error_codes")}
    raised = {
        code
        for path in (PROJECT / "sql").rglob("*.sql")
        for code in re.findall(r"(?:ERRCODE = |SQLSTATE )'(LP\w{3})'", path.read_text(encoding="utf-8"))
    }
    cells = re.findall(r"^\| ((?:`\w{5}`(?:, )?)+)", ERROR_CODES.read_text(encoding="utf-8"), re.MULTILINE)
    on_the_page = {code for cell in cells for code in re.findall(r"`(\w{5})`", cell)}
    assert known == on_the_page - NEVER_SEEN
    assert raised - NEVER_SEEN == {code for code in known if code.startswith("LP")}


def test_the_json_is_the_view(db):
    codes = rows(db, "SELECT * FROM lead_protection.error_codes")
    text = "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in codes) + "\n]\n"
    if os.environ.get(WRITE_REFERENCE):
        JSON.write_text(text, encoding="utf-8")
    assert JSON.read_text(encoding="utf-8") == text


def test_a_category_has_its_status_and_a_code_its_name(db):
    codes = rows(db, "SELECT * FROM lead_protection.error_codes")
    assert {(row["category"], row["http_status"], row["retryable"]) for row in codes} == {
        ("not_found", 404, False),
        ("conflict", 409, False),
        ("invalid", 422, False),
        ("forbidden", 403, False),
        ("retry", 503, True),
    }
    assert len({row["name"] for row in codes}) == len({row["sqlstate"] for row in codes}) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", row["name"]) for row in codes)


@pytest.mark.parametrize("role", ["app", "operator", "monitor", "consumer"])
def test_whoever_calls_may_look_its_error_up(db, role):
    insert_lead_of_age(db, 1, EXPIRED)
    with pytest.raises(psycopg.Error) as error:
        call(db, "create_lead_hold", 1, 7, "supply stop", 900)
    db.execute(f"SET ROLE lead_protection_{role}")
    query = "SELECT name, category FROM lead_protection.error_codes WHERE sqlstate = %s"
    assert db.execute(query, (error.value.sqlstate,)).fetchall() == [("protection_expired", "conflict")]
