"""What the calls that change a lead refuse, and that a refusal changes nothing."""

import psycopg
import pytest

from helpers.calls import call_row
from helpers.lead_calls import refused_unchanged
from helpers.rows import written

# --- Refusals and repetitions ----------------------------------------------------------------------------------------


CALLS = {
    "transfer_lead": "transfer_lead(%(lead)s, %(user)s, 8, %(reason)s, %(actor)s)",
    "extend_lead": "extend_lead(%(lead)s, %(user)s, 5, %(reason)s, 6, %(actor)s, 'k')",
    "backdate_lead": "backdate_lead(%(lead)s, %(user)s, '2020-01-01', %(reason)s, 'file', %(actor)s)",
    "close_lead": "close_lead(%(lead)s, %(user)s, 'LOST', %(reason)s, %(actor)s)",
    "reopen_lead": "reopen_lead(%(lead)s, %(user)s, %(reason)s, %(actor)s)",
    "delete_lead": "delete_lead(%(lead)s, %(user)s, %(reason)s, %(actor)s)",
}

GOOD: dict[str, int | str | None] = {"lead": 1, "user": 7, "reason": "because", "actor": 5}

BAD: list[tuple[str, dict[str, int | str | None]]] = [
    ("LP001", {"lead": None}),
    ("LP001", {"user": None}),
    ("LP001", {"actor": None}),
    ("LP002", {"lead": 99}),
    ("LP003", {"user": 8}),
    ("LP004", {"reason": None}),
    ("LP004", {"reason": ""}),
    ("LP004", {"reason": " \t\n"}),
    ("LP004", {"reason": "x" * 256}),
]


@pytest.mark.parametrize("function", CALLS)
def test_bad_arguments_are_refused(db, long, function):
    for sqlstate, bad in BAD:
        if (function, bad) == ("transfer_lead", {"user": 8}):
            bad = {"user": 9}
        # These take a user of null for nobody, and the lead is somebody's.
        if bad == {"user": None} and function in ("transfer_lead", "close_lead", "reopen_lead", "delete_lead"):
            sqlstate = "LP003"
        before = written(db)
        with pytest.raises(psycopg.Error) as error:
            db.execute(f"SELECT * FROM lead_protection.{CALLS[function]}", GOOD | bad)
        assert error.value.sqlstate == sqlstate, bad
        assert error.value.diag.message_detail and error.value.diag.message_hint
        assert written(db) == before


@pytest.mark.parametrize(
    ("sqlstate", "function"),
    [
        ("LP001", "transfer_lead(1, 7, NULL, 'x', 5)"),
        ("LP001", "extend_lead(1, 7, NULL, 'x', 6, 5, 'k')"),
        ("LP001", "extend_lead(1, 7, 5, 'x', NULL, 5, 'k')"),
        ("LP001", "extend_lead(1, 7, 5, 'x', 6, 5, NULL)"),
        ("LP004", "extend_lead(1, 7, 5, 'x', 6, 5, ' ')"),
        ("LP004", "extend_lead(1, 7, 5, 'x', 6, 5, repeat('k', 256))"),
        ("LP023", "extend_lead(1, 7, 0, 'x', 6, 5, 'k')"),
        ("LP023", "extend_lead(1, 7, -3, 'x', 6, 5, 'k')"),
        ("LP024", "extend_lead(1, 7, 61, 'x', 6, 5, 'k')"),
        ("LP024", "extend_lead(1, 7, 2147483647, 'x', 6, 5, 'k')"),
        ("LP001", "backdate_lead(1, 7, NULL, 'x', 'file', 5)"),
        ("LP004", "backdate_lead(1, 7, '2020-01-01', 'x', NULL, 5)"),
        ("LP004", "backdate_lead(1, 7, '2020-01-01', 'x', ' ', 5)"),
        ("LP004", "backdate_lead(1, 7, '2020-01-01', 'x', repeat('e', 256), 5)"),
        ("LP005", "backdate_lead(1, 7, '1899-12-31', 'x', 'file', 5)"),
        ("LP005", "backdate_lead(1, 7, '-infinity', 'x', 'file', 5)"),
        ("LP010", "backdate_lead(1, 7, now() + INTERVAL '6 minutes', 'x', 'file', 5)"),
        ("LP005", "backdate_lead(1, 7, 'infinity', 'x', 'file', 5)"),
        ("LP025", "backdate_lead(1, 7, '2024-01-31 10:00:00.000001 Europe/Berlin', 'x', 'file', 5)"),
        ("LP001", "close_lead(1, 7, NULL, 'x', 5)"),
        ("LP027", "close_lead(1, 7, 'DELETED', 'x', 5)"),
        ("LP027", "close_lead(1, 7, 'lost', 'x', 5)"),
        ("LP001", "move_leads_to_policy(NULL, 1, 'x', 5)"),
        ("LP001", "move_leads_to_policy('{1,NULL}', 1, 'x', 5)"),
        ("LP001", "move_leads_to_policy('{1}', NULL, 'x', 5)"),
        ("LP001", "move_leads_to_policy('{1}', 1, 'x', NULL)"),
        ("LP002", "move_leads_to_policy('{1,99}', 1, 'x', 5)"),
        ("LP004", "move_leads_to_policy('{1}', 1, ' ', 5)"),
        ("LP019", "move_leads_to_policy('{1}', 99, 'x', 5)"),
    ],
)
def test_what_makes_no_sense_is_refused(db, long, sqlstate, function):
    refused_unchanged(db, sqlstate, function)


@pytest.mark.parametrize(
    ("function", "sqlstate"),
    [
        ("transfer_lead(1, 7, 8, 'x', 5)", "LP009"),
        ("extend_lead(1, 7, 5, 'x', 6, 5, 'k')", "LP009"),
        ("backdate_lead(1, 7, '2020-01-01', 'x', 'file', 5)", "LP009"),
        ("close_lead(1, 7, 'LOST', 'x', 5)", "LP009"),
    ],
)
@pytest.mark.parametrize("how", ["close_lead(1, 7, 'CONVERTED', 'x', 5)", "delete_lead(1, 7, 'x', 5)"])
def test_a_closed_lead_is_left_alone(db, long, how, function, sqlstate):
    call_row(db, how)
    refused_unchanged(db, sqlstate, function)


def test_a_lead_closed_as_a_row_has_no_outcome_to_repeat(db, long):
    db.execute("UPDATE lead_protection.leads SET closed_at = now()")
    refused_unchanged(db, "LP009", "close_lead(1, 7, 'LOST', 'x', 5)")
