"""The ten systems of docs/adoption-recipes.md, adopted as the page says while their own programs write."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.types.json import Jsonb

from helpers.adoption_calls import let_pauses_pass, schema_of
from helpers.guards import but_by_night
from helpers.model import Lead, Policy, Version, protection
from helpers.pages import APP, RECIPES, Block, Runner, sections
from helpers.recipes import SYSTEMS, Company

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

PAGE = sections(RECIPES)
QUICK = ("Odoo", "Django-CRM")
NAMES = but_by_night(
    SYSTEMS,
    QUICK,
    "one more of ten systems, written to all the time",
    "adoption/test_recipes.py::test_adopted_while_its_program_writes_and_disowned_without_a_trace"
    " adoption/test_recipes.py::test_check_guesses_right_what_the_recipes_say",
)
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
    """Let the pipeline run until nothing waits that it could follow: what met a lead that was held comes again."""
    for _ in range(2):
        let_pauses_pass(db)
        db.execute("CALL lead_protection.run_protection_pipeline()")
    waits = "SELECT row_key, error FROM lead_protection.adoption_queue UNION ALL SELECT '*', 'a note' FROM ({}) AS n"
    notes = "SELECT FROM lead_protection.adoption_notes LIMIT 1"
    assert db.execute(waits.format(notes)).fetchall() == []


FIRST_EVENT = (
    "SELECT event_type FROM lead_protection.protection_log WHERE lead_id = %s ORDER BY recorded_at, occurred_at LIMIT 1"
)


def story(db: psycopg.Connection, companies: list[Company], key: str, lead_id: int) -> str:
    """What was done to a row, and what was made of it: for the message of a failure."""
    named = re.compile(rf"\b{re.escape(key)}\b")
    done = [line[:400] for company in companies for line in company.done if named.search(line)]
    log = "SELECT occurred_at, recorded_at, event_type, user_id, details"
    log += " FROM lead_protection.protection_log WHERE lead_id = %s"
    return "\n".join([f"row {key}", *done, *(" ".join(map(str, row)) for row in db.execute(log, (lead_id,)))])


def assert_as_the_rule_says(db: psycopg.Connection, name: str, companies: list[Company], sure_from) -> None:
    """Row by row: what the companies know, what their tables say, our leads, and the model of the rule.

    A change of owner is followed at its instant if it was noted, which is sure from `sure_from` on.
    """
    system = SYSTEMS[name]
    theirs = system.rows(db)
    adoption = db.execute("SELECT name FROM lead_protection.adoptions WHERE kind = 'leads'").fetchone()[0]
    query = """
        WITH named AS MATERIALIZED (
            SELECT k, lead_protection.lead_id_of(%(name)s, k) AS id FROM unnest(%(keys)s::text[]) AS k
        )
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
        # Of a row that was closed when it was first followed, nobody asks whose it was before (docs/limits.md).
        taken_closed = db.execute(FIRST_EVENT, (lead_id,)).fetchone() == ("lead.reopened",)
        may_be_unnoted = fact.since is None or fact.since[0] < sure_from or taken_closed
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


# --- what else the systems have ---

AN_ACTIVITY = {
    "freshplan": "INSERT INTO public.activities (entity_type, entity_id, activity_type, counts_as_progress, user_id)"
    " VALUES ('LEAD', {key}, 'QUALIFIED_CALL', true, {user}), ('LEAD', {key}, 'NOTE', false, {user}),"
    " ('CUSTOMER', {key}, 'MEETING', true, {user})",
    "Odoo": "INSERT INTO public.calendar_event (opportunity_id, user_id, start, active)"
    " VALUES ({key}, {user}, now() AT TIME ZONE 'UTC', true), ({key}, {user}, now() AT TIME ZONE 'UTC', false)",
    "EspoCRM": "INSERT INTO public.call (id, status, date_start, parent_id, parent_type, assigned_user_id)"
    " VALUES ('1', 'Held', now() AT TIME ZONE 'UTC', {key}, 'Lead', {user}),"
    " ('2', 'Planned', now() AT TIME ZONE 'UTC', {key}, 'Lead', {user}),"
    " ('3', 'Held', now() AT TIME ZONE 'UTC', {key}, 'Account', {user})",
    "SuiteCRM": "INSERT INTO public.calls (id, status, date_start, parent_id, parent_type, assigned_user_id)"
    " VALUES ('1', 'Held', now() AT TIME ZONE 'UTC', {key}, 'Leads', {user}),"
    " ('2', 'Not Held', now() AT TIME ZONE 'UTC', {key}, 'Leads', {user})",
    "ERPNext": 'INSERT INTO public."tabCommunication" (name, reference_doctype, reference_name, "user",'
    " communication_date, sent_or_received) VALUES"
    " ('a', 'Lead', {key}, {user}, now() AT TIME ZONE 'Europe/Berlin', 'Sent'),"
    " ('b', 'Lead', {key}, {user}, now() AT TIME ZONE 'Europe/Berlin', 'Received')",
}


