"""Moves the leads of slots from one node of a router to another, while writes go on.

A batch of leads moves in three transactions that are committed one after the other: on the node that they leave, which
keeps a whole copy of each; on the node that they go to; and on the router. Whoever is killed in between has lost
nothing: the next run finds the copies, and goes on with them first.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lead_protection.database import Refusal, UsageError, connect, one_row

# Another session has what a batch needs; nothing was done, and the next round may get it.
PASSES = ("40001", "40P01", "55P03")

# So long may the leads of a batch be locked, in seconds: one that takes longer makes the next ones smaller.
LONGEST = 0.1

# One who moves leads at a time: a lock of the session on the router.
MOVER_LOCK = 7165139405372260


class Mover:
    """Connections to the router and to its nodes, and what moves over them."""

    def __init__(self, router: psycopg.Connection, open_connections: ExitStack, tell: Callable[[str], None] = print):
        """Take the lock of the one mover.

        Raises:
            Refusal: another session has it.
        """
        self.router, self.tell = router, tell
        self._open = open_connections
        self._nodes: dict[str, psycopg.Connection] = {}
        (mine,) = one_row(router, "SELECT pg_try_advisory_lock(%s)", [MOVER_LOCK])
        if not mine:
            raise Refusal("leads are being moved by another session. One at a time.")
        (self.slot_count,) = one_row(router, "SELECT count(*) FROM lead_protection_router.slots")

    def node(self, name: str) -> psycopg.Connection:
        """Return the connection to a node."""
        if name not in self._nodes:
            (conninfo,) = one_row(
                self.router, "SELECT connection FROM lead_protection_router.nodes WHERE node_name = %s", [name]
            )
            # As the router has it: without a user it is that of the caller; a password is the caller's affair.
            ours = conninfo_to_dict(self.router.info.dsn)
            given = {"user": self.router.info.user} | conninfo_to_dict(conninfo)
            if "password" not in given and self.router.info.password and given["user"] == ours.get("user"):
                given["password"] = self.router.info.password
            self._nodes[name] = self._open.enter_context(closing(connect(make_conninfo("", **given))))
            self._nodes[name].execute("SET lock_timeout = '2s'")
        return self._nodes[name]

    def move(self, slots: Sequence[int], to_node: str, batch_size: int) -> int:
        """Move the leads of the slots, and then the slots; return how many leads moved."""
        self._check(slots, to_node)
        moved = self.go_on()
        owners = self.router.execute(
            "SELECT node_name, array_agg(slot ORDER BY slot) FROM lead_protection_router.slots"
            " WHERE slot = ANY(%s) AND node_name <> %s GROUP BY 1 ORDER BY 1",
            [list(slots), to_node],
        ).fetchall()
        for from_node, theirs in owners:
            self.tell(f"{from_node} to {to_node}: slots {', '.join(map(str, theirs))}")
            self.node(to_node).execute("SELECT lead_protection.arrive_slots(%s, %s)", [theirs, self.slot_count])
            moved += self._move_leads(from_node, to_node, theirs, batch_size)
        return moved

    def go_on(self) -> int:
        """Bring in those that have departed and of which nobody said that they arrived; return how many."""
        done = 0
        for (name,) in self.router.execute("SELECT node_name FROM lead_protection_router.nodes ORDER BY 1").fetchall():
            while (
                waiting := self.node(name)
                .execute(
                    "SELECT to_node, jsonb_agg(to_jsonb(m))::text FROM (SELECT * FROM lead_protection.lead_moves"
                    " WHERE packed IS NOT NULL AND NOT is_here ORDER BY lead_id LIMIT 100) AS m GROUP BY 1"
                )
                .fetchall()
            ):
                for to_node, moves in waiting:
                    with self.router.transaction(), self.node(to_node).transaction():
                        arrived = self._arrive(to_node, moves)
                    self._confirm(name, arrived)
                    done += len(arrived)
        if done:
            self.tell(f"{done} leads were on their way, and have arrived")
        return done

    def _check(self, slots: Sequence[int], to_node: str) -> None:
        known = {name for (name,) in self.router.execute("SELECT node_name FROM lead_protection_router.nodes")}
        if to_node not in known:
            raise UsageError(f"there is no node {to_node}; there are: {', '.join(sorted(known))}.")
        if strange := set(slots) - set(range(self.slot_count)):
            raise UsageError(f"there is no slot {min(strange)}: they are 0 to {self.slot_count - 1}.")
        elsewhere = self.router.execute(
            "SELECT lead_protection_router.slot_of(lead_id), node_name FROM lead_protection_router.moved_leads"
            " WHERE lead_protection_router.slot_of(lead_id) = ANY(%s) AND node_name <> %s LIMIT 1",
            [list(slots), to_node],
        ).fetchone()
        if elsewhere:
            raise Refusal(f"slot {elsewhere[0]} is on its way to {elsewhere[1]}. Move it there first.")
        # Last, for each node is asked for all its terms.
        self.router.execute("SELECT lead_protection_router.require_agreement()")

    def _move_leads(self, from_node: str, to_node: str, slots: list[int], batch_size: int) -> int:
        """Move all leads of the slots, round by round until none is left, and hand the slots over."""
        source, moved, waits, last = self.node(from_node), 0, 0.01, None
        size = batch_size
        while True:
            while lead_ids := self._next_leads(source, slots, last, size):
                begin = time.monotonic()
                moved += self._move_batch(from_node, to_node, lead_ids)
                size = max(1, size // 2) if time.monotonic() - begin > LONGEST else min(batch_size, size + 1)
                last = lead_ids[-1]
            last = None
            try:
                (left,) = one_row(
                    source,
                    "SELECT lead_protection.depart_slots(%s, %s, %s)",
                    [slots, self.slot_count, to_node],
                )
            except psycopg.errors.LockNotAvailable:
                left = None
            if left == 0:
                break
            # New ones, and those that somebody holds or whose event a consumer has just now.
            self.tell(f"  {moved} leads moved; {'new ones come in' if left is None else f'{left} are busy or new'}")
            time.sleep(waits)
            waits = min(2 * waits, 1.0)
        with self.router.transaction():
            self.router.execute(
                "UPDATE lead_protection_router.slots SET node_name = %s WHERE slot = ANY(%s)", [to_node, slots]
            )
            self.router.execute(
                "DELETE FROM lead_protection_router.moved_leads"
                " WHERE lead_protection_router.slot_of(lead_id) = ANY(%s)",
                [slots],
            )
        self.tell(f"  {moved} leads moved; {to_node} has the slots")
        return moved

    def _next_leads(self, source: psycopg.Connection, slots: list[int], last: int | None, size: int) -> list[int]:
        """Return the next leads of the slots, in the order of their ids."""
        found = source.execute(
            "SELECT id FROM lead_protection.leads"
            " WHERE hashint8(id) & %s = ANY(%s) AND (id > %s OR %s::bigint IS NULL) ORDER BY id LIMIT %s",
            [self.slot_count - 1, slots, last, last, size],
        ).fetchall()
        return [lead_id for (lead_id,) in found]

    def _move_batch(self, from_node: str, to_node: str, lead_ids: list[int]) -> int:
        """Move those of the leads that are free; return how many."""
        source = self.node(from_node)
        try:
            # The last of the three is committed first: from then on the copy is what counts. Until then nothing has
            # happened.
            with self.router.transaction(), self.node(to_node).transaction(), source.transaction():
                (moves,) = one_row(
                    source,
                    "SELECT jsonb_agg(to_jsonb(m))::text FROM lead_protection.depart_leads(%s, %s, %s) AS m",
                    [lead_ids, from_node, to_node],
                )
                arrived = self._arrive(to_node, moves) if moves else []
        except psycopg.Error as error:
            if error.sqlstate not in PASSES:
                raise
            # Of what the node that they leave had committed already the copies are there.
            return self.go_on()
        self._confirm(from_node, arrived)
        return len(arrived)

    def _arrive(self, to_node: str, moves: str) -> list[tuple[Any, ...]]:
        arrived = (
            self.node(to_node).execute("SELECT * FROM lead_protection.arrive_leads(%s::jsonb)", [moves]).fetchall()
        )
        self.router.execute(
            "INSERT INTO lead_protection_router.moved_leads (lead_id, node_name) SELECT unnest(%s::bigint[]), %s"
            " ON CONFLICT (lead_id) DO UPDATE SET node_name = excluded.node_name",
            [[lead_id for lead_id, _, _ in arrived], to_node],
        )
        return arrived

    def _confirm(self, from_node: str, arrived: list[tuple[Any, ...]]) -> None:
        """Let the old copies go, of which the other node has the same."""
        if arrived:
            lead_ids, moves, digests = map(list, zip(*arrived, strict=True))
            (confirmed,) = one_row(
                self.node(from_node),
                "SELECT lead_protection.confirm_departures(%s::bigint[], %s::integer[], %s::bytea[])",
                [lead_ids, moves, digests],
            )
            if confirmed != len(arrived):
                raise Refusal(
                    f"of {len(arrived)} leads that arrived {from_node} confirms {confirmed}. The copies of the others"
                    " are kept in lead_moves there: compare their digests with those on the other node."
                )


@contextmanager
def mover(conninfo: str, tell: Callable[[str], None] = print) -> Iterator[Mover]:
    """Yield a mover for the router of a database; all its connections are closed afterwards."""
    with ExitStack() as open_connections:
        router = open_connections.enter_context(closing(connect(conninfo)))
        (known,) = one_row(router, "SELECT to_regclass('lead_protection_router.moved_leads') IS NOT NULL")
        if not known:
            raise Refusal("this database is no router of Lead Protection.")
        yield Mover(router, open_connections, tell)


def slots_by_node(conninfo: str) -> list[tuple[str, int, str]]:
    """Return the name of each node, how many slots it has, and which."""
    with closing(connect(conninfo, read_only=True)) as router:
        return router.execute(
            "SELECT n.node_name, count(s.slot), coalesce(string_agg(s.slot::text, ',' ORDER BY s.slot), '')"
            " FROM lead_protection_router.nodes AS n LEFT JOIN lead_protection_router.slots AS s USING (node_name)"
            " GROUP BY n.node_name, n.node_number ORDER BY n.node_number"
        ).fetchall()
