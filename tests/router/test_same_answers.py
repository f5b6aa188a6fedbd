"""Through a router with four nodes the answers are those of one database."""

import itertools
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from helpers.clock_cases import CASES
from helpers.facts import SHOWN, insert_activities, insert_holds, insert_lead, insert_policy, insert_reminders
from helpers.routers import alike

pytestmark = pytest.mark.slow("a router with four nodes")

# The clock cases have their facts in tables, since they lie in the past and the future; what is asked goes through.
FIRST_CASE = 500_000


def put_cases(db, only=None) -> None:
    """Load the facts of the cases, or those of some leads."""
    with db.transaction():
        for trigger, table in (("check_lead", "leads"), ("check_activity", "lead_activities")):
            db.execute(f"ALTER TABLE lead_protection.{table} DISABLE TRIGGER {trigger}")
        for lead_id, case in enumerate(CASES, start=FIRST_CASE):
            policy_id = insert_policy(db, name=case["name"], **case["policy"])
            if only is None or lead_id in only:
                insert_lead(db, lead_id, case["created_at"], policy_id=policy_id)
                insert_holds(db, lead_id, [(hold["start_at"], hold["end_at"]) for hold in case["holds"]])
                insert_activities(db, lead_id, [datetime.fromisoformat(a) for a in case["qualified_activities"]])
                insert_reminders(db, lead_id, case["reminders_sent_at"])
        for trigger, table in (("check_lead", "leads"), ("check_activity", "lead_activities")):
            db.execute(f"ALTER TABLE lead_protection.{table} ENABLE TRIGGER {trigger}")


@pytest.fixture(scope="module")
def cases(four):
    """All cases: on one database, and spread over the nodes."""
    numbers = range(FIRST_CASE, FIRST_CASE + len(CASES))
    placed = dict(
        four.router.execute(
            "SELECT n, lead_protection_router.node_of(n) FROM unnest(%s::bigint[]) AS n", [list(numbers)]
        ).fetchall()
    )
    assert set(placed.values()) == set(four.nodes)
    put_cases(four.alone)
    for name, node in four.nodes.items():
        put_cases(node, {lead_id for lead_id, on in placed.items() if on == name})
    return four


def test_worked_cases(cases):
    wrong = []
    for lead_id, case in enumerate(CASES, start=FIRST_CASE):
        query = f"SELECT {SHOWN} FROM lead_protection.protection_as_of(%s) WHERE lead_id = %s"
        ((expires_at, state, on_hold, due_at),) = cases.router.execute(query, [case["as_of"], lead_id]).fetchall()
        expect = case["expect"]
        expected = (
            datetime.fromisoformat(expect["protection_expires_at"]),
            expect["state"],
            expect["on_hold"],
            expect["reminder_due_at"] and datetime.fromisoformat(expect["reminder_due_at"]),
        )
        if (expires_at, state, on_hold, due_at) != expected:
            wrong.append((case["name"], case["why"], expires_at, state, on_hold, due_at, expected))
    assert not wrong


def test_worked_cases_are_explained_alike(cases):
    query = (
        "SELECT step, clock, item, from_at, until_at, moved_by, expires_at, explanation"
        " FROM lead_protection.explain_protection(%s, %s)"
    )
    for lead_id, case in enumerate(CASES, start=FIRST_CASE):
        one, other = (db.execute(query, [lead_id, case["as_of"]]).fetchall() for db in (cases.alone, cases.router))
        assert one == other
    query = "SELECT count(*) FROM lead_protection.v_user_lead_protection WHERE lead_id BETWEEN %s AND %s"
    assert cases.router.execute(query, [FIRST_CASE, FIRST_CASE + 999]).fetchone() == (len(CASES),)


class Both:
    """The same calls on one database and on the router, where leads and holds have other numbers."""

    def __init__(self, four):
        self.numbers: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self.databases = (four.alone, four.router)
        self.calls = 0

    def __call__(self, query: str, *values: object) -> list[tuple]:
        """Ask both, and return what both answered; a name in the place of a lead's or hold's number is looked up."""
        answers = []
        for db, numbers in zip(self.databases, self.numbers, strict=True):
            given = [numbers[v] if isinstance(v, str) and v in numbers else v for v in values]
            given = [[numbers.get(e, e) for e in v] if isinstance(v, list) else v for v in given]
            try:
                rows = db.execute(query, given).fetchall()
            except psycopg.Error as error:
                rows = [(error.sqlstate, error.diag.message_detail is not None, error.diag.message_hint)]
            names = {number: name for name, number in numbers.items()}
            answers.append([tuple(names.get(value, value) for value in row) for row in rows])
        assert alike(sorted(answers[0], key=repr), sorted(answers[1], key=repr)) or alike(*answers), (query, answers)
        self.calls += 1
        return answers[0]

    def name(self, name: str, query: str, *values: object) -> None:
        """Give the number that a query returns, another one on each, a name."""
        for db, numbers in zip(self.databases, self.numbers, strict=True):
            given = [numbers.get(v, v) if isinstance(v, str) else v for v in values]
            numbers[name] = db.execute(query, given).fetchone()[0]


RESULT = "changed, state_before, on_hold_before, expires_before, state_after, on_hold_after, expires_after"


