-- The log proves itself: each lead's rows are numbered, to be chained by hashes as they are sealed (0085), and texts
-- count by a commitment, so that they can be erased.
-- depends: 0070_calendars

SET LOCAL search_path = pg_catalog, pg_temp;

-- Without defaults and checks of the rows that are there: nothing is rewritten, however long the log.
ALTER TABLE lead_protection.protection_log
ADD COLUMN log_number integer,
ADD COLUMN chained_at timestamptz,
ADD COLUMN texts_salt bytea,
ADD COLUMN texts_hash bytea;
-- After the column: the rows that are there are not rewritten.
ALTER TABLE lead_protection.protection_log ALTER COLUMN texts_salt SET DEFAULT uuid_send(gen_random_uuid());

COMMENT ON COLUMN lead_protection.protection_log.log_number IS
'1, 2, … in the lead, in the order of the log; null: from before the chain, and not chained yet.';
COMMENT ON COLUMN lead_protection.protection_log.chained_at IS
'When an upgrade numbered the row, which is older than the chain; null: it was numbered as it was written.';
COMMENT ON COLUMN lead_protection.protection_log.texts_salt IS
'Random, for the commitment to reason and evidence; null: its texts were erased.';
COMMENT ON COLUMN lead_protection.protection_log.texts_hash IS
'The commitment to texts that were erased, in whose place it stands; null: none was.';

-- Where a log is that has rows, the nightly job chains them, and says here when it was done.
ALTER TABLE lead_protection.settings ADD COLUMN log_chained_at timestamptz, ADD COLUMN log_chained_through bigint;
COMMENT ON COLUMN lead_protection.settings.log_chained_at IS
'Since when each log row is chained; null: the nightly job is at those from before. A row without a number that is '
'found later was not written by us.';
COMMENT ON COLUMN lead_protection.settings.log_chained_through IS
'The lead up to whose number the nightly job has chained the rows from before; null: it begins, or has done all.';
