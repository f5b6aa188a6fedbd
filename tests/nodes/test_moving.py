"""Leads of slots move from one node to another, and are the same there."""

from collections.abc import Callable

import psycopg
import pytest

from helpers.command_line import finish, line_of, run_cli, run_ok, start
from helpers.consumer_calls import acknowledge, claim
from helpers.log_form import problems_of_log
from helpers.nodes import Nodes
from helpers.project import poll
from helpers.seals import checkpoint, export, problems, seal, verified
from lead_protection.moving import MOVER_LOCK

# What is asked of each lead, at one instant for all nodes; rows as text, without what a node counts for itself.
ANSWERS = {
    "explained": "SELECT l.id, e.item, e.expires_at, e.explanation FROM lead_protection.leads AS l"
    " CROSS JOIN LATERAL lead_protection.explain_protection(l.id, as_of => %(at)s) AS e",
    "shown": "SELECT * FROM lead_protection.user_lead_protection(%(at)s)",
    "log": "SELECT to_jsonb(g) - 'transaction_id' FROM lead_protection.protection_log AS g",
    "chain": "SELECT g.lead_id, g.log_number, lead_protection.log_chain(NULL, lead_protection.log_row_digest(g))"
    " OVER (PARTITION BY g.lead_id ORDER BY g.log_number) FROM lead_protection.protection_log AS g",
    "events": "SELECT to_jsonb(e) - 'sequence_number', row_number() OVER (PARTITION BY aggregateid ORDER BY"
    " sequence_number) FROM lead_protection.outbox_events AS e WHERE aggregatetype = 'lead'",
    "deliveries": "SELECT to_jsonb(d) - 'sequence_number' FROM lead_protection.event_deliveries AS d"
    " WHERE d.lead_id <> 0",
}
FACTS = (
    "leads", "lead_history", "lead_holds", "lead_activities", "lead_extensions", "lead_reminders",
    "reminder_deliveries", "lead_warnings", "lead_expiries", "lead_clocks", "bulk_hold_results",
)  # fmt: skip
ANSWERS |= {table: f"SELECT to_jsonb(t) FROM lead_protection.{table} AS t" for table in FACTS}


def answers(databases, at) -> dict[str, list]:
    """What databases say of all their leads, together."""
    found: dict[str, list] = {name: [] for name in ANSWERS}
    for database in databases:
        for name, query in ANSWERS.items():
            found[name] += map(str, database.execute(query, {"at": at}).fetchall())
    return {name: sorted(rows) for name, rows in found.items()}


def move(nodes: Nodes, slots: str = "0-63", to: str = "two") -> str:
    """Move slots, and prove that each lead is where the router says, and nowhere else."""
    output = run_ok("move-slots", slots, "--to", to, "--database", nodes.router_url)
    assert nodes.on_its_way() == 0
    assert {lead: [nodes.where_is(lead)] for lead in nodes.owners()} == nodes.owners()
    between = "SELECT count(*) FROM lead_protection_router.moved_leads WHERE lead_protection_router.slot_of(lead_id)"
    assert nodes.router.execute(f"{between} BETWEEN %s AND %s", slots.split("-")).fetchone() == (0,)
    return output


def refusal(call: Callable, *args) -> psycopg.Error:
    """The error that a call ends in."""
    with pytest.raises(psycopg.Error) as caught:
        call(*args)
    return caught.value


def a_lead(node: psycopg.Connection, having: str = "true") -> tuple[int, int]:
    """A lead of a node, with its user."""
    return node.execute(
        "SELECT lead_id, user_id FROM lead_protection.v_user_lead_protection"
        f" WHERE state = 'PROTECTED' AND {having} ORDER BY lead_id LIMIT 1"
    ).fetchone()


@pytest.mark.slow("every answer of hundreds of leads")
def test_after_moves_all_is_as_on_a_database_that_was_never_split(nodes: Nodes, twin: psycopg.Connection):
    every_lead = nodes.owners().keys()
    for slots, to in (("0-20", "two"), ("16-24", "one"), ("18-19", "two")):
        output = move(nodes, slots, to)
        owners = nodes.owners()
        assert owners.keys() == every_lead
        at = twin.execute("SELECT now()").fetchone()[0]
        together, alone = answers(nodes.nodes.values(), at), answers([twin], at)
        assert [name for name in ANSWERS if together[name] != alone[name]] == []
        for node in nodes.nodes.values():
            assert node.execute("SELECT count(*) FROM lead_protection.find_clock_drift()").fetchone() == (0,)
            assert problems_of_log(node) == []
            node.execute("SELECT lead_protection.seal_protection_log()")
            assert problems_of_log(node) == []
            assert node.execute("SELECT lead_protection.publish_missing_events()").fetchone() == (0,)
    assert "Done: " in output and sum(names == ["two"] for names in owners.values()) > 30
    assert all(alone.values()), [name for name in alone if not alone[name]]


