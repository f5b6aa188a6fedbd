"""Where calls go: new leads and repeated requests, leads that have moved, lists, terms, events, rights."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from helpers.facts import insert_lead
from helpers.routers import Routed, command

pytestmark = pytest.mark.slow("a router with four nodes")

ENTER = "SELECT lead_id, changed FROM lead_protection.protect_lead(%s, 9, %s)"


def enter(four: Routed, user_id: int, number: int) -> list[int]:
    """Enter leads of a user."""
    return [four.router.execute(ENTER, [user_id, f"{user_id}-{nth}"]).fetchone()[0] for nth in range(number)]


def test_a_lead_is_where_its_slot_is_and_nowhere_else(four):
    leads = enter(four, 72_001, 24)
    assert len(set(leads)) == 24
    placed = {}
    for name, node in four.nodes.items():
        for (lead_id,) in node.execute("SELECT id FROM lead_protection.leads WHERE user_id = 72001").fetchall():
            placed[lead_id] = name
    query = "SELECT l, lead_protection_router.node_of(l) FROM unnest(%s::bigint[]) AS l"
    assert placed == dict(four.router.execute(query, [leads]).fetchall())
    assert set(placed.values()) == set(four.nodes)
    query = "SELECT lead_id, node_name FROM lead_protection.v_user_lead_protection WHERE user_id = 72001"
    assert dict(four.router.execute(query).fetchall()) == placed


def test_ids_of_two_nodes_never_meet(four):
    for number, node in enumerate(four.nodes.values()):
        for sequence in ("lead_holds_id_seq", "lead_activities_id_seq", "outbox_events_sequence_number_seq"):
            ((value,),) = node.execute(f"SELECT nextval('lead_protection.{sequence}')").fetchall()
            assert value >> 40 == number


def test_the_same_request_from_many_sessions_enters_one_lead(four):
    def ask(nth: int) -> tuple:
        with psycopg.connect(four.url, autocommit=True) as connection:
            return connection.execute(ENTER, [72_002, f"once-{nth % 3}"]).fetchone()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(18)))
    assert len({lead_id for lead_id, _ in answers}) == 3
    assert sum(changed for _, changed in answers) == 3


def test_a_request_that_gave_its_number_is_repeated(four):
    query = "SELECT lead_id, changed FROM lead_protection.protect_lead(72003, 9, 'numbered', lead_id => %s)"
    assert four.router.execute(query, [600_001]).fetchone() == (600_001, True)
    assert four.router.execute(query, [600_001]).fetchone() == (600_001, False)


@pytest.fixture
def moved(four) -> Iterator[tuple[int, int]]:
    """A lead, with a hold that another node made, that is elsewhere than its slot, which is on its way."""
    lead_id = 610_001
    ((home,),) = four.router.execute("SELECT lead_protection_router.node_of(%s)", [lead_id]).fetchall()
    new = "n2" if home != "n2" else "n3"
    insert_lead(four.nodes[new], lead_id, "2026-01-01", user_id=72_004)
    hold_id = int(home[1:]) << 40 | 12_345
    four.nodes[new].execute(
        "INSERT INTO lead_protection.lead_holds (id, lead_id, user_id, reason, reason_code, start_at, created_by)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, 72004, 'x', 'OTHER', now(), 9)",
        [hold_id, lead_id],
    )
    four.router.execute("INSERT INTO lead_protection_router.moved_leads VALUES (%s, %s)", [lead_id, new])
    yield lead_id, hold_id
    four.router.execute("DELETE FROM lead_protection_router.moved_leads")
    four.nodes[new].execute("UPDATE lead_protection.leads SET user_id = NULL WHERE id = %s", [lead_id])


def test_a_lead_that_has_moved_is_found_at_once(four, moved):
    lead_id, hold_id = moved
    query = "SELECT state FROM lead_protection.protection_as_of() WHERE lead_id = %s"
    assert four.router.execute(query, [lead_id]).fetchall()
    query = "SELECT count(*) FROM lead_protection.explain_protection(%s)"
    assert four.router.execute(query, [lead_id]).fetchone()[0] > 3
    query = "SELECT lead_id, changed FROM lead_protection.void_lead_hold(%s, 1, 'moved', 9)"
    assert four.router.execute(query, [hold_id]).fetchone() == (lead_id, True)


def test_while_a_slot_moves_a_request_finds_its_lead_on_either_node(four):
    """The lead is on the new node already; its request must not enter it once more where the slot is."""
    ((lead_id, changed),) = four.router.execute(ENTER, [72_005, "on-the-way"]).fetchall()
    assert changed
    ((home,),) = four.router.execute("SELECT lead_protection_router.node_of(%s)", [lead_id]).fetchall()
    new = "n0" if home != "n0" else "n1"
    slot = "UPDATE lead_protection_router.slots SET node_name = %s WHERE slot = lead_protection_router.slot_of(%s)"
    with four.router.transaction(force_rollback=True):
        four.router.execute(slot, [new, lead_id])
        four.router.execute("INSERT INTO lead_protection_router.moved_leads VALUES (%s, %s)", [lead_id, home])
        assert four.router.execute(ENTER, [72_005, "on-the-way"]).fetchone() == (lead_id, False)


def test_a_lead_has_moved_is_routed_anew_and_not_for_ever(four):
    call = "SELECT lead_protection_router.pass_on('{0}', %s, 'fail', 'LP135', 'x(1): [n0] REMOTE ERROR: moved', %s, %s)"
    texts = ["Remote detail: d", "Remote hint: h"]
    assert four.router.execute(call, [1, *texts]).fetchone() == (None,)
    with pytest.raises(psycopg.Error) as raised:
        four.router.execute(call, [10, *texts])
    diag = raised.value.diag
    assert (diag.sqlstate, diag.message_primary) == ("LP135", "moved")
    assert (diag.message_detail, diag.message_hint) == ("d", "h")


def test_a_list_may_be_long_and_is_answered_in_its_order(four):
    leads = enter(four, 72_006, 8)
    unknown = list(range(620_000, 622_000))
    query = "SELECT lead_id, outcome FROM lead_protection.close_leads('long', 'LOST', 'no', 9, %s)"
    rows = four.router.execute(query, [[*unknown, *leads]]).fetchall()
    assert [lead_id for lead_id, _ in rows] == sorted([*unknown, *leads])
    assert {lead_id for lead_id, outcome in rows if outcome == "done"} == set(leads)


def test_terms_are_the_same_on_all_nodes(four):
    make = (
        "SELECT policy_id, version, created FROM lead_protection.create_policy_version('routed', 9, base_months => 9)"
    )
    ((policy_id, version, created),) = four.router.execute(make).fetchall()
    assert (version, created) == (1, True)
    assert four.router.execute(make).fetchone() == (policy_id, 1, False)
    assert four.router.execute("SELECT lead_protection.assign_user_policy(72007, %s, 9)", [policy_id]).fetchone() == (
        True,
    )
    ((calendar_id,),) = four.router.execute(
        "SELECT calendar_id FROM lead_protection.create_calendar_version("
        """'OURS', 'ours', '[{"date": "2027-05-05", "name": "fair"}]', '{6,7}', 9)"""
    ).fetchall()
    for node in four.nodes.values():
        query = "SELECT name, base_months FROM lead_protection.protection_policies WHERE id = %s"
        assert node.execute(query, [policy_id]).fetchone() == ("routed", 9)
        query = "SELECT lead_protection.is_working_day(%s, '2027-05-05')"
        assert node.execute(query, [calendar_id]).fetchone() == (False,)
    leads = enter(four, 72_007, 8)
    query = "SELECT DISTINCT policy_id FROM lead_protection.v_user_lead_protection WHERE lead_id = ANY (%s)"
    assert four.router.execute(query, [leads]).fetchall() == [(policy_id,)]


def test_nodes_that_do_not_agree_are_refused_and_brought_in_step(four):
    four.nodes["n0"].execute("INSERT INTO lead_protection.hold_reasons (code, stops_clock, description)"
                             " VALUES ('ROUTED', true, 'made on one node')")  # fmt: skip
    out_of_step = "SELECT * FROM lead_protection_router.nodes_out_of_step() ORDER BY node_name"
    assert four.router.execute(out_of_step).fetchall() == [
        ("n1", ["hold_reasons"]), ("n2", ["hold_reasons"]), ("n3", ["hold_reasons"])
    ]  # fmt: skip
    with pytest.raises(psycopg.Error) as raised:
        four.router.execute("SELECT lead_protection.create_policy_version('refused', 9)")
    assert raised.value.sqlstate == "LP131" and "n3 (hold_reasons)" in raised.value.diag.message_detail
    query = "SELECT count(*) FROM lead_protection.protection_policies WHERE name = 'refused'"
    assert four.nodes["n0"].execute(query).fetchone() == (0,)
    assert four.router.execute("SELECT * FROM lead_protection_router.bring_in_step()").fetchall() == []
    assert four.router.execute(out_of_step).fetchall() == []
    assert four.nodes["n3"].execute(
        "SELECT description FROM lead_protection.hold_reasons WHERE code = 'ROUTED'"
    ).fetchone() == ("made on one node",)


def test_pausing_is_for_all_nodes(four):
    changed = "SELECT changed FROM lead_protection."
    assert four.router.execute(changed + "pause_protection('strike', 9)").fetchone() == (True,)
    assert four.router.execute(changed + "pause_protection('strike', 9)").fetchone() == (False,)
    paused = "SELECT pause_reason FROM lead_protection.settings"
    assert [node.execute(paused).fetchone() for node in four.nodes.values()] == [("strike",)] * 4
    assert four.router.execute(changed + "resume_protection(9)").fetchone() == (True,)


def test_a_batch_of_events_is_of_one_node_and_is_acknowledged_there(four):
    register = "SELECT consumer_name FROM lead_protection.register_event_consumer('crm')"
    assert four.router.execute(register).fetchone() == ("crm",)
    leads = enter(four, 72_008, 16)
    taken = {}
    claim = "SELECT id, aggregateid::bigint, lease_token, node_name FROM lead_protection.claim_events('crm', 3)"
    while batch := four.router.execute(claim).fetchall():
        assert len({node for *_, node in batch}) == len({token for _, _, token, _ in batch}) == 1
        for _, lead_id, _, node in batch:
            assert four.router.execute("SELECT lead_protection_router.node_of(%s)", [lead_id]).fetchone() == (node,)
            taken[lead_id] = node
        done = four.router.execute(
            "SELECT status, changed FROM lead_protection.acknowledge_events('crm', %s, %s)",
            [batch[0][2], [event for event, *_ in batch]],
        ).fetchall()
        assert done == [("acknowledged", True)] * len(batch)
    assert set(taken) == set(leads) and set(taken.values()) == set(four.nodes)
    unknown = "SELECT status, changed FROM lead_protection.acknowledge_events('crm', gen_random_uuid(), %s)"
    alone = four.nodes["n0"].execute(unknown, [[]]).fetchall()
    assert four.router.execute(unknown, [[]]).fetchall() == alone
    assert four.router.execute("SELECT lead_protection.unregister_event_consumer('crm')").fetchone() == (0,)


def test_rights_are_those_of_a_node(four):
    with four.router.transaction(force_rollback=True):
        four.router.execute("SET LOCAL ROLE lead_protection_app")
        query = "SELECT has_function_privilege(%s::regprocedure, 'EXECUTE')"
        for function, may in (
            ("lead_protection.close_lead(bigint, bigint, text, text, bigint)", True),
            ("lead_protection.pause_protection(text, bigint)", False),
            ("lead_protection_nodes.pause_protection(integer[], text, bigint)", False),
            ("lead_protection_router.take_terms_of_node(integer, jsonb)", False),
            ("lead_protection_router.bring_in_step()", False),
            ("lead_protection_router.lead_now(bigint)", True),
        ):
            assert four.router.execute(query, [function]).fetchone() == (may,), function
        query = "SELECT has_table_privilege(%s, 'SELECT')"
        for relation, may in (("v_user_lead_protection", True), ("protection_log", False)):
            assert four.router.execute(query, [f"lead_protection.{relation}"]).fetchone() == (may,), relation
        query = "SELECT has_column_privilege('lead_protection_router.nodes', 'connection', 'SELECT')"
        assert four.router.execute(query).fetchone() == (False,)


@pytest.mark.parametrize("call", ["SELECT lead_protection.statement_of_user(1, now(), now())",
                                  "CALL lead_protection.run_protection_pipeline()"])  # fmt: skip
def test_what_only_a_node_can_answer_is_refused(four, call):
    with pytest.raises(psycopg.Error) as raised:
        four.router.execute(call)
    assert raised.value.sqlstate == "LP132"


def test_every_function_that_routes_can_be_called(four):
    """Called with nulls, each answers or refuses as a node does, and none is unknown there or here."""
    from lead_protection.routing import RULES

    ((catalog,),) = four.alone.execute("SELECT lead_protection.catalog_of_node()").fetchall()
    wrong = []
    for name, rule in sorted(RULES.items()):
        entry = catalog["functions"].get(name)
        if rule.kind in ("refused", "own") or entry is None or name in ("mend_clock_drift", "refresh_metrics"):
            continue
        types = [type_ for mode, _, type_, _ in entry["arguments"] or [] if mode in "ib"]
        query = sql.SQL("SELECT * FROM lead_protection.{}({})").format(
            sql.Identifier(name), sql.SQL(", ").join(sql.SQL("NULL::" + type_) for type_ in types)
        )
        answers = []
        for db in (four.alone, four.router):
            try:
                answers.append(sorted(db.execute(query).fetchall(), key=repr) if name == "easter_sunday" else "rows")
                db.execute(query)
            except psycopg.Error as error:
                answers[-1:] = [error.sqlstate]
        if answers[0] != answers[1]:
            wrong.append((name, answers))
    assert wrong == []


def test_apply_can_be_repeated_and_keeps_all(four):
    query = "SELECT count(*) FROM lead_protection.leads"
    before = four.router.execute(query).fetchone()
    assert "functions and views" in command("apply", url=four.url)
    assert four.router.execute(query).fetchone() == before


def test_a_node_of_another_version_is_refused(four):
    change = "UPDATE lead_protection.migration_checksums SET sha256 = %s WHERE migration_id = 'sql/'"
    ((known,),) = (
        four.nodes["n1"]
        .execute("SELECT sha256 FROM lead_protection.migration_checksums WHERE migration_id = 'sql/'")
        .fetchall()
    )
    four.nodes["n1"].execute(change, ["0" * 64])
    try:
        with pytest.raises(RuntimeError, match="node n1 is of another version than this package"):
            command("apply", url=four.url)
        with pytest.raises(psycopg.Error) as raised:
            four.router.execute("SELECT lead_protection.create_policy_version('refused', 9)")
        assert raised.value.sqlstate == "LP131" and "n1 (code)" in raised.value.diag.message_detail
    finally:
        four.nodes["n1"].execute(change, [known])


def test_a_node_with_leads_is_not_added(four):
    insert_lead(four.alone, 630_001, "2026-01-01", user_id=72_009)
    there = f"host={four.server.host} user=postgres dbname={four.alone.info.dbname}"
    with pytest.raises(RuntimeError, match="this node has leads already"):
        command("add-node", "late", there, url=four.url)
    assert four.router.execute("SELECT count(*) FROM lead_protection_router.nodes").fetchone() == (4,)


def test_a_password_in_a_connection_is_refused(four):
    with pytest.raises(RuntimeError, match="leave the password out"):
        command("add-node", "late", "host=elsewhere password=secret", url=four.url)


def test_a_router_is_not_made_in_a_node(four):
    with pytest.raises(RuntimeError, match="this database is a node"):
        command("apply", url=four.server.url(four.alone.info.dbname))
