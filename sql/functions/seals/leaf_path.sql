CREATE OR REPLACE FUNCTION lead_protection.leaf_path(
    leaf bigint, tree_size bigint, OUT root bytea, OUT path bytea[]
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    level integer := 0;
    place bigint := leaf_path.leaf;
    block record;
BEGIN
    leaf_path.path := '{}';
    LOOP
        block := lead_protection.merkle_block(
            lead_protection.tree_hashes(level, place >> 8, leaf_path.tree_size), (place & 255)::integer
        );
        leaf_path.path := leaf_path.path || block.path;
        level := level + 8;
        place := place >> 8;
        EXIT WHEN (leaf_path.tree_size - 1) >> level = 0;
    END LOOP;
    leaf_path.root := block.root;
END;
$$;

COMMENT ON FUNCTION lead_protection.leaf_path(bigint, bigint) IS
'The root of the Merkle tree over the first tree_size leaves (RFC 6962), and the path from a leaf to it, from the '
'bottom up. It reads some 256 hashes for each eighth level. Internal.';