# By which a caller names a lead that has gone, and what a node that lost it must say to each.
CALLS = {
    "hold": "SELECT lead_protection.create_lead_hold(%(lead)s, %(user)s, 'x', 1)",
    "release": "SELECT lead_protection.release_lead_hold(%(lead)s, %(user)s, 1)",
    "void, by the hold": "SELECT lead_protection.void_lead_hold(%(hold)s, 1, 'x', 1)",
    "bulk": "SELECT lead_protection.hold_leads('k', 'x', 1, ARRAY[%(lead)s::bigint])",
    "bulk once more": "SELECT lead_protection.hold_leads('before', 'x', 1, ARRAY[%(lead)s::bigint])",
    "erase": "SELECT lead_protection.erase_texts('x', 1, ARRAY[%(lead)s::bigint])",
    "explain": "SELECT lead_protection.explain_protection(%(lead)s)",
    "log": "SELECT lead_protection.lead_log(%(lead)s)",
    "verify": "SELECT lead_protection.verify_protection_log(%(lead)s)",
    "export": "SELECT lead_protection.export_log(ARRAY[%(lead)s::bigint])",
    "the request that entered it": "SELECT lead_protection.protect_lead(%(user)s, 1, 'request')",
    "the same number": "INSERT INTO lead_protection.leads (id, user_id) VALUES (%(lead)s, 1)",
}


@pytest.mark.slow("all slots are moved")
def test_who_comes_for_a_lead_that_has_gone_is_sent_to_the_router(nodes: Nodes):
    one = nodes["one"]
    lead, user = one.execute("SELECT lead_id, user_id FROM lead_protection.protect_lead(7, 1, 'request')").fetchone()
    given = {"lead": lead, "user": user}
    one.execute("SELECT lead_protection.hold_leads('before', 'x', 1, ARRAY[%s::bigint])", [lead])
    (given["hold"],) = one.execute("SELECT id FROM lead_protection.lead_holds WHERE lead_id = %s", [lead]).fetchone()
    move(nodes)
    for name, query in CALLS.items():
        error = refusal(one.execute, query, given)
        assert error.sqlstate == "LP135", (name, error)
        assert "two" in error.diag.message_detail and "router" in error.diag.message_hint
    # A new lead, of a slot that has gone; and what never was.
    assert refusal(one.execute, "INSERT INTO lead_protection.leads (user_id) VALUES (7)").sqlstate == "LP135"
    assert refusal(one.execute, "SELECT lead_protection.void_lead_hold(-5, 1, 'x', 1)").sqlstate == "LP033"
    assert refusal(one.execute, "SELECT lead_protection.explain_protection(-5)").sqlstate == "LP002"
    # There all of it goes on, and a repeated request is known.
    two = nodes["two"]
    again = "SELECT lead_id, changed FROM lead_protection.protect_lead(7, 1, 'request')"
    assert two.execute(again).fetchone() == (lead, False)
    bulk = "SELECT outcome FROM lead_protection.hold_leads('before', 'x', 1, ARRAY[%s::bigint])"
    assert two.execute(bulk, [lead]).fetchone() == ("done",)
    assert two.execute(CALLS["void, by the hold"], given).fetchone() is not None


@pytest.mark.slow("a router and two nodes")
def test_a_node_keeps_what_has_not_departed(nodes: Nodes):
    move(nodes, "0-31")
    for table in ("leads", "lead_history", "lead_extensions", "protection_log"):
        for node in nodes.nodes.values():
            assert refusal(node.execute, f"DELETE FROM lead_protection.{table}").sqlstate == "LP012"


def test_every_table_with_rows_of_a_lead_moves_or_stays_for_a_reason(db: psycopg.Connection):
    stays = {
        "log_leaves": "the tree of this database: a seal covers them",
        "passed_over_leads": "what a job of this node could not do; forgotten with the lead",
        "adopted_leads": "of a table beside this node: such a lead does not move (LP136)",
        "adopted_holds": "of a table beside this node: such a lead does not move (LP136)",
        "lead_moves": "what this node remembers of the move",
    }
    # By their columns: of a lead, a hold, an event; or that refer to a table which moves.
    found = db.execute(
        "SELECT DISTINCT c.relname FROM pg_class AS c LEFT JOIN pg_attribute AS a ON c.oid = a.attrelid"
        " AND a.attname IN ('lead_id', 'hold_id', 'event_id', 'aggregateid') LEFT JOIN pg_constraint AS f ON"
        " c.oid = f.conrelid AND f.contype = 'f' AND f.confrelid IN (SELECT format('lead_protection.%I', t.table_name)"
        "::regclass FROM lead_protection.lead_tables() AS t) WHERE c.relnamespace = 'lead_protection'::regnamespace"
        " AND c.relkind = 'r' AND (num_nonnulls(a.attname, f.conname) > 0 OR c.relname = 'leads')"
    ).fetchall()
    moving = {name for (name,) in db.execute("SELECT table_name FROM lead_protection.lead_tables()")}
    assert {name for (name,) in found} == moving | stays.keys()
    assert not moving & stays.keys()


