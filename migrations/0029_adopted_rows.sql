-- What adopted tables last said, and whose rows are out of step.
-- depends: 0028_adoptions

CREATE TABLE lead_protection.adopted_users (
    user_key text CONSTRAINT adopted_users_pkey PRIMARY KEY
    CONSTRAINT adopted_users_user_key_not_blank CHECK (user_key ~ '[^[:space:]]'),
    user_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT adopted_users_user_id_once UNIQUE
);

COMMENT ON TABLE lead_protection.adopted_users IS
'Numbers for users whom an adopted table names by a text or uuid: the same key is the same number in all adopted tables. Filled as keys turn up. Rows are never changed: clocks and logs know the number only.';
COMMENT ON COLUMN lead_protection.adopted_users.user_key IS 'The user as the company names them, as text.';
COMMENT ON COLUMN lead_protection.adopted_users.user_id IS 'The user''s number everywhere else in this schema.';

CREATE TABLE lead_protection.adopted_leads (
    lead_id bigint CONSTRAINT adopted_leads_pkey PRIMARY KEY
    CONSTRAINT adopted_leads_lead_id_fkey REFERENCES lead_protection.leads (id),
    adoption_id bigint NOT NULL
    CONSTRAINT adopted_leads_adoption_id_fkey REFERENCES lead_protection.adoptions (id),
    user_id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    outcome text CONSTRAINT adopted_leads_outcome_known CHECK (outcome IN ('CONVERTED', 'LOST', 'DELETED'))
);

COMMENT ON TABLE lead_protection.adopted_leads IS
'What the adopted table last said of each lead, as far as it was followed: what differs from it is news. leads may say otherwise, because our functions change a lead, too. Written by sync_adopted_leads() only.';
COMMENT ON COLUMN lead_protection.adopted_leads.lead_id IS 'The lead: the adopted table''s own number.';
COMMENT ON COLUMN lead_protection.adopted_leads.adoption_id IS 'The adoption that it came with.';
COMMENT ON COLUMN lead_protection.adopted_leads.user_id IS 'The user.';
COMMENT ON COLUMN lead_protection.adopted_leads.started_at IS 'The start.';
COMMENT ON COLUMN lead_protection.adopted_leads.outcome IS 'Null: open; CONVERTED, LOST, or DELETED, also when the row is gone.';

CREATE TABLE lead_protection.adoption_queue (
    adoption_id bigint NOT NULL
    CONSTRAINT adoption_queue_adoption_id_fkey REFERENCES lead_protection.adoptions (id),
    row_key text NOT NULL,
    lead_id bigint NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 1,
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    error text NOT NULL,
    backfill boolean NOT NULL,
    CONSTRAINT adoption_queue_pkey PRIMARY KEY (lead_id, adoption_id, row_key)
);

CREATE INDEX adoption_queue_tried ON lead_protection.adoption_queue (tried_at);

COMMENT ON TABLE lead_protection.adoption_queue IS
'Rows of adopted tables that could not be followed, and why. The pipeline tries each again, after pauses that grow up to a day; a row that can be followed leaves the queue by itself, also when the company writes it. The nightly job puts rows here that were written past the triggers.';
COMMENT ON COLUMN lead_protection.adoption_queue.adoption_id IS 'The adoption.';
COMMENT ON COLUMN lead_protection.adoption_queue.row_key IS 'The row''s key in the adopted table, as text; *, with lead_id 0: the table as a whole, because not even its keys could be read.';
COMMENT ON COLUMN lead_protection.adoption_queue.lead_id IS 'The lead that the row is, or is about.';
COMMENT ON COLUMN lead_protection.adoption_queue.queued_at IS 'Since when it is out of step.';
COMMENT ON COLUMN lead_protection.adoption_queue.attempts IS 'How often it was tried.';
COMMENT ON COLUMN lead_protection.adoption_queue.tried_at IS 'When it was last tried.';
COMMENT ON COLUMN lead_protection.adoption_queue.error IS 'SQLSTATE and message of the last try.';
COMMENT ON COLUMN lead_protection.adoption_queue.backfill IS 'True: the row was there before its table was adopted. When it can be taken over, what lies in its past is recorded and not sent.';
COMMENT ON INDEX lead_protection.adoption_queue_tried IS 'The longest untried first.';