def adopted(name: str, db: psycopg.Connection, server, rows: int = 3) -> list[str]:
    """The system, adopted and switched on, with a few rows of its second user; their keys."""
    system = SYSTEMS[name]
    tables, calls = recipe(name)
    runner = Runner(server, db.info.dbname, APP)
    runner.run(tables)
    if system.setup:
        db.execute(system.setup)
    keys = [system.key(number) for number in range(1, rows + 1)]
    db.execute(system.insert([(key, system.users[1], 30) for key in keys]))
    runner.run(calls)
    db.execute("CALL lead_protection.switch_on_adoption()")
    return keys


@pytest.mark.parametrize("name", AN_ACTIVITY)
def test_what_counts_as_an_activity_is_followed_and_nothing_else(name, db, server):
    keys = adopted(name, db, server)
    db.execute(AN_ACTIVITY[name].format(key=f"'{keys[1]}'", user=f"'{SYSTEMS[name].users[1]}'"))
    follow(db)
    query = "SELECT coalesce(l.lead_key, l.id::text), now() - a.occurred_at < '1 minute', a.user_id = l.user_id"
    joined = "FROM lead_protection.lead_activities AS a INNER JOIN lead_protection.leads AS l ON a.lead_id = l.id"
    assert db.execute(f"{query} {joined}").fetchall() == [(keys[1], True, True)]


def test_odoo_says_since_when_the_owner_has_a_lead(db, server):
    Runner(server, db.info.dbname, APP).run(recipe("Odoo")[0])
    db.execute("INSERT INTO public.res_users (id, login) VALUES (11, 'a'), (12, 'b')")
    assign = "UPDATE public.crm_lead SET user_id = {}, date_open = {} WHERE id = {}"
    ago = "now() AT TIME ZONE 'UTC' - INTERVAL '{} days'"
    db.execute(
        "INSERT INTO public.crm_lead (id, name, create_date) SELECT n, 'x', '2026-01-01' FROM generate_series(1, 3) n"
    )
    for number in (1, 2):
        db.execute(assign.format(11, ago.format(30), number))
    db.execute(
        "CALL lead_protection.adopt_leads('public.crm_lead', 900, start_column => 'date_open', time_zone => 'UTC',"
        " start_is_assignment => true, rows_when => 'date_open IS NOT NULL')"
    )
    shown = "SELECT lead_id, user_id, round(extract(epoch FROM now() - created_at) / 86400), state"
    shown += " FROM lead_protection.v_user_lead_protection ORDER BY lead_id"
    db.execute("CALL lead_protection.switch_on_adoption()")
    assert db.execute(shown).fetchall() == [(1, 11, 30, "PROTECTED"), (2, 11, 30, "PROTECTED")]
    db.execute(assign.format(12, ago.format(2), 1))
    db.execute(assign.format("NULL", "NULL", 2))
    db.execute(assign.format(11, ago.format(1), 3))
    follow(db)
    assert [row[:2] + row[3:] for row in db.execute(shown)][1] == (2, 11, "CLOSED")
    assert [row for row in db.execute(shown) if row[0] != 2] == [(1, 12, 2, "PROTECTED"), (3, 11, 1, "PROTECTED")]
    db.execute(assign.format(11, ago.format(0), 2))
    follow(db)
    assert db.execute(shown).fetchall()[1] == (2, 11, 0, "PROTECTED")


def test_freshplan_stops_a_clock_and_lets_it_run_on(db, server):
    keys = adopted("freshplan", db, server)
    state = "SELECT on_hold, protection_expires_at FROM lead_protection.v_user_lead_protection ORDER BY lead_id"
    before = db.execute(state).fetchall()
    stop = "UPDATE public.leads SET clock_stopped_at = {}, stop_reason = 'plant holidays' WHERE id = '{}'"
    db.execute(stop.format("now() AT TIME ZONE 'UTC' - INTERVAL '5 days'", keys[1]))
    follow(db)
    assert [row[0] for row in db.execute(state)] == [False, True, False]
    db.execute(stop.format("NULL", keys[1]))
    follow(db)
    after = db.execute(state).fetchall()
    assert [row[0] for row in after] == [False, False, False]
    assert [(row[1] - other[1]).days for row, other in zip(after, before, strict=True)] == [0, 5, 0]


@pytest.mark.parametrize("name", ["EspoCRM", "SuiteCRM"])
def test_a_recycled_lead_is_nobodys_until_somebody_takes_it(name, db, server):
    keys = adopted(name, db, server)
    states = "SELECT lead_key, state FROM lead_protection.v_user_lead_protection"
    db.execute(SYSTEMS[name].update(keys[:1], "status = 'Recycled'"))
    follow(db)
    assert dict(db.execute(states).fetchall()) == dict(zip(keys, ["FREE", "PROTECTED", "PROTECTED"], strict=True))
    db.execute(SYSTEMS[name].update(keys[:1], "status = 'Assigned'"))
    follow(db)
    begun = "SELECT lead_key FROM lead_protection.v_user_lead_protection WHERE now() - created_at < '1 minute'"
    assert db.execute(begun).fetchall() == [(keys[0],)], "the same user, from now on"


