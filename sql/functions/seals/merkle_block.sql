-- Pairs from the left, level by level; the one that is left over goes up as it is. That gives the tree of RFC 6962,
-- also for a number of leaves that is no power of two.
CREATE OR REPLACE FUNCTION lead_protection.merkle_block(
    hashes bytea[], index integer, OUT root bytea, OUT path bytea[]
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    left_over integer := cardinality(merkle_block.hashes);
    place integer := merkle_block.index;
BEGIN
    merkle_block.path := '{}';
    WHILE left_over > 1 LOOP
        -- place # 1: the other one of the pair.
        IF (place # 1) < left_over THEN
            merkle_block.path := merkle_block.path || merkle_block.hashes[(place # 1) + 1];
        END IF;
        FOR pair IN 1..left_over / 2 LOOP
            merkle_block.hashes[pair] := sha256(
                '\x01'::bytea || merkle_block.hashes[2 * pair - 1] || merkle_block.hashes[2 * pair]
            );
        END LOOP;
        IF left_over % 2 = 1 THEN
            merkle_block.hashes[left_over / 2 + 1] := merkle_block.hashes[left_over];
        END IF;
        left_over := (left_over + 1) / 2;
        place := place / 2;
    END LOOP;
    merkle_block.root := merkle_block.hashes[1];
END;
$$;

COMMENT ON FUNCTION lead_protection.merkle_block(bytea[], integer) IS
'The root of the Merkle tree over hashes (RFC 6962), and the path to the one at index, counted from 0: its neighbours '
'from the bottom up. Internal.';
