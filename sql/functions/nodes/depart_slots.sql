CREATE OR REPLACE FUNCTION lead_protection.depart_slots(slots integer[], slot_count integer, to_node text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    left_here bigint;
BEGIN
    -- Whoever enters a lead at this moment is waited for, and who does so afterwards is told (LP135).
    LOCK TABLE lead_protection.leads IN SHARE MODE;
    UPDATE lead_protection.settings AS s SET only_row = true;
    SELECT count(*) INTO left_here
    FROM lead_protection.leads AS l
    WHERE hashint8(l.id) & (depart_slots.slot_count - 1) = ANY(depart_slots.slots);
    IF left_here = 0 THEN
        INSERT INTO lead_protection.departed_slots AS s (slot, slot_count, to_node)
        SELECT u.slot, depart_slots.slot_count, depart_slots.to_node
        FROM unnest(depart_slots.slots) AS u (slot)
        ON CONFLICT ON CONSTRAINT departed_slots_pkey DO UPDATE
        SET to_node = excluded.to_node, departed_at = excluded.departed_at;
    END IF;
    RETURN left_here;
END;
$$;

COMMENT ON FUNCTION lead_protection.depart_slots(integer[], integer, text) IS
'Closes this node for new leads of the slots if none of their leads is left here. Returns how many are: if not 0, '
'nothing was done. slots: of slot_count (a power of two) in all; to_node: which node has them from now on. New leads '
'wait while it looks through leads. Repeated: the same. Internal: lead-protection move-slots calls it.';
