-- Seals of the log: a Merkle tree over its rows, and the roots that leave the database.
-- depends: 0070_calendars

SET LOCAL search_path = pg_catalog, pg_temp;

-- What is published also says that the log was sealed: an event of the log and of no lead.
-- squawk-ignore-file ban-drop-constraint, require-concurrent-index-creation

-- The default comes after the column: rows that are there must not get the transaction that applies this.
ALTER TABLE lead_protection.protection_log ADD COLUMN transaction_id xid8;
ALTER TABLE lead_protection.protection_log ALTER COLUMN transaction_id SET DEFAULT pg_current_xact_id();

-- Not concurrently, which would have to come before the column is there. No row has a value yet: the log is read once,
-- and nothing is sorted or written.
CREATE INDEX protection_log_transaction ON lead_protection.protection_log (transaction_id)
WHERE transaction_id IS NOT NULL;

COMMENT ON COLUMN lead_protection.protection_log.transaction_id IS
'The transaction that wrote the row, by which seal_protection_log() finds what is new; null: before this was recorded, '
'and the row is not chained yet. A number of the database server''s, and no part of the row''s hash.';
COMMENT ON INDEX lead_protection.protection_log_transaction IS
'Rows by the transaction that wrote them: what seal_protection_log() looks up.';

CREATE TABLE lead_protection.log_leaves (
    leaf bigint CONSTRAINT log_leaves_pkey PRIMARY KEY,
    lead_id bigint NOT NULL,
    log_number integer NOT NULL,
    row_hash bytea NOT NULL,
    CONSTRAINT log_leaves_row_once UNIQUE (lead_id, log_number),
    CONSTRAINT log_leaves_row_hash_whole CHECK (octet_length(row_hash) = 32)
);

COMMENT ON TABLE lead_protection.log_leaves IS
'The leaves of the Merkle tree over protection_log (RFC 6962): a row for each log row that is sealed. Append-only '
'(LP012). Written by seal_protection_log(). No foreign key: what is missing in the log is told by what is here.';
COMMENT ON COLUMN lead_protection.log_leaves.leaf IS 'The number of the leaf, from 0 on, without gaps.';
COMMENT ON COLUMN lead_protection.log_leaves.lead_id IS 'The lead of the log row.';
COMMENT ON COLUMN lead_protection.log_leaves.log_number IS 'The number of the log row in its lead.';
COMMENT ON COLUMN lead_protection.log_leaves.row_hash IS
'The hash of the log row when it was sealed, over its written form and the hash of the row before it in the lead:
docs/log-format.md says it byte by byte.';

CREATE TABLE lead_protection.log_nodes (
    level integer NOT NULL CONSTRAINT log_nodes_level_of_blocks CHECK (level > 0 AND level % 8 = 0),
    position bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT log_nodes_pkey PRIMARY KEY (level, position)
);

COMMENT ON TABLE lead_protection.log_nodes IS
'The inner nodes of the Merkle tree whose leaves are complete, of each eighth level only: what lies between is '
'computed from 256 hashes at most. Append-only (LP012). Written by seal_protection_log().';
COMMENT ON COLUMN lead_protection.log_nodes.level IS 'The level: 8 is over 256 leaves, 16 over 65536.';
COMMENT ON COLUMN lead_protection.log_nodes.position IS 'The place in the level, from 0 on.';
COMMENT ON COLUMN lead_protection.log_nodes.hash IS 'SHA-256, as RFC 6962 has it.';

CREATE TABLE lead_protection.log_seals (
    number bigint CONSTRAINT log_seals_pkey PRIMARY KEY CONSTRAINT log_seals_number_positive CHECK (number > 0),
    sealed_at timestamptz NOT NULL CONSTRAINT log_seals_sealed_at_finite CHECK (isfinite(sealed_at)),
    tree_size bigint NOT NULL CONSTRAINT log_seals_tree_size_positive CHECK (tree_size > 0),
    root bytea NOT NULL CONSTRAINT log_seals_root_whole CHECK (octet_length(root) = 32),
    previous bytea NOT NULL CONSTRAINT log_seals_previous_whole CHECK (octet_length(previous) = 32),
    horizon xid8 NOT NULL,
    system_identifier bigint NOT NULL
);

COMMENT ON TABLE lead_protection.log_seals IS
'The seals of the log: each is the root of the Merkle tree over all rows that were sealed by then, and the hash of the '
'seal before. Append-only (LP012). Written by seal_protection_log(). What a seal proves, it proves only when it was '
'kept outside of this database: lead-protection seal prints it.';
COMMENT ON COLUMN lead_protection.log_seals.number IS 'Counts from 1.';
COMMENT ON COLUMN lead_protection.log_seals.sealed_at IS 'When it was made.';
COMMENT ON COLUMN lead_protection.log_seals.tree_size IS 'How many leaves it covers: the first so many of log_leaves.';
COMMENT ON COLUMN lead_protection.log_seals.root IS 'The root of the tree over these leaves, by RFC 6962 with SHA-256.';
COMMENT ON COLUMN lead_protection.log_seals.previous IS
'SHA-256 of the checkpoint of the seal before, as seal_checkpoint() gives it; of the first seal: 32 zero bytes.';
COMMENT ON COLUMN lead_protection.log_seals.horizon IS
'Every transaction with a lower number had ended, and its rows are sealed: the next seal looks from here on.';
COMMENT ON COLUMN lead_protection.log_seals.system_identifier IS
'The database server that sealed. On another one, such as after a restore from a dump, transactions are numbered anew: '
'the first seal there compares the whole log with the leaves.';

ALTER TABLE lead_protection.outbox_events
DROP CONSTRAINT outbox_events_type_dotted,
ADD CONSTRAINT outbox_events_type_dotted CHECK (type ~ '^(lead|log)(\.[a-z_]+)+$') NOT VALID;

COMMENT ON TABLE lead_protection.outbox_events IS
'Events for other systems: one for each protection_log row and in its transaction, and one for each seal of the log. '
'Never updated.';
COMMENT ON COLUMN lead_protection.outbox_events.id IS
'The event''s id, of a lead''s event the same as in protection_log: consumers drop repeats by it.';
COMMENT ON COLUMN lead_protection.outbox_events.aggregatetype IS 'lead, or log for log.sealed.';
COMMENT ON COLUMN lead_protection.outbox_events.aggregateid IS
'The lead''s number as text: the key by which order is kept; 0 for log.sealed.';
