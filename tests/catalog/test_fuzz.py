"""Every granted function and view, as each role, with arguments that make sense and with others: nothing but success or
an SQLSTATE that docs/error-codes.md has; and what was promised holds after each thousand calls.

What there is to call comes from the catalog: a new function is covered by itself.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass

import psycopg
import pytest

from helpers.calls import make_policy, rows
from helpers.facts import drift, insert_holds, insert_lead_of_age
from helpers.guards import but_by_night
from helpers.pages import ERROR_CODES
from helpers.project import cases, seed
from helpers.traps import caught, plant

ROLES = ("app", "operator", "monitor", "jobs", "consumer")
CALLS = cases(2000, usual=300, fast=40)
SEED = seed()

NULLS = ["NULL"]
IDS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]
# By the type of a parameter: what makes some sense first, and then what does not.
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "bigint": (IDS, ["0", "-1", "9223372036854775807", "-9223372036854775808", "99"]),
    "integer": (["1", "2", "10", "50"], ["0", "-1", "2147483647", "-2147483648", "36500", "100000"]),
    "smallint": (["1"], ["0", "-32768", "32767"]),
    "numeric": (["1", "0.5"], ["'NaN'", "'Infinity'", "-1", "1e400"]),
    "boolean": (["true", "false"], []),
    "text": (
        ["'strike'", "'SUPPLY_ISSUE'", "'crm'", "'QUALIFIED_CALL'", "'key 1'", "'key 2'", "'LOST'", "'delivered'"],
        [
            "''",
            "' '",
            "'NO_SUCH_CODE'",
            "'OTHER'",
            "repeat('x', 300)",
            "repeat('ü', 255)",
            "E'\\u0001'",
            "'%s %L %'",
            "'''; DROP TABLE x; --'",
            "'lead.protection.reminder'",
            "'Europe/Nowhere'",
            "E'\\u200b'",
            "'infinity'",
        ],
    ),
    "name": (["'id'"], ["''", "repeat('x', 63)"]),
    "timestamp with time zone": (
        ["now()", "now() - INTERVAL '3 days'", "now() + INTERVAL '3 days'", "now() - INTERVAL '100 days'"],
        [
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 00:00:00+00 BC'",
            "'294276-12-31 23:59:59+00'",
            "'1899-12-31Z'",
            "'2999-12-31 23:59:59Z'",
            "'3000-01-01Z'",
            "'-infinity'",
            "now() + INTERVAL '4 minutes'",
        ],
    ),
    "timestamp without time zone": (["'2026-01-01'"], ["'infinity'"]),
    "date": (["current_date", "current_date + 5"], ["'infinity'", "'-infinity'", "'5874897-12-31'", "'4713-01-01 BC'"]),
    "time without time zone": (["'08:00'"], ["'24:00'", "'00:00'"]),
    "interval": (
        ["INTERVAL '1 day'", "INTERVAL '90 days'", "INTERVAL '5 minutes'"],
        [
            "INTERVAL '0'",
            "INTERVAL '-1 day'",
            "INTERVAL '100000 years'",
            "INTERVAL '-178000000 years'",
            "INTERVAL '2562047788 hours'",
            "INTERVAL '1 microsecond'",
            "INTERVAL '1000 years'",
        ],
    ),
    "jsonb": (
        ["'{}'", "'[]'", '\'[{"date": "2026-12-24", "name": "x"}]\''],
        ["'[{}]'", "'null'", "'\"x\"'", '\'{"a": {"b": 1}}\''],
    ),
    "uuid": (["gen_random_uuid()"], ["'00000000-0000-0000-0000-000000000000'"]),
    "bigint[]": (
        ["'{1,2,3}'", "'{4}'", "'{10,9,8,9}'"],
        ["'{}'", "'{NULL}'", "'{1,NULL,2}'", "'{{1,2},{3,4}}'", "'[5:7]={1,2,3}'", "'{99,-1,0}'"],
    ),
    "integer[]": (["'{1}'", "'{6,7}'"], ["'{}'", "'{NULL}'", "'{1,2,3,4,5,6,7}'", "'{{1,2},{3,4}}'"]),
    "text[]": (
        ["'{lead.closed,lead.protection.reminder}'"],
        ["'{}'", "'{NULL}'", "'{lead.closed,NULL}'", "'{{a,b},{c,d}}'", "'{no.such.type}'", "'[3:3]={lead.closed}'"],
    ),
    "uuid[]": (
        ["ARRAY[gen_random_uuid()]"],
        ["'{}'", "'{NULL}'", "'{{00000000-0000-0000-0000-000000000000},{00000000-0000-0000-0000-000000000000}}'"],
    ),
    "interval[]": (["ARRAY[INTERVAL '1 second']"], ["'{}'", "'{NULL}'"]),
    "tstzmultirange": (["'{}'", "'{[2026-01-01 00:00+00, 2026-02-01 00:00+00)}'"], ["'{(,)}'", "'{[2026-01-01,)}'"]),
    "tstzrange": (["'[2026-01-01 00:00+00, 2026-02-01 00:00+00)'"], ["'empty'", "'(,)'"]),
}
# What a parameter of this name makes some sense with, whatever others of its type do.
BY_NAME = {
    "user_id": ["7", "7", "7", "8"],
    "new_user_id": ["7", "8"],
    "consumer_name": ["'crm'"],
    "kind": ["'QUALIFIED_CALL'", "'SYSTEM_NOTE'"],
    "outcome": ["'LOST'", "'CONVERTED'", "'delivered'", "'failed'"],
    "rule": ["'sequential'", "'parallel'"],
    "time_zone": ["'Europe/Berlin'", "'UTC'"],
    "policy_id": ["1", "2"],
    "calendar_id": ["1", "12"],
    "based_on": ["1", "12"],
    "code": ["'ACME'", "'OTHER-1'", "'DE'"],
    "job_name": ["'lead-protection-nightly'", "'lead-protection-reminders'"],
    "language": ["'de'", "'en'"],
    "version": ["1", "2"],
    "reason": ["'strike'", "'SUPPLY_ISSUE'", "'in words'"],
}
# A type of ours is a row of its table, or nothing.
ROW = re.compile(r"^lead_protection\.(\w+)(\[\])?$")

# What PostgreSQL says to functions that check nothing, for views are made of them: the page has a row with their names.
UNCHECKED = re.compile(r"^\| `22000`, .+$", re.MULTILINE)


@dataclass(frozen=True)
class Routine:
    """A routine of ours that somebody may call."""

    name: str
    kind: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    defaults: int
    variadic: bool


def granted(db, role: str) -> tuple[list[Routine], list[str]]:
    """The routines that the role may call and the relations that it may read."""
    # Trigger functions and those of several sets of arguments are called by nobody.
    found = rows(
        db,
        "SELECT p.proname AS name, p.prokind::text AS kind,"
        " coalesce((SELECT array_agg(coalesce(p.proargnames[a.n], '') ORDER BY a.n)"
        "   FROM generate_subscripts(coalesce(p.proallargtypes, p.proargtypes::oid[]), 1) AS s (n)"
        "   CROSS JOIN LATERAL (SELECT CASE WHEN p.proallargtypes IS NULL THEN s.n + 1 ELSE s.n END AS n) AS a"
        "   WHERE coalesce(p.proargmodes[a.n], 'i') IN ('i', 'b')), '{}') AS names,"
        " coalesce((SELECT array_agg(format_type(t, NULL) ORDER BY n)"
        "   FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, n)), '{}') AS types, p.pronargdefaults AS defaults,"
        " p.provariadic <> 0 AS variadic"
        " FROM pg_proc AS p WHERE p.pronamespace = 'lead_protection'::regnamespace"
        " AND has_function_privilege(%s, p.oid, 'EXECUTE') AND p.prorettype <> 'trigger'::regtype ORDER BY 1",
        (role,),
    )
    routines = [Routine(**(row | {"names": tuple(row["names"]), "types": tuple(row["types"])})) for row in found]
    relations = rows(
        db,
        "SELECT c.relname AS name FROM pg_class AS c WHERE c.relnamespace = 'lead_protection'::regnamespace"
        " AND c.relkind IN ('r', 'v') AND has_table_privilege(%s, c.oid, 'SELECT') ORDER BY 1",
        (role,),
    )
    return routines, [row["name"] for row in relations]


def documented() -> tuple[set[str], dict[str, set[str]]]:
    """The codes of the page, those that never leave a function left out; and more of those that are allowed more."""
    page = ERROR_CODES.read_text(encoding="utf-8")
    unchecked = UNCHECKED.search(page)[0]
    codes = re.findall(r"^\| ((?:`\w{5}`(?:, )?)+)", page.replace(unchecked, ""), re.MULTILINE)
    more = re.findall(r"`(\w{5})`", unchecked.split("|")[1])
    allowed_more = {name: set(more) for name in re.findall(r"`(\w+)`", unchecked.split("|")[2])}
    return {code for cell in codes for code in re.findall(r"`(\w{5})`", cell)} - {"LP999"}, allowed_more


def literal(chance: random.Random, routine: Routine, position: int, db) -> str:
    """An argument: most often one that makes some sense."""
    name, type_name = routine.names[position] if routine.names else "", routine.types[position]
    if chance.random() < 0.06:
        return f"NULL::{type_name}"
    if match := ROW.match(type_name):
        if match[2]:
            return f"'{{}}'::{type_name}"
        table = rows(db, f"SELECT c::text AS row FROM {type_name} AS c ORDER BY random() LIMIT 1")
        return f"{psycopg.sql.Literal(table[0]['row']).as_string(db)}::{type_name}" if table else f"NULL::{type_name}"
    sensible, others = VALUES[type_name]
    if name in BY_NAME and type_name in ("bigint", "text", "integer"):
        sensible = BY_NAME[name]
    chosen = chance.choice(sensible if chance.random() < 0.8 or not others else others)
    return f"({chosen})::{type_name}"


def plain(literal_text: str, db) -> str:
    """The same argument as a string that needs no path: neither its type nor an operator is looked up."""
    (value,) = db.execute(f"SELECT ({literal_text})::pg_catalog.text").fetchone()
    return psycopg.sql.Literal(value).as_string(db)


def statement(chance: random.Random, routine: Routine, db, write=lambda literal_text, db: literal_text) -> str:
    """A call, with or without the arguments that have a default."""
    count = len(routine.types)
    given = count if chance.random() < 0.6 else chance.randint(count - routine.defaults, count)
    if routine.variadic:
        given = count
    arguments = [write(literal(chance, routine, position, db), db) for position in range(given)]
    if routine.variadic:
        arguments[-1] = f"VARIADIC {arguments[-1]}"
    verb = "CALL" if routine.kind == "p" else "SELECT * FROM"
    return f"{verb} lead_protection.{routine.name}({', '.join(arguments)})"


@pytest.fixture
def world(db):
    """Leads in each position, a consumer, a policy of each kind."""
    noticed = make_policy(db, "noticed", rule="parallel", notice_required=True, approval_by_another=True)
    db.execute("SELECT lead_protection.register_event_consumer('crm')")
    for lead_id, days in enumerate((1, 30, 100, 200, 249, 249, 252, 300, 100, 249, 30, 5), start=1):
        insert_lead_of_age(db, lead_id, days, user_id=7 if lead_id != 11 else 8)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id IN (3, 10)", (noticed,))
    now = db.execute("SELECT now()").fetchone()[0]
    insert_holds(db, 4, [(now, None)])
    db.execute("SELECT lead_protection.record_lead_activity(3, 7, 'QUALIFIED_CALL', now(), 'key 1', 1)")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    return db


def log_of(db) -> dict:
    """The log: what was there must stay as it is."""
    return {
        r["event_id"]: r["row"]
        for r in rows(db, "SELECT event_id, g::text AS row FROM lead_protection.protection_log AS g")
    }


def promises_broken(db, log_before: dict) -> list[str]:
    """What does not hold of all that is promised."""
    queries = {
        "two open holds": "SELECT lead_id FROM lead_protection.lead_holds WHERE end_at IS NULL AND voided_at IS NULL"
        " GROUP BY lead_id, user_id HAVING count(*) > 1",
        "a reminder twice": "SELECT lead_id FROM lead_protection.protection_log"
        " WHERE event_type = 'lead.protection.reminder' AND (details ->> 'attempt')::int = 1"
        " GROUP BY lead_id, user_id, details ->> 'window_date' HAVING count(*) > 1",
        "expired on hold": "SELECT lead_id FROM lead_protection.v_user_lead_protection"
        " WHERE state = 'EXPIRED' AND on_hold",
        "a log row without its event": "SELECT g.event_id FROM lead_protection.protection_log AS g"
        " WHERE NOT EXISTS (SELECT FROM lead_protection.outbox_events AS o WHERE o.id = g.event_id)",
        "an event without its log row": "SELECT o.id FROM lead_protection.outbox_events AS o"
        " WHERE o.aggregatetype = 'lead'"
        " AND NOT EXISTS (SELECT FROM lead_protection.protection_log AS g WHERE o.id = g.event_id)",
    }
    broken = [what for what, query in queries.items() if rows(db, query)]
    now = log_of(db)
    if any(now.get(event_id) != row for event_id, row in log_before.items()):
        broken.append("the log was changed")
    if drift(db):
        broken.append("the cache is not the rule")
    return broken


@pytest.mark.parametrize("role", ROLES)
def test_nothing_but_success_or_a_documented_refusal(role, world, connect, record_property):
    chance = random.Random(f"{SEED} {role}")
    routines, relations = granted(world, f"lead_protection_{role}")
    session = connect()
    session.execute("SET statement_timeout = '60s'")
    session.execute(f"SET SESSION AUTHORIZATION lead_protection_{role}")
    codes, allowed_more = documented()
    outcomes: Counter[str] = Counter()
    unexpected: dict[tuple[str, str], str] = {}
    log = log_of(world)
    for number in range(1, CALLS + 1):
        if relations and chance.random() < 0.1:
            name, allowed = chance.choice(relations), codes
            text = f"SELECT * FROM lead_protection.{name} LIMIT 20"
        else:
            routine = chance.choice(routines)
            name, allowed = routine.name, codes | allowed_more.get(routine.name, set())
            text = statement(chance, routine, world)
        try:
            session.execute(text)
            outcomes["success"] += 1
        except psycopg.Error as error:
            outcomes[error.sqlstate] += 1
            if error.sqlstate not in allowed:
                unexpected.setdefault((name, error.sqlstate), f"{text}\n    {error}")
        if number % 1000 == 0 or number == CALLS:
            assert promises_broken(world, log) == [], f"after {number} calls as {role}, seed {SEED}"
            log = log_of(world)
    figures = {"functions": len(routines), "views": len(relations), "calls": CALLS, "outcomes": dict(outcomes)}
    record_property("figures", figures)
    print(role, figures)
    assert unexpected == {}, "\n".join(unexpected.values())
    assert outcomes["success"] > CALLS / 20


@pytest.mark.slow("thousands of traps, and hundreds of calls")
@pytest.mark.parametrize(
    "path",
    but_by_night(
        ["public", "public, pg_catalog"],
        ["public"],
        "another path",
        "catalog/test_fuzz.py::test_no_call_runs_anything_of_the_path",
    ),
)
def test_no_call_runs_anything_of_the_path(path, world, connect):
    """Every granted routine and view, under a path that offers another of all that PostgreSQL has."""
    chance = random.Random(f"{SEED} {path}")
    plant(world)
    world.execute("SET search_path = pg_catalog")
    session = connect()
    session.execute("SELECT pg_catalog.set_config('search_path', %s, false)", [path])
    routines = {r.name: r for role in ROLES for r in granted(world, f"lead_protection_{role}")[0]}
    relations = sorted({name for role in ROLES for name in granted(world, f"lead_protection_{role}")[1]})
    calls = [f"SELECT * FROM lead_protection.{name} LIMIT 20" for name in relations]
    calls += [
        statement(chance, routine, world, plain)
        for _, routine in sorted(routines.items())
        for _ in range(cases(5, usual=2, fast=2))
    ]
    outcomes: Counter[str] = Counter()
    for text in calls:
        try:
            session.execute(text)
            outcomes["success"] += 1
        except psycopg.Error as error:
            outcomes[error.sqlstate] += 1
        assert caught(world) == (False, []), text
    assert outcomes["success"] > len(calls) / 4, outcomes


def test_every_type_of_a_parameter_has_values(db):
    """A new function with a new type must not be left out in silence."""
    types = {t for role in ROLES for routine in granted(db, f"lead_protection_{role}")[0] for t in routine.types}
    assert {t for t in types if t not in VALUES and not ROW.match(t)} == set()
