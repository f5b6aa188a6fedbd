-- Adopted tables are followed in one way: their writers note which rows changed, a worker compares and follows. Leads
-- have keys of any type.
-- depends: 0030_adopted_ledgers 0036_adopted_rows 0038_nobodys_leads 0054_bulk_requests
-- The tables of adoption have a row for each adopted table or each row that waits: what locks or scans them is over at
-- once. What reads them is our code, which is loaded in the same transaction.
-- squawk-ignore-file ban-drop-column, ban-drop-constraint, ban-drop-not-null, constraint-missing-not-valid
-- squawk-ignore-file require-concurrent-index-creation, adding-not-nullable-field, ban-drop-view
-- squawk-ignore-file adding-foreign-key-constraint, disallowed-unique-constraint, require-concurrent-index-deletion

SET LOCAL search_path = pg_catalog, pg_temp;

-- What writers note: nobody waits for anybody here, and nothing can be refused. Hence no index and no foreign key.
CREATE TABLE lead_protection.adoption_notes (
    adoption_id bigint NOT NULL,
    row_keys text[],
    said text[],
    keys_before text[],
    said_before text[],
    inserted boolean NOT NULL DEFAULT false,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    noted_in xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- A hundred thousand keys in a note are written faster than they are compressed.
ALTER TABLE lead_protection.adoption_notes
ALTER COLUMN row_keys SET STORAGE EXTERNAL,
ALTER COLUMN said SET STORAGE EXTERNAL,
ALTER COLUMN keys_before SET STORAGE EXTERNAL,
ALTER COLUMN said_before SET STORAGE EXTERNAL;

COMMENT ON TABLE lead_protection.adoption_notes IS
'What was written to adopted tables and is not in adoption_queue yet: a row for each statement, by the triggers '
'there. The job lead-protection-follow takes them from here.';
COMMENT ON COLUMN lead_protection.adoption_notes.adoption_id IS 'The adoption.';
COMMENT ON COLUMN lead_protection.adoption_notes.row_keys IS
'The keys of the rows that were written, as text; null: any row may have been, the table as a whole must be looked at.';
COMMENT ON COLUMN lead_protection.adoption_notes.said IS
'For each of them, as text: of leads the user (blank: nobody), of others the lead. Null: deleted leads.';
COMMENT ON COLUMN lead_protection.adoption_notes.keys_before IS
'What the keys were before; null: the same, or rows that are new.';
COMMENT ON COLUMN lead_protection.adoption_notes.said_before IS
'What was said before; null: the same, or rows that are new.';
COMMENT ON COLUMN lead_protection.adoption_notes.inserted IS 'True: the rows are new.';
COMMENT ON COLUMN lead_protection.adoption_notes.noted_at IS 'When it was written: the clock of that moment.';
COMMENT ON COLUMN lead_protection.adoption_notes.noted_in IS 'The transaction that wrote it.';

CREATE TYPE lead_protection.adoption_news AS (
    noted_at timestamptz,
    noted_in xid8,
    said text,
    said_before text,
    inserted boolean
);

COMMENT ON TYPE lead_protection.adoption_news IS 'What a note says of one row.';
COMMENT ON COLUMN lead_protection.adoption_news.noted_at IS 'When the row was written.';
COMMENT ON COLUMN lead_protection.adoption_news.noted_in IS 'The transaction that wrote it.';
COMMENT ON COLUMN lead_protection.adoption_news.said IS
'Of a lead: its user from then on, as text; blank: nobody; null: the row was deleted, or it is none of a lead.';
COMMENT ON COLUMN lead_protection.adoption_news.said_before IS 'The same before; null: unknown.';
COMMENT ON COLUMN lead_protection.adoption_news.inserted IS 'True: the row was new.';

CREATE TYPE lead_protection.adopted_row AS (
    row_key text,
    lead_key text,
    user_key text,
    started_at timestamptz,
    ended_at timestamptz,
    outcome text,
    label text
);

COMMENT ON TYPE lead_protection.adopted_row IS
'A row of an adopted table as plain values: read_adopted_rows() reads it, and nothing else runs the company''s SQL.';
COMMENT ON COLUMN lead_protection.adopted_row.row_key IS 'The row''s key, as text.';
COMMENT ON COLUMN lead_protection.adopted_row.lead_key IS 'The key of the lead that it is, or is about.';
COMMENT ON COLUMN lead_protection.adopted_row.user_key IS 'The user as the company names them; null: nobody.';
COMMENT ON COLUMN lead_protection.adopted_row.started_at IS
'When a lead or a hold started, an activity took place, a reminder was sent.';
COMMENT ON COLUMN lead_protection.adopted_row.ended_at IS 'When a lead was closed, if that is known, or a hold ended.';
COMMENT ON COLUMN lead_protection.adopted_row.outcome IS 'Of a lead: CONVERTED, LOST or DELETED; null: it is open.';
COMMENT ON COLUMN lead_protection.adopted_row.label IS
'Of a lead the name of its policy, of an activity its kind, of a hold its reason.';

CREATE TYPE lead_protection.row_news AS (row_key text, backfill boolean, news lead_protection.adoption_news []);

COMMENT ON TYPE lead_protection.row_news IS 'What was noted of one row and waits to be followed.';
COMMENT ON COLUMN lead_protection.row_news.row_key IS 'The row''s key, as text.';
COMMENT ON COLUMN lead_protection.row_news.backfill IS 'True: the row was there before it came here.';
COMMENT ON COLUMN lead_protection.row_news.news IS 'What was noted, in order.';

CREATE TYPE lead_protection.lead_step AS (
    lead_id bigint,
    nth integer,
    kind text,
    at timestamptz,
    user_id bigint,
    started_at timestamptz,
    outcome text,
    outcome_before text,
    policy_id bigint
);

COMMENT ON TYPE lead_protection.lead_step IS 'One thing that happens to a lead as its adopted row says.';
COMMENT ON COLUMN lead_protection.lead_step.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_step.nth IS 'Its place among the lead''s steps, from 1 on.';
COMMENT ON COLUMN lead_protection.lead_step.kind IS 'opened, owner, start, policy or closed.';
COMMENT ON COLUMN lead_protection.lead_step.at IS 'When it happened.';
COMMENT ON COLUMN lead_protection.lead_step.user_id IS 'owner: whose it is from then on; null: nobody''s.';
COMMENT ON COLUMN lead_protection.lead_step.started_at IS
'owner: when the protection begins, if not then; start: the new start; closed: when, if the table says it.';
COMMENT ON COLUMN lead_protection.lead_step.outcome IS 'closed: as what.';
COMMENT ON COLUMN lead_protection.lead_step.outcome_before IS 'As what it was closed before; null: it was open.';
COMMENT ON COLUMN lead_protection.lead_step.policy_id IS 'owner, policy: the policy; null: by the user.';

-- A write during the upgrade is not lost: until the code is loaded, old triggers note that there was one.
CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_source()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO lead_protection.adoption_notes (adoption_id) VALUES (TG_ARGV[0]::bigint);
    RETURN NULL;
END;
$$;

-- How rows are read follows from the mapping and from these types; what a failed write does is no question any more.
-- squawk-ignore ban-drop-column, adding-foreign-key-constraint
ALTER TABLE lead_protection.adoptions
ADD COLUMN name text,
ADD COLUMN user_type text,
ADD COLUMN keeps_numbers boolean NOT NULL DEFAULT false,
ADD COLUMN backfill_until text,
ADD COLUMN leads_id bigint CONSTRAINT adoptions_leads_id_fkey REFERENCES lead_protection.adoptions (id),
DROP CONSTRAINT adoptions_kind_known,
ADD CONSTRAINT adoptions_kind_known CHECK (kind IN ('leads', 'owners', 'activities', 'holds')) NOT VALID,
DROP CONSTRAINT adoptions_source_once,
ADD CONSTRAINT adoptions_source_once UNIQUE (source, kind),
DROP COLUMN row_expressions,
DROP COLUMN fact_expressions;

ALTER TABLE lead_protection.adoptions VALIDATE CONSTRAINT adoptions_kind_known;

UPDATE lead_protection.adoptions AS a
SET
    name = CASE
        WHEN (
            SELECT count(*) FROM lead_protection.adoptions AS o
            WHERE (parse_ident(o.source))[2] = (parse_ident(a.source))[2] AND o.kind = a.kind
        ) > 1 OR cardinality(parse_ident(a.source)) < 2 THEN a.source
        ELSE (parse_ident(a.source))[2]
    END,
    key_column = (parse_ident(a.key_column))[1],
    key_type = coalesce(
        (
            SELECT format_type(t.typbasetype, NULL) FROM pg_type AS t
            WHERE t.oid = to_regtype(a.key_type) AND t.typtype = 'd'
        ), a.key_type
    ),
    user_type = CASE WHEN a.user_expression IS NULL THEN 'bigint' ELSE 'text' END,
    keeps_numbers = a.kind = 'leads',
    leads_id = CASE
        WHEN a.kind = 'activities'
            THEN (
                SELECT l.id FROM lead_protection.adoptions AS l
                WHERE l.kind = 'leads'
                ORDER BY l.disowned_at DESC NULLS FIRST LIMIT 1
            )
    END;

-- squawk-ignore ban-drop-column, adding-not-nullable-field
ALTER TABLE lead_protection.adoptions
ALTER COLUMN name SET NOT NULL,
DROP COLUMN user_expression;

-- A view cannot lose a column; this one is the adoption's name from now on. What is built on it stays.
DO $$
BEGIN
    IF to_regclass('lead_protection.v_kpi_adoption') IS NOT NULL THEN
        ALTER VIEW lead_protection.v_kpi_adoption RENAME COLUMN on_failure TO name;
        CREATE OR REPLACE VIEW lead_protection.v_kpi_adoption AS
        SELECT
            a.source, a.kind, a.name, 0::bigint AS waiting, NULL::timestamptz AS oldest_queued_at, NULL AS error,
            4::bigint AS triggers, a.backfilled_at, a.switched_on_at
        FROM lead_protection.adoptions AS a
        WHERE a.disowned_at IS NULL;
    END IF;
END
$$;
-- squawk-ignore ban-drop-column
ALTER TABLE lead_protection.adoptions DROP COLUMN on_failure;

DROP INDEX lead_protection.adoptions_one_of_leads;
-- The table has a row for each adopted table.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX adoptions_name_once ON lead_protection.adoptions (name) WHERE disowned_at IS NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX adoptions_one_keeps_numbers
ON lead_protection.adoptions (keeps_numbers) WHERE keeps_numbers AND disowned_at IS NULL;

COMMENT ON TABLE lead_protection.adoptions IS
'The tables of the company''s own that were adopted, with adopt_leads() and its like: triggers on them note what is '
'written, and ours are kept in step. A table that was disowned keeps its row, so that it can be adopted again where '
'it left off.';
COMMENT ON COLUMN lead_protection.adoptions.kind IS
'leads, owners (of leads, in a table of their own), activities or holds: what its rows are.';
COMMENT ON COLUMN lead_protection.adoptions.name IS 'Its name; of those that are adopted each has another one.';
COMMENT ON COLUMN lead_protection.adoptions.mapping IS 'Columns and conditions as they were given: how a row is read.';
COMMENT ON COLUMN lead_protection.adoptions.key_column IS 'The column that tells its rows apart.';
COMMENT ON COLUMN lead_protection.adoptions.key_type IS 'The type of that column; of a domain the one that it is made '
'of.';
COMMENT ON COLUMN lead_protection.adoptions.user_type IS
'The type of the column of users: text and the like get numbers, in adopted_users. Null: it has none.';
COMMENT ON COLUMN lead_protection.adoptions.keeps_numbers IS
'True: the number of a lead is its key in the table. False: it was drawn here, and adopted_leads has the key.';
COMMENT ON COLUMN lead_protection.adoptions.leads_id IS 'Of owners, activities and holds: the adoption of the leads '
'that they name.';
COMMENT ON COLUMN lead_protection.adoptions.backfill_until IS
'The last key when the backfill began: what was inserted behind it was noted. Null: it has not begun, or found no row.';
COMMENT ON INDEX lead_protection.adoptions_name_once IS 'A name is the name of one adopted table.';
COMMENT ON INDEX lead_protection.adoptions_one_keeps_numbers IS
'One table at a time has leads whose numbers are ours.';

ALTER TABLE lead_protection.adopted_leads
ALTER COLUMN user_id DROP NOT NULL,
ADD COLUMN row_key text,
ADD COLUMN policy_name text,
ADD COLUMN followed_at timestamptz;

-- No row has a key yet: there is nothing to build.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX adopted_leads_key_once ON lead_protection.adopted_leads (row_key, adoption_id)
WHERE row_key IS NOT NULL;

COMMENT ON TABLE lead_protection.adopted_leads IS
'What the adopted table last said of each lead, as far as it was followed: what differs from it is news. leads may '
'say otherwise, because our functions change a lead, too.';
COMMENT ON COLUMN lead_protection.adopted_leads.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.adopted_leads.user_id IS 'The user; null: nobody.';
COMMENT ON COLUMN lead_protection.adopted_leads.row_key IS 'Its key in the table, as text; null: the lead''s number '
'is the key.';
COMMENT ON COLUMN lead_protection.adopted_leads.policy_name IS 'The name of its policy, if the table says it.';
COMMENT ON COLUMN lead_protection.adopted_leads.followed_at IS
'What was noted until then was followed; null: nothing was noted of it so far.';
COMMENT ON INDEX lead_protection.adopted_leads_key_once IS 'A key is one lead, and found by it.';

ALTER TABLE lead_protection.adoption_queue
ADD COLUMN lead_key text,
ADD COLUMN news lead_protection.adoption_news[],
ADD COLUMN dismissed_at timestamptz,
ADD COLUMN dismissed_by bigint,
ADD COLUMN dismissed_because text,
ALTER COLUMN attempts SET DEFAULT 0,
ALTER COLUMN tried_at SET DEFAULT '-infinity',
ALTER COLUMN backfill SET DEFAULT true,
ALTER COLUMN error DROP NOT NULL,
ADD CONSTRAINT adoption_queue_dismissed_by_somebody CHECK (
    num_nulls(dismissed_at, dismissed_by, dismissed_because) IN (0, 3)
) NOT VALID;

ALTER TABLE lead_protection.adoption_queue VALIDATE CONSTRAINT adoption_queue_dismissed_by_somebody;

UPDATE lead_protection.adoption_queue AS q
SET lead_key = CASE q.row_key WHEN '*' THEN '*' ELSE q.lead_id::text END;

-- The table has a row for each row that waits.
-- squawk-ignore ban-drop-column, adding-not-nullable-field
ALTER TABLE lead_protection.adoption_queue
DROP CONSTRAINT adoption_queue_pkey,
ALTER COLUMN lead_key SET NOT NULL,
-- squawk-ignore adding-serial-primary-key-field
ADD CONSTRAINT adoption_queue_pkey PRIMARY KEY (lead_key, adoption_id, row_key),
DROP COLUMN lead_id;

COMMENT ON TABLE lead_protection.adoption_queue IS
'Rows of adopted tables that are out of step: written and not yet followed, or such as could not be, and why. Each is '
'tried again after pauses that grow up to a day; a row that can be followed leaves the queue. The nightly job puts '
'rows here that were written past the triggers.';
COMMENT ON COLUMN lead_protection.adoption_queue.row_key IS
'The row''s key in the adopted table, as text; *, with lead_key *: the table as a whole.';
COMMENT ON COLUMN lead_protection.adoption_queue.lead_key IS 'The key of the lead that the row is, or is about.';
COMMENT ON COLUMN lead_protection.adoption_queue.news IS 'What was noted of it; null: nothing, it was found out of '
'step.';
COMMENT ON COLUMN lead_protection.adoption_queue.attempts IS 'How often it could not be followed.';
COMMENT ON COLUMN lead_protection.adoption_queue.tried_at IS 'When it was last tried; -infinity: not yet.';
COMMENT ON COLUMN lead_protection.adoption_queue.error IS 'SQLSTATE and message of the last try; null: it was not '
'tried yet.';
COMMENT ON COLUMN lead_protection.adoption_queue.backfill IS
'True: the row was there before it came here. What lies in its past is recorded and not sent.';
COMMENT ON COLUMN lead_protection.adoption_queue.dismissed_at IS
'When it was set aside, with dismiss_adopted_row(): it is not tried until the company writes it again. Null: it is '
'not.';
COMMENT ON COLUMN lead_protection.adoption_queue.dismissed_by IS 'The actor who set it aside.';
COMMENT ON COLUMN lead_protection.adoption_queue.dismissed_because IS 'Why, in their words.';

CREATE TABLE lead_protection.adopted_holds (
    lead_id bigint NOT NULL,
    adoption_id bigint NOT NULL
    CONSTRAINT adopted_holds_adoption_id_fkey REFERENCES lead_protection.adoptions (id),
    row_key text NOT NULL,
    hold_id bigint NOT NULL CONSTRAINT adopted_holds_hold_id_fkey REFERENCES lead_protection.lead_holds (id),
    user_key text,
    started_at timestamptz,
    ended_at timestamptz,
    reason text,
    CONSTRAINT adopted_holds_pkey PRIMARY KEY (lead_id, adoption_id, row_key)
);

COMMENT ON TABLE lead_protection.adopted_holds IS
'What an adopted table of holds last said of each row, and which hold that is: what differs from it is news. '
'lead_holds may say otherwise, because our functions change a hold, too.';
COMMENT ON COLUMN lead_protection.adopted_holds.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.adopted_holds.adoption_id IS 'The adoption.';
COMMENT ON COLUMN lead_protection.adopted_holds.row_key IS 'The row''s key in the table, as text.';
COMMENT ON COLUMN lead_protection.adopted_holds.hold_id IS 'The hold, in lead_holds; of a row that held more than '
'once the last.';
COMMENT ON COLUMN lead_protection.adopted_holds.user_key IS 'The user as the table names them; null: it does not.';
COMMENT ON COLUMN lead_protection.adopted_holds.started_at IS 'The start; null: the row says no more that there is a '
'hold.';
COMMENT ON COLUMN lead_protection.adopted_holds.ended_at IS 'The end; null: open.';
COMMENT ON COLUMN lead_protection.adopted_holds.reason IS 'The reason.';

-- They tell more, or other things, now.
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.find_adoption_drift();
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.adopted_lead_status(timestamptz);

INSERT INTO lead_protection.lock_rows (lock_name) VALUES ('lead-protection-follow');
-- Where counting has begun: a new installation begins with all jobs.
INSERT INTO lead_protection.metric_counters (metric, labels, value)
SELECT
    'lead_job_failures_total',
    '{"job": "lead-protection-follow"}',
    0
WHERE EXISTS (SELECT FROM lead_protection.metric_counters);

ALTER TABLE lead_protection.leads
ADD COLUMN lead_key text,
ADD CONSTRAINT leads_lead_key_not_empty CHECK (lead_key <> '') NOT VALID;
ALTER TABLE lead_protection.lead_clocks ADD COLUMN lead_key text;

COMMENT ON COLUMN lead_protection.leads.lead_key IS
'The lead''s key in the adopted table that it comes from; null: its number is the key, or it comes from none. Never '
'changes.';
COMMENT ON COLUMN lead_protection.lead_clocks.lead_key IS 'As in leads.';

-- The function below it has a new column, so it must be made anew; what is built on this view need not.
DO $$
BEGIN
    IF to_regclass('lead_protection.v_user_lead_protection') IS NOT NULL THEN
        CREATE OR REPLACE VIEW lead_protection.v_user_lead_protection AS
        SELECT
            c.lead_id, c.user_id, c.started_at AS created_at, s.protection_expires_at, s.state, s.on_hold,
            s.reminder_due_at, c.reminded_at, c.closed_at, c.policy_id
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL lead_protection.clock_at(c, now()) AS s;
    END IF;
END
$$;
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.user_lead_protection(timestamptz);
