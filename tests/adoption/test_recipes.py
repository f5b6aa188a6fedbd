"""The ten systems of docs/adoption-recipes.md, adopted as the page says while their own programs write."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from helpers.adoption_calls import schema_of
from helpers.model import Lead, Policy, Version, protection
from helpers.pages import APP, RECIPES, Block, Runner, sections
from helpers.recipes import SYSTEMS, Company

PAGE = sections(RECIPES)
QUICK = ("Odoo", "Django-CRM")
NAMES = [
    pytest.param(
        name, marks=() if name in QUICK else pytest.mark.slow("one more of ten systems, written to all the time")
    )
    for name in SYSTEMS
]
ADOPTED = "SELECT source FROM lead_protection.adoptions WHERE disowned_at IS NULL ORDER BY id DESC"


def recipe(name: str) -> tuple[Block, Block]:
    """The blocks of a system: its tables, and the calls."""
    tables, calls = PAGE[name]
    return tables, calls


def first_call(calls: Block, batch_size: int) -> str:
    """The call that adopts the leads, in small steps."""
    call = re.match(r"CALL .*?^\);", calls.text, re.MULTILINE | re.DOTALL)[0]
    return call.removesuffix("\n);") + f",\n    batch_size => {batch_size}\n)"


@contextmanager
def at_work(companies: list[Company]) -> Iterator[None]:
    """Let each write while the block runs, 40 statements at least, 150 at most; what fails there fails the test."""
    stop, failures = threading.Event(), []

    def work(company: Company) -> None:
        done = 0
        try:
            while done < 40 or (not stop.is_set() and done < 150):
                company.write()
                done += 1
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(company,)) for company in companies]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
    assert not failures, failures[0]
    assert not any(thread.is_alive() for thread in threads)


def follow(db: psycopg.Connection) -> None:
    """Let the pipeline run until nothing waits that it could follow."""
    db.execute("CALL lead_protection.run_protection_pipeline()")
    waits = "SELECT row_key, error FROM lead_protection.adoption_queue UNION ALL SELECT '*', 'a note' FROM ({}) AS n"
    notes = "SELECT FROM lead_protection.adoption_notes LIMIT 1"
    assert db.execute(waits.format(notes)).fetchall() == []


def story(db: psycopg.Connection, companies: list[Company], key: str, lead_id: int) -> str:
    """What was done to a row, and what was made of it: for the message of a failure."""
    done = [line[:400] for company in companies for line in company.done if re.search(rf"\b{re.escape(key)}\b", line)]
    log = "SELECT occurred_at, recorded_at, event_type, user_id, details FROM lead_protection.protection_log WHERE lead_id = %s"
    return "\n".join([f"row {key}", *done, *(" ".join(map(str, row)) for row in db.execute(log, (lead_id,)))])


def assert_as_the_rule_says(db: psycopg.Connection, name: str, companies: list[Company], sure_from) -> None:
    """Row by row: what the companies know, what their tables say, our leads, and the independent model of the rule.

    A change of owner is followed at its instant if it was noted, which is sure from `sure_from` on.
    """
    system = SYSTEMS[name]
    theirs = system.rows(db)
    adoption = db.execute("SELECT name FROM lead_protection.adoptions WHERE kind = 'leads'").fetchone()[0]
    query = """
        WITH named AS MATERIALIZED (SELECT k, lead_protection.lead_id_of(%(name)s, k) AS id FROM unnest(%(keys)s::text[]) AS k)
        SELECT k, l.id, coalesce(u.user_key, l.user_id::text), l.closed_as, v.state, v.created_at,
            v.protection_expires_at, now()
        FROM named
        LEFT JOIN lead_protection.leads AS l ON named.id = l.id
        LEFT JOIN lead_protection.v_user_lead_protection AS v ON l.id = v.lead_id
        LEFT JOIN lead_protection.adopted_users AS u ON l.user_id = u.user_id"""
    facts = {key: fact for company in companies for key, fact in company.facts.items()}
    assert {key for key, fact in facts.items() if not fact.is_gone} == theirs.keys()
    ours = {row[0]: row[1:] for row in db.execute(query, {"keys": list(facts), "name": adoption})}
    for key, fact in facts.items():
        lead_id, user, closed_as, state, started_at, expires_at, now = ours[key]
        if fact.is_gone:
            assert lead_id is None or closed_as == "DELETED", key
            continue
        start, outcome = theirs[key]
        assert closed_as == outcome, key
        if outcome is not None:
            assert fact.is_closed and state == "CLOSED", key
            continue
        assert (user, state == "FREE") == (fact.user, fact.user is None), key
        if user is None:
            continue
        was_noted = fact.since is not None and fact.since[0] <= started_at <= fact.since[1]
        may_be_unnoted = fact.since is None or fact.since[0] < sure_from
        assert was_noted or (may_be_unnoted and started_at == start), story(db, companies, key, lead_id)
        expected = protection(Lead((Version(1, Policy(), started_at),)), now)
        assert expires_at == expected.protection_expires_at, key
        assert (state == "EXPIRED") == (expires_at <= now), key
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall() == []


def adopt_with_a_kill(db: psycopg.Connection, connect: Callable, wait_until: Callable, calls: Block):
    """Begin to take over row by row, and kill that; return an instant from which on triggers were there."""
    backfill, failure = connect(), []

    def adopt() -> None:
        try:
            backfill.execute(first_call(calls, 1))
        except psycopg.Error as error:
            failure.append(error)

    thread = threading.Thread(target=adopt)
    thread.start()
    begun = "SELECT clock_timestamp() FROM lead_protection.adoptions WHERE backfilled_through IS NOT NULL"
    sure_from = wait_until(lambda: failure or db.execute(begun).fetchone())
    db.execute("SELECT pg_terminate_backend(%s)", (backfill.info.backend_pid,))
    thread.join(timeout=30)
    assert [type(error) for error in failure] == [psycopg.errors.AdminShutdown], failure
    return (sure_from or db.execute(begun).fetchone())[0]


@pytest.mark.parametrize("name", NAMES)
def test_adopted_while_its_program_writes_and_disowned_without_a_trace(name, db, connect, server, wait_until):
    system = SYSTEMS[name]
    tables, calls = recipe(name)
    runner = Runner(server, db.info.dbname, APP)
    runner.run(tables)
    if system.setup:
        db.execute(system.setup)
    before = schema_of(server, db.info.dbname, "public")
    companies = [Company(system, connect(), range(1 + n * 10_000, 10_000 + n * 10_000), n) for n in range(2)]
    for company in companies:
        company.insert(60)

    with at_work(companies):
        sure_from = adopt_with_a_kill(db, connect, wait_until, calls)
        runner.run(calls)
    db.execute("CALL lead_protection.switch_on_adoption()")
    with at_work(companies):
        db.execute("CALL lead_protection.run_protection_pipeline()")

    first = companies[0]
    first.copy(10)
    first.assign(first.opened(), system.users[1])
    first.delete(first.opened()[:3])
    follow(db)
    for company in companies:
        company.assign(company.opened()[:2], system.users[0])
        company.assign(company.opened()[2:4], system.users[3])
    first.assign(first.opened()[-5:], None)
    window = first.delete_user(system.users[3])
    for company in companies:
        company.lose_user(system.users[3], window)
    follow(db)
    assert_as_the_rule_says(db, name, companies, sure_from)

    for (source,) in db.execute(ADOPTED).fetchall():
        db.execute("CALL lead_protection.disown_source(%s)", (source,))
    assert schema_of(server, db.info.dbname, "public") == before
    first.insert(5)
    assert db.execute("SELECT FROM lead_protection.adoption_notes").fetchall() == []