def test_the_life_of_leads(four):
    """What an application, an operator and a mailer call, with what is refused, the same through both."""
    both = Both(four)
    since = datetime.now(UTC) - timedelta(days=100)
    user, other, clerk = 71_001, 71_002, 9
    leads = [f"lead{nth}" for nth in range(12)]
    for lead in leads:
        both.name(
            lead, "SELECT lead_id FROM lead_protection.protect_lead(%s, %s, %s, %s)", user, clerk, f"key-{lead}", since
        )
        both(f"SELECT lead_id, {RESULT} FROM lead_protection.protect_lead(%s, %s, %s, %s)", user, clerk, f"key-{lead}", since)  # fmt: skip  # noqa: E501
    both("SELECT (lead_protection.protect_lead(%s, %s, %s, %s)).lead_id", other, clerk, "key-lead0", since)
    both("SELECT (lead_protection.protect_lead(NULL, 1, 'k')).lead_id")
    for nth, lead in enumerate(leads):
        both(f"SELECT {RESULT} FROM lead_protection.record_lead_activity(%s, %s, %s, %s, %s, %s)",
             lead, user, "QUALIFIED_CALL", since + timedelta(days=nth), f"call-{nth}", clerk)  # fmt: skip
        both("SELECT lead_id, created, reason_code, state_after, on_hold_after FROM lead_protection.create_lead_hold("
             "%s, %s, %s, %s, %s)", lead, user, "PRICE_APPROVAL", clerk, since + timedelta(days=nth + 1))  # fmt: skip
        both.name(f"hold{nth}", "SELECT hold_id FROM lead_protection.v_active_holds WHERE lead_id = %s", lead)
    for nth, lead in enumerate(leads[:6]):
        both("SELECT lead_id, hold_id, released, on_hold_after FROM lead_protection.release_lead_hold(%s, %s, %s)",
             lead, user, clerk)  # fmt: skip
        both(f"SELECT {RESULT} FROM lead_protection.correct_lead_hold(%s, %s, %s, %s, %s, %s)",
             f"hold{nth}", 2, since + timedelta(days=2), since + timedelta(days=9), "wrong", clerk)  # fmt: skip
        both(f"SELECT {RESULT} FROM lead_protection.void_lead_hold(%s, %s, %s, %s)", f"hold{nth}", 1, "stale", clerk)
    both(f"SELECT {RESULT} FROM lead_protection.void_lead_hold(-5, 1, 'unknown', 9)")
    for days in (10, 70):
        both(f"SELECT {RESULT} FROM lead_protection.extend_lead(%s, %s, %s, 'wanted', 5, 9, 'more')",
             leads[0], user, days)  # fmt: skip
    both(f"SELECT {RESULT} FROM lead_protection.transfer_lead(%s, %s, %s, 'left', 9)", leads[1], user, other)
    both(f"SELECT {RESULT} FROM lead_protection.close_lead(%s, %s, 'LOST', 'no', 9)", leads[1], user)
    both(f"SELECT {RESULT} FROM lead_protection.close_lead(%s, %s, 'LOST', 'no', 9)", leads[1], other)
    both(f"SELECT {RESULT} FROM lead_protection.reopen_lead(%s, %s, 'yes', 9)", leads[1], other)
    both(f"SELECT {RESULT} FROM lead_protection.give_back_lead(%s, %s, 'no time', 9)", leads[2], user)
    both(f"SELECT {RESULT} FROM lead_protection.backdate_lead(%s, %s, %s, 'earlier', 'mail', 9)",
         leads[3], user, since - timedelta(days=5))  # fmt: skip
    bulk = "SELECT lead_id, user_id, action, outcome, sqlstate, why FROM lead_protection."
    for _ in range(2):
        both(bulk + "hold_leads('strike', 'PRICE_APPROVAL', 9, %s)", [*leads, 999_999_999])
        both(bulk + "release_leads('over', 9, user_id => %s)", user)
        both(bulk + "transfer_leads('rep left', %s, 'left', 9, %s)", other, leads[4:7])
        both(bulk + "close_leads('sold', 'CONVERTED', 'sold', 9, %s)", leads[7:9])
    both(bulk + "hold_leads('both', 'PRICE_APPROVAL', 9, %s, 5)", leads)
    both(bulk + "hold_leads('neither', 'PRICE_APPROVAL', 9)")
    both(bulk + "hold_leads('null', 'PRICE_APPROVAL', 9, ARRAY[1, NULL])")
    both(bulk + "hold_leads('strike', 'PRICE_APPROVAL', 9, %s)", leads[:3])
    both("SELECT * FROM lead_protection.forecast_protection(60) WHERE user_id IN (%s, %s)", user, other)
    for lead, columns in itertools.product(leads, ("event_type, user_id, actor_id, state_before, state_after",)):
        both(f"SELECT {columns} FROM lead_protection.lead_log(%s)", lead)
        both("SELECT item, expires_at, moved_by > '1 day' FROM lead_protection.explain_protection(%s)", lead)
        both("SELECT user_id, state, on_hold, protection_expires_at, reminder_due_at"
             " FROM lead_protection.v_user_lead_protection WHERE lead_id = %s", lead)  # fmt: skip
    both(
        "SELECT lead_id, user_id, state FROM lead_protection.protection_as_of() WHERE user_id IN (%s, %s)", user, other
    )
    both("SELECT user_id, sum(leads), sum(closed) FROM lead_protection.v_kpi_users WHERE user_id IN (%s, %s)"
         " GROUP BY user_id", user, other)  # fmt: skip
    both("SELECT * FROM lead_protection.verify_protection_log()")
    assert both.calls > 100
