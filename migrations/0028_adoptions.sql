-- Tables of a company's own that are adopted: where leads and activities come from, how they are read, how far it is.
-- depends: 0003_leads

CREATE TABLE lead_protection.adoptions (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT adoptions_pkey PRIMARY KEY,
    kind text NOT NULL CONSTRAINT adoptions_kind_known CHECK (kind IN ('leads', 'activities')),
    source text NOT NULL CONSTRAINT adoptions_source_once UNIQUE,
    source_oid oid NOT NULL,
    mapping jsonb NOT NULL CONSTRAINT adoptions_mapping_object CHECK (jsonb_typeof(mapping) = 'object'),
    key_column text NOT NULL,
    key_type text NOT NULL,
    user_expression text,
    row_expressions text NOT NULL,
    fact_expressions text NOT NULL,
    on_failure text NOT NULL CONSTRAINT adoptions_on_failure_known CHECK (on_failure IN ('block', 'queue')),
    actor_id bigint NOT NULL,
    adopted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    backfilled_through text,
    backfilled_at timestamptz,
    switched_on_at timestamptz,
    disowned_at timestamptz
);

CREATE UNIQUE INDEX adoptions_one_of_leads
ON lead_protection.adoptions (kind) WHERE kind = 'leads' AND disowned_at IS NULL;

COMMENT ON TABLE lead_protection.adoptions IS
'The tables of the company''s own that were adopted, with adopt_leads() or adopt_activities(): triggers on them keep ours in step. A table that was disowned keeps its row, so that it can be adopted again where it left off.';
COMMENT ON COLUMN lead_protection.adoptions.id IS 'The adoption''s number; the argument of the triggers on source.';
COMMENT ON COLUMN lead_protection.adoptions.kind IS 'leads or activities: what its rows are.';
COMMENT ON COLUMN lead_protection.adoptions.source IS 'The company''s table, with its schema, quoted where needed. One that was renamed is still the one with our triggers: the nightly job puts its new name here.';
COMMENT ON COLUMN lead_protection.adoptions.source_oid IS 'The table''s OID when it was adopted: by it a table that was disowned and renamed is known again.';
COMMENT ON COLUMN lead_protection.adoptions.mapping IS 'Columns and conditions as they were given.';
COMMENT ON COLUMN lead_protection.adoptions.key_column IS 'The column that tells its rows apart, quoted where needed.';
COMMENT ON COLUMN lead_protection.adoptions.key_type IS 'The type of that column.';
COMMENT ON COLUMN lead_protection.adoptions.user_expression IS 'SQL over a row s of source: the user as the company names them, as text; NULL where users are numbers.';
COMMENT ON COLUMN lead_protection.adoptions.row_expressions IS 'SQL over a row s of source: what adopted_lead_rows() or adopted_activity_rows() reads.';
COMMENT ON COLUMN lead_protection.adoptions.fact_expressions IS 'The same, with the user as the company names them: what must differ for an update to matter.';
COMMENT ON COLUMN lead_protection.adoptions.on_failure IS 'What becomes of a write of the company''s own that cannot be followed. block: it fails, with our error. queue: it goes through, and the row waits in adoption_queue.';
COMMENT ON COLUMN lead_protection.adoptions.actor_id IS 'Who answers for what follows from the company''s table: the actor in the log.';
COMMENT ON COLUMN lead_protection.adoptions.adopted_at IS 'When it was adopted; adopted again: the last time. The triggers bear it, too: one that sees another adoption than its own serves an older snapshot.';
COMMENT ON COLUMN lead_protection.adoptions.backfilled_through IS 'The rows up to this key were taken over; null: none yet.';
COMMENT ON COLUMN lead_protection.adoptions.backfilled_at IS 'When the last of the rows that were there was taken over; null: not yet.';
COMMENT ON COLUMN lead_protection.adoptions.switched_on_at IS 'When reminders and expiries began to be sent for its leads (switch_on_adoption()); null: not yet, and the pipeline waits.';
COMMENT ON COLUMN lead_protection.adoptions.disowned_at IS 'When it was disowned; null: it is adopted.';
COMMENT ON INDEX lead_protection.adoptions_one_of_leads IS 'One table of leads at a time: their numbers are ours.';