@pytest.mark.slow("all slots are moved")
def test_who_is_busy_stays_until_he_is_free(nodes: Nodes):
    one, router = nodes["one"], nodes.router_url
    leased = claim(one, batch_size=2)
    locked, user = a_lead(one, f"lead_id NOT IN ({', '.join(event.aggregateid for event in leased)})")
    busy = {int(event.aggregateid) for event in leased} | {locked}
    with psycopg.connect(nodes.urls["one"]) as other:
        other.execute("SELECT lead_protection.create_lead_hold(%s, %s, 'x', 1)", [locked, user])
        process = start("move-slots", "0-63", "--to", "two", "--database", router)
        try:
            poll(lambda: {id for id, on in nodes.owners().items() if on == ["one"]} == busy, timeout=60)
            assert f"{len(busy)} are busy" in "".join(line_of(process) for _ in range(2))
            assert all(nodes.where_is(lead) == "one" for lead in busy)
            other.commit()
            poll(lambda: {id for id, on in nodes.owners().items() if on == ["one"]} == busy - {locked})
            assert [acknowledge(one, event) for event in leased] == [("acknowledged", True)] * 2
            assert finish(process)[0] == 0
        finally:
            process.kill()
    held = "SELECT count(*) FROM lead_protection.lead_holds WHERE lead_id = %s AND end_at IS NULL"
    assert nodes["two"].execute(held, [locked]).fetchone() == (1,)
    assert {event.id for event in claim(nodes["two"], batch_size=10000)}.isdisjoint(event.id for event in leased)


@pytest.mark.slow("all slots are moved")
def test_the_events_of_a_lead_keep_their_order_in_both_directions(nodes: Nodes):
    lead, user = a_lead(nodes["one"], "NOT on_hold")
    hold = "SELECT lead_protection.create_lead_hold(%s, %s, 'x', 1)"
    release = "SELECT lead_protection.release_lead_hold(%s, %s, 1)"
    written = []
    slot = nodes.slot_of(lead)
    for to in ("one", "two", "one", "two"):
        move(nodes, f"{slot}-{slot}", to)
        for call in (hold, release):
            nodes[to].execute(call, [lead, user])
        written += ["lead.hold.created", "lead.hold.released"]
    seen = []
    while events := claim(nodes["two"], batch_size=10000):
        seen += [event for event in events if event.aggregateid == str(lead)]
        for event in events:
            acknowledge(nodes["two"], event)
    assert [event.type for event in seen][-8:] == written
    assert len({event.id for event in seen}) == len(seen)


# What stands in the way, on which node, and what the move is refused with; nothing has moved then.
OBSTACLES = {
    "adopted": (
        "one", "LP136",
        "CREATE TABLE crm (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz DEFAULT now());"
        "INSERT INTO crm VALUES (500001, 7);; CALL lead_protection.adopt_leads('crm', 1)",
    ),
    "not chained": ("one", "LP136", "UPDATE lead_protection.settings SET log_chained_at = NULL"),
    "tampered with": (
        "one", "LP138",
        "SET session_replication_role = replica;"
        "UPDATE lead_protection.protection_log SET actor_id = 666 WHERE event_id = (SELECT g.event_id FROM"
        " lead_protection.protection_log AS g INNER JOIN lead_protection.log_leaves AS f USING (lead_id, log_number)"
        " LIMIT 1); SET session_replication_role = origin",
    ),
    "other terms": (
        "two", "LP137",
        "SET session_replication_role = replica;"
        "UPDATE lead_protection.protection_policies SET grace_days = 11; SET session_replication_role = origin",
    ),
    "no such consumer": ("two", "LP137", "SELECT lead_protection.unregister_event_consumer('crm')"),
    "another clock": (
        "two", "LP138",
        "CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN new.end_at := new.end_at + INTERVAL ''1 us''; RETURN new; END';"
        "CREATE TRIGGER later BEFORE INSERT ON lead_protection.lead_holds FOR EACH ROW EXECUTE FUNCTION later()",
    ),
}  # fmt: skip


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.slow("a router and two nodes")
def test_what_could_not_be_the_same_does_not_move(nodes: Nodes, obstacle: str):
    on, sqlstate, statements = OBSTACLES[obstacle]
    for statement in statements.split(";;"):
        nodes[on].execute(statement)
    # All in one batch, so that there is none before it.
    status, output = run_cli(
        "move-slots", "0-63", "--to", "two", "--batch-size", "1000", "--database", nodes.router_url
    )
    assert status == 1 and f"({sqlstate})" in output, output
    assert nodes.on_its_way() == 0 and {name for on in nodes.owners().values() for name in on} == {"one"}
    lead, user = a_lead(nodes["one"], "NOT on_hold")
    nodes["one"].execute("SELECT lead_protection.create_lead_hold(%s, %s, 'x', 1)", [lead, user])


