CREATE OR REPLACE FUNCTION lead_protection.confirm_departures(lead_ids bigint[], moves integer[], digests bytea[])
RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
WITH confirmed AS (
    UPDATE lead_protection.lead_moves AS m
    SET packed = NULL
    FROM unnest(
        confirm_departures.lead_ids, confirm_departures.moves, confirm_departures.digests
    ) AS c (lead_id, move, digest)
    WHERE
        m.lead_id = c.lead_id AND NOT m.is_here AND m.packed IS NOT NULL
        -- Of a later move the other node has confirmed this one before.
        AND (m.move < c.move OR (m.move = c.move AND m.digest = c.digest))
    RETURNING m.lead_id
)

SELECT count(*) FROM confirmed
$$;

COMMENT ON FUNCTION lead_protection.confirm_departures(bigint[], integer[], bytea[]) IS
'Deletes the copies of leads that have departed and that the other node has, as arrive_leads() said. A copy whose '
'digest is not the one given stays. Returns how many; repeated: 0. Internal: lead-protection move-slots calls it.';
