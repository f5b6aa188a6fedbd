CREATE OR REPLACE FUNCTION lead_protection.tree_hashes(level integer, block bigint, tree_size bigint)
RETURNS bytea[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
-- One plan for all blocks, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    first_place CONSTANT bigint := tree_hashes.block << 8;
    -- So many are complete at this level.
    complete CONSTANT bigint := tree_hashes.tree_size >> tree_hashes.level;
    hashes bytea [];
BEGIN
    IF tree_hashes.level = 0 THEN
        RETURN ARRAY(
            SELECT sha256('\x00'::bytea || int8send(f.lead_id) || int8send(f.log_number) || f.row_hash)
            FROM lead_protection.log_leaves AS f
            WHERE f.leaf >= first_place AND f.leaf < least(first_place + 256, complete)
            ORDER BY f.leaf
        );
    END IF;
    hashes := ARRAY(
        SELECT n.hash
        FROM lead_protection.log_nodes AS n
        WHERE
            n.level = tree_hashes.level
            AND n.position >= first_place AND n.position < least(first_place + 256, complete)
        ORDER BY n.position
    );
    IF complete << tree_hashes.level < tree_hashes.tree_size AND complete >> 8 = tree_hashes.block THEN
        hashes := hashes || (lead_protection.merkle_block(
            lead_protection.tree_hashes(tree_hashes.level - 8, complete, tree_hashes.tree_size), 0
        )).root;
    END IF;
    RETURN hashes;
END;
$$;

COMMENT ON FUNCTION lead_protection.tree_hashes(integer, bigint, bigint) IS
'The hashes of one block of 256 places of the Merkle tree over the first tree_size leaves, at a level of log_nodes or '
'0: the leaves. The last place may be over fewer leaves than the others, and the last block may have fewer places. '
'Internal.';
