-- Rows of more than one table of leads, and what waits to be followed, have no place in what was before.
SET LOCAL search_path = pg_catalog, pg_temp;

ALTER TABLE lead_protection.lead_clocks DROP COLUMN lead_key;
ALTER TABLE lead_protection.leads DROP COLUMN lead_key;

DELETE FROM lead_protection.lock_rows AS l
WHERE l.lock_name = 'lead-protection-follow';
DROP TABLE lead_protection.adopted_holds;

-- What was before knows neither owners nor holds of the company's, and a table as one thing only: leads, if it is both.
DELETE FROM lead_protection.adoption_queue AS q
WHERE q.adoption_id NOT IN (
    SELECT DISTINCT ON (a.source) a.id FROM lead_protection.adoptions AS a
    WHERE a.kind IN ('leads', 'activities')
    ORDER BY a.source ASC, a.kind DESC
);
DELETE FROM lead_protection.adoptions AS d
WHERE d.id NOT IN (
    SELECT DISTINCT ON (a.source) a.id FROM lead_protection.adoptions AS a
    WHERE a.kind IN ('leads', 'activities')
    ORDER BY a.source ASC, a.kind DESC
);

ALTER TABLE lead_protection.adoption_queue ADD COLUMN lead_id bigint;
UPDATE lead_protection.adoption_queue AS q
SET lead_id = CASE WHEN q.lead_key ~ '^[0-9]+$' THEN q.lead_key::bigint ELSE 0 END, error = coalesce(q.error, 'waits');
ALTER TABLE lead_protection.adoption_queue
DROP CONSTRAINT adoption_queue_pkey,
ALTER COLUMN lead_id SET NOT NULL,
ALTER COLUMN error SET NOT NULL,
ALTER COLUMN attempts SET DEFAULT 1,
ALTER COLUMN tried_at SET DEFAULT clock_timestamp(),
ALTER COLUMN backfill DROP DEFAULT,
ADD CONSTRAINT adoption_queue_pkey PRIMARY KEY (lead_id, adoption_id, row_key),
DROP COLUMN lead_key,
DROP COLUMN news,
DROP COLUMN dismissed_at,
DROP COLUMN dismissed_by,
DROP COLUMN dismissed_because;

DELETE FROM lead_protection.adopted_leads AS a
WHERE a.user_id IS NULL;
ALTER TABLE lead_protection.adopted_leads
ALTER COLUMN user_id SET NOT NULL,
DROP COLUMN row_key,
DROP COLUMN policy_name,
DROP COLUMN followed_at;

DROP INDEX lead_protection.adoptions_name_once;
DROP INDEX lead_protection.adoptions_one_keeps_numbers;
UPDATE lead_protection.adoptions AS a SET disowned_at = coalesce(a.disowned_at, clock_timestamp());
CREATE UNIQUE INDEX adoptions_one_of_leads
ON lead_protection.adoptions (kind) WHERE kind = 'leads' AND disowned_at IS NULL;
COMMENT ON INDEX lead_protection.adoptions_one_of_leads IS 'One table of leads at a time: their numbers are ours.';
ALTER TABLE lead_protection.adoptions
DROP COLUMN name,
DROP COLUMN user_type,
DROP COLUMN keeps_numbers,
DROP COLUMN backfill_until,
DROP COLUMN leads_id,
DROP CONSTRAINT adoptions_kind_known,
ADD CONSTRAINT adoptions_kind_known CHECK (kind IN ('leads', 'activities')) NOT VALID,
DROP CONSTRAINT adoptions_source_once,
ADD CONSTRAINT adoptions_source_once UNIQUE (source),
ADD COLUMN user_expression text,
ADD COLUMN row_expressions text NOT NULL DEFAULT '',
ADD COLUMN fact_expressions text NOT NULL DEFAULT '',
ADD COLUMN on_failure text NOT NULL DEFAULT 'block'
CONSTRAINT adoptions_on_failure_known CHECK (on_failure IN ('block', 'queue'));

-- Of a job that is gone: an upgrade begins to count it anew.
DELETE FROM lead_protection.metric_counts
WHERE labels @> '{"job": "lead-protection-follow"}';
DELETE FROM lead_protection.metric_counters
WHERE labels @> '{"job": "lead-protection-follow"}';
DROP FUNCTION IF EXISTS lead_protection.follow_adopted_source();
DROP TABLE lead_protection.adoption_notes;
DROP TYPE lead_protection.row_news;
DROP TYPE lead_protection.lead_step;
DROP TYPE lead_protection.adopted_row;
DROP TYPE lead_protection.adoption_news;
