"""The Merkle tree is that of RFC 6962, however it grew."""

import random
from hashlib import sha256

import pytest

from helpers.seals import checkpoint, seal
from lead_protection import verify

# The leaves of the reference implementation of Certificate Transparency, and its roots over the first so many.
DATA = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word: split at the largest power of two below the number of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01" + root(hashes[:split]) + root(hashes[split:])).digest()


@pytest.mark.parametrize("size", ROOTS)
def test_known_roots(db, size):
    hashes = [sha256(b"\0" + bytes.fromhex(data)).digest() for data in DATA[:size]]
    assert root(hashes).hex() == ROOTS[size]
    found = db.execute("SELECT encode((lead_protection.merkle_block(%s, 0)).root, 'hex')", (hashes,)).fetchone()
    assert found == (ROOTS[size],)


def write_rows(db, first: int, last: int) -> None:
    """Log rows that no trigger numbers."""
    db.execute(
        "INSERT INTO lead_protection.protection_log"
        " (lead_id, user_id, event_type, occurred_at, log_number)"
        " SELECT n %% 7 + 1, 7, 'lead.created', now(), n / 7 + 1"
        " FROM generate_series(%s::integer, %s::integer) AS n",
        (first, last - 1),
    )


def leaf_hashes(db) -> list[bytes]:
    leaves = db.execute("SELECT lead_id, log_number, row_hash FROM lead_protection.log_leaves ORDER BY leaf")
    return [
        sha256(b"\0" + lead_id.to_bytes(8, "big") + number.to_bytes(8, "big") + hashed).digest()
        for lead_id, number, hashed in leaves
    ]


@pytest.mark.made_up_events("rows of the log for the tree alone")
@pytest.mark.made_up_log("rows of the log for the tree alone")
def test_the_tree_as_it_grows(db):
    """Of each seal the root is the one over all leaves by then, and each path leads to the root of any seal."""
    db.execute("ALTER TABLE lead_protection.protection_log DISABLE TRIGGER USER")
    chance, size = random.Random(1), 0
    for step in [1, 1, 2, 3, 249, 1, 255, 1, 256, 511, 700, 1]:
        write_rows(db, size, size + step)
        size += step
        assert seal(db) == step
    hashes = leaf_hashes(db)
    assert len(hashes) == size
    seals = verify.seals_in(checkpoint(db))
    for number in range(1, seals[0].number + 1):
        (found,) = verify.seals_in(checkpoint(db, number))
        assert root(hashes[: found.tree_size]).hex() == found.root
        for leaf in {0, found.tree_size - 1, *(chance.randrange(found.tree_size) for _ in range(20))}:
            told, path = db.execute(
                "SELECT root, path FROM lead_protection.leaf_path(%s, %s)", (leaf, found.tree_size)
            ).fetchone()
            steps = [step.hex() for step in path]
            assert told.hex() == found.root
            assert verify.root_by_path(hashes[leaf], leaf, found.tree_size, steps).hex() == found.root
            # And no other leaf, place or path does.
            assert verify.root_by_path(hashes[leaf - 1], leaf, found.tree_size, steps) != told or found.tree_size == 1
            assert verify.root_by_path(hashes[leaf], leaf, found.tree_size, [*steps, "00"]) is None


@pytest.mark.made_up_events("rows of the log for the tree alone")
@pytest.mark.made_up_log("rows of the log for the tree alone")
@pytest.mark.thorough("66000 log rows", by_day="seals/test_tree.py::test_the_tree_as_it_grows")
def test_a_tree_of_three_levels_of_blocks(db):
    db.execute("ALTER TABLE lead_protection.protection_log DISABLE TRIGGER USER")
    for first, last in ((0, 65000), (65000, 65535), (65535, 65536), (65536, 65537), (65537, 66000)):
        write_rows(db, first, last)
        assert seal(db) == last - first
        hashes = leaf_hashes(db)
        (newest,) = verify.seals_in(checkpoint(db))
        assert newest.root == root(hashes).hex()
    for leaf in (0, 255, 256, 65279, 65535, 65536, 65999):
        (path,) = db.execute("SELECT path FROM lead_protection.leaf_path(%s, 66000)", (leaf,)).fetchone()
        steps = [step.hex() for step in path]
        assert verify.root_by_path(hashes[leaf], leaf, 66000, steps).hex() == newest.root


def test_roots_of_the_verifier_are_those_of_the_rfc():
    data = [bytes([n]) * 48 for n in range(100)]
    hashes = [sha256(b"\0" + leaf).digest() for leaf in data]
    found = verify.roots(bytearray(b"".join(data)), set(range(1, 101)))
    assert found == {size: root(hashes[:size]).hex() for size in range(1, 101)}