def test_a_lead_of_two_in_django_crm_waits_until_it_is_one_s(db, server):
    keys, users = adopted("Django-CRM", db, server), SYSTEMS["Django-CRM"].users
    both = "INSERT INTO public.lead_assigned_to (lead_id, profile_id) VALUES (%s, %s)"
    db.execute(both, (keys[0], users[2]))
    db.execute("CALL lead_protection.run_protection_pipeline()")
    waits = "SELECT row_key, left(error, 5) FROM lead_protection.adoption_queue"
    assert db.execute(waits).fetchall() == [(keys[0], "21000")]
    db.execute("DELETE FROM public.lead_assigned_to WHERE profile_id = %s", (users[1],))
    follow(db)
    owner = "SELECT u.user_key FROM lead_protection.leads INNER JOIN lead_protection.adopted_users AS u USING (user_id)"
    assert (users[2],) in db.execute(owner).fetchall()


def test_given_back_and_given_away_between_two_looks_it_was_nobody_s_in_between(db, server):
    """In yudao nobody is 0, which is no user."""
    keys = adopted("yudao", db, server)
    for user in (None, "13", None, "12"):
        db.execute(SYSTEMS["yudao"].assign(keys[:1], user))
    follow(db)
    log = "SELECT event_type, user_id FROM lead_protection.protection_log WHERE lead_id = 1 ORDER BY occurred_at"
    given_back, transferred = "lead.protection.given_back", "lead.protection.transferred"
    assert [row[0] for row in db.execute(log)] == [given_back, transferred] * 2
    assert db.execute("SELECT FROM lead_protection.lead_history WHERE user_id = 0").fetchall() == []
    assert db.execute("SELECT user_id FROM lead_protection.leads WHERE id = 1").fetchone() == (12,)


@pytest.mark.parametrize("name", ["Vtiger", "Django-CRM"])
def test_a_lead_that_comes_with_its_owner_is_protected_from_its_start_on(name, db, server):
    adopted(name, db, server)
    system = SYSTEMS[name]
    with db.transaction():
        db.execute(system.insert([(system.key(9), system.users[0], 30)]))
    follow(db)
    ages = "SELECT round(extract(epoch FROM now() - created_at) / 86400) FROM lead_protection.v_user_lead_protection"
    assert db.execute(ages).fetchall() == [(30,)] * 4


@pytest.mark.parametrize("name", ["Vtiger", "Django-CRM"])
def test_what_is_written_about_owners_is_noted_row_by_row(name, db, server):
    keys = adopted(name, db, server)
    db.execute(SYSTEMS[name].assign(keys[:1], SYSTEMS[name].users[2]))
    db.execute(SYSTEMS[name].delete(keys[1:2]))
    noted = db.execute("SELECT row_keys FROM lead_protection.adoption_notes").fetchall()
    assert noted and (None,) not in noted, "null: look at everything"


def test_a_record_of_vtiger_that_is_no_lead_is_passed_over(db, server):
    adopted("Vtiger", db, server)
    db.execute(
        "INSERT INTO public.vtiger_crmentity (crmid, smownerid, setype, createdtime, modifiedtime)"
        " VALUES (900, 11, 'Contacts', now(), now());"
        " UPDATE public.vtiger_crmentity SET smownerid = 12 WHERE crmid = 900"
    )
    follow(db)
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (3,)


def test_the_check_of_the_page_prints_the_call(db, server):
    tables, _ = recipe("freshplan")
    runner = Runner(server, db.info.dbname, APP)
    runner.run(tables)
    (check,) = PAGE[""]
    printed = "\n".join(line for (line,) in runner.run(check))
    assert (
        "CALL lead_protection.adopt_leads('public.leads', actor_id => NULL, user_column => 'owner_user_id'" in printed
    )
    assert "Fit to be adopted." in printed


def test_check_guesses_right_what_the_recipes_say(db, server):
    """As far as names of columns tell: the key, the owner and the start of each system."""
    for name, (tables, calls) in ((name, recipe(name)) for name in SYSTEMS):
        db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        db.execute(tables.text)
        source = re.search(r"'(public\.[^']+)'", calls.text)[1]
        zone = re.search(r"time_zone => '([^']+)'", calls.text)
        mapping = {"time_zone": zone[1]} if zone else {}
        if owners := re.search(r"owner_source => '([^']+)'", calls.text):
            mapping["owner_source"] = owners[1]
        query = "SELECT finding FROM lead_protection.check_source(%s, 'leads', %s) WHERE item = 'call'"
        found = db.execute(query, (source, Jsonb(mapping))).fetchall()
        for said in re.findall(r"\b(?:id_column|user_column|start_column|owner_\w+) => '[^']+'", first_call(calls, 1)):
            assert said in found[0][0] or said == "owner_lead_column => 'lead_id'", (name, said, found)
