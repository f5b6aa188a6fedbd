-- Leads move from one node to another: what each node remembers of it.
-- depends: 0085_log_seals

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE lead_protection.lead_moves (
    lead_id bigint CONSTRAINT lead_moves_pkey PRIMARY KEY,
    move integer NOT NULL CONSTRAINT lead_moves_move_positive CHECK (move > 0),
    is_here boolean NOT NULL,
    from_node text NOT NULL,
    to_node text NOT NULL,
    departed_at timestamptz NOT NULL CONSTRAINT lead_moves_departed_at_finite CHECK (isfinite(departed_at)),
    log_rows integer NOT NULL CONSTRAINT lead_moves_log_rows_counted CHECK (log_rows >= 0),
    log_hash bytea CONSTRAINT lead_moves_log_hash_whole CHECK (octet_length(log_hash) = 32),
    log_chained_at timestamptz NOT NULL,
    request_key text,
    hold_ids bigint[],
    digest bytea NOT NULL CONSTRAINT lead_moves_digest_whole CHECK (octet_length(digest) = 32),
    packed jsonb CONSTRAINT lead_moves_packed_object CHECK (jsonb_typeof(packed) = 'object')
);

-- It is there for a moment: to compress it would take longer than all the rest.
ALTER TABLE lead_protection.lead_moves ALTER COLUMN packed SET STORAGE EXTERNAL;

CREATE INDEX lead_moves_packed ON lead_protection.lead_moves (lead_id) WHERE packed IS NOT NULL;
CREATE INDEX lead_moves_request_key ON lead_protection.lead_moves (request_key) WHERE request_key IS NOT NULL;
CREATE INDEX lead_moves_hold_ids ON lead_protection.lead_moves USING gin (hold_ids) WHERE NOT is_here;

COMMENT ON TABLE lead_protection.lead_moves IS
'The last move of each lead that came to this node or went from it. Of one that is not here it keeps the copy until '
'the other node has it and has verified it, and then where it went. No foreign key: the lead is gone. Written by '
'depart_leads(), arrive_leads() and confirm_departures().';
COMMENT ON COLUMN lead_protection.lead_moves.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_moves.move IS
'Which move of the lead this was, from 1 on. A node takes a lead only with a higher one than it knows: so a copy '
'that is sent again, or late, is not taken twice.';
COMMENT ON COLUMN lead_protection.lead_moves.is_here IS
'true: it arrived, and is here; false: it has departed (LP135).';
COMMENT ON COLUMN lead_protection.lead_moves.from_node IS 'The node it left, by its name in the router.';
COMMENT ON COLUMN lead_protection.lead_moves.to_node IS 'The node it went to, by its name in the router.';
COMMENT ON COLUMN lead_protection.lead_moves.departed_at IS 'When it left, by the clock of that node.';
COMMENT ON COLUMN lead_protection.lead_moves.log_rows IS 'The number of the last row of its log when it left.';
COMMENT ON COLUMN lead_protection.lead_moves.log_hash IS
'The hash of that row in the lead''s chain: what a seal of the node that it left has as this row''s leaf, and one of '
'the node that it went to will have. Null: the lead has no log.';
COMMENT ON COLUMN lead_protection.lead_moves.log_chained_at IS
'Since when each log row was chained where the lead came from, see settings.';
COMMENT ON COLUMN lead_protection.lead_moves.request_key IS
'The request that entered a lead which departed: repeated here, it does not enter it again.';
COMMENT ON COLUMN lead_protection.lead_moves.hold_ids IS
'The holds of a lead that departed: whoever names one is told.';
COMMENT ON COLUMN lead_protection.lead_moves.digest IS 'SHA-256 of all that moved, the same on both nodes.';
COMMENT ON COLUMN lead_protection.lead_moves.packed IS
'All rows of a lead that has departed, until the other node has confirmed them; null after that.';
COMMENT ON INDEX lead_protection.lead_moves_packed IS 'The moves that are not confirmed.';
COMMENT ON INDEX lead_protection.lead_moves_request_key IS 'Departed leads by the request that entered them.';
COMMENT ON INDEX lead_protection.lead_moves_hold_ids IS 'Departed leads by their holds.';

CREATE TABLE lead_protection.departed_slots (
    slot integer NOT NULL,
    slot_count integer NOT NULL,
    to_node text NOT NULL,
    departed_at timestamptz NOT NULL DEFAULT clock_timestamp()
    CONSTRAINT departed_slots_departed_at_finite CHECK (isfinite(departed_at)),
    CONSTRAINT departed_slots_pkey PRIMARY KEY (slot, slot_count),
    CONSTRAINT departed_slots_power_of_two CHECK (slot_count > 0 AND slot_count & (slot_count - 1) = 0),
    CONSTRAINT departed_slots_slot_in_range CHECK (slot >= 0 AND slot < slot_count)
);

COMMENT ON TABLE lead_protection.departed_slots IS
'Slots of a router whose leads have all moved from this node: no new lead of them is entered here (LP135). The slot '
'of a lead is hashint8(id) & (slot_count - 1). Written by depart_slots() and arrive_slots().';
COMMENT ON COLUMN lead_protection.departed_slots.slot IS 'The slot.';
COMMENT ON COLUMN lead_protection.departed_slots.slot_count IS 'How many slots the router has: a power of two.';
COMMENT ON COLUMN lead_protection.departed_slots.to_node IS 'The node that has it now, or had it next.';
COMMENT ON COLUMN lead_protection.departed_slots.departed_at IS 'When the last lead of it had left.';
