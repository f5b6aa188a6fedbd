CREATE OR REPLACE FUNCTION lead_protection.arrive_slots(slots integer[], slot_count integer)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DELETE FROM lead_protection.departed_slots AS s
WHERE s.slot = ANY(arrive_slots.slots) AND s.slot_count = arrive_slots.slot_count
$$;

COMMENT ON FUNCTION lead_protection.arrive_slots(integer[], integer) IS
'Opens this node for new leads of the slots, before their leads come. Repeated: nothing changes. Internal: '
'lead-protection move-slots calls it.';