@pytest.mark.slow("all slots are moved")
def test_a_seal_of_before_proves_the_rows_where_they_are_now(nodes: Nodes):
    """What each node has sealed of a row is the same hash, and an export of the new node leads to a seal of its own."""
    one, two = nodes["one"], nodes["two"]
    kept = checkpoint(one)
    move(nodes)
    seal(two)
    leaves = "SELECT lead_id, log_number, row_hash FROM lead_protection.log_leaves ORDER BY 1, 2"
    before, after = one.execute(leaves).fetchall(), two.execute(leaves).fetchall()
    assert before and set(before) <= set(after)
    leads = sorted({lead for lead, _, _ in before})[:5]
    assert problems(verified(export(two, leads), checkpoint(two))) == []
    assert problems(verified(export(two), checkpoint(two))) == []
    check = verified(export(one), kept)
    assert problems(check) == [] and check.departed == {lead: "two" for lead, _, _ in before}


@pytest.mark.parametrize("lost_after", ["depart", "arrive", "route"])
@pytest.mark.slow("every answer of hundreds of leads")
def test_who_dies_between_the_commits_has_lost_nothing(nodes: Nodes, twin: psycopg.Connection, lost_after: str):
    one, two = nodes["one"], nodes["two"]
    leads = [lead for lead in nodes.owners() if nodes.slot_of(lead) < 8]
    (moves,) = one.execute(
        "SELECT jsonb_agg(to_jsonb(m))::text FROM lead_protection.depart_leads(%s, 'one', 'two') AS m", [leads]
    ).fetchone()
    arrive = "SELECT * FROM lead_protection.arrive_leads(%s::jsonb)"
    if lost_after != "depart":
        two.execute(arrive, [moves])
    if lost_after == "route":
        nodes.router.execute(
            "INSERT INTO lead_protection_router.moved_leads SELECT unnest(%s::bigint[]), 'two'", [leads]
        )
    assert nodes.on_its_way() == len(leads) > 20
    # For a node that is not the one that they are on their way to.
    assert f"{len(leads)} leads were on their way" in move(nodes, "8-9")
    move(nodes, "0-7")
    # What comes late is not taken again, neither here nor after the lead has moved on.
    for to in ("one", "two"):
        move(nodes, "0-7", to)
        two.execute(arrive, [moves])
        assert all(nodes.owners()[lead] == [to] for lead in leads)
    at = twin.execute("SELECT now()").fetchone()[0]
    together, alone = answers(nodes.nodes.values(), at), answers([twin], at)
    assert [name for name in ANSWERS if together[name] != alone[name]] == []


@pytest.mark.slow("a router and two nodes")
def test_the_command_says_what_it_cannot_do(nodes: Nodes, database_url: str):
    def refused(*args: str, url: str = nodes.router_url) -> str:
        status, output = run_cli("move-slots", *args, "--database", url)
        assert status != 0
        return output

    assert "one: 64 slots 0,1,2" in run_ok("move-slots", "--database", nodes.router_url)
    assert "there is no node three; there are: one, two" in refused("0", "--to", "three")
    assert "there is no slot 64: they are 0 to 63" in refused("60-64", "--to", "two")
    assert "Give slots and --to NODE" in refused("--to", "two")
    assert "is no router" in refused("0", "--to", "two", url=database_url)
    lead, slot = next((lead, nodes.slot_of(lead)) for lead in nodes.owners())
    nodes.router.execute("INSERT INTO lead_protection_router.moved_leads VALUES (%s, 'two')", [lead])
    assert f"slot {slot} is on its way to two. Move it there first." in refused(str(slot), "--to", "one")
    nodes.router.execute("SELECT pg_advisory_lock(%s)", [MOVER_LOCK])
    assert "another session" in refused("0", "--to", "two")
    assert {name for names in nodes.owners().values() for name in names} == {"one"}


def test_the_setting_that_makes_triggers_look_does_not_keep_anything_from_being_told(db: psycopg.Connection):
    db.execute("SET lead_protection.leads_arrive = 'on'")
    db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (1, 7)")
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    told = db.execute("SELECT type FROM lead_protection.outbox_events ORDER BY sequence_number").fetchall()
    assert told == [("lead.created",), ("lead.hold.created",)]
