CREATE OR REPLACE VIEW lead_protection.health AS
SELECT
    h.check_name,
    h.status,
    -- As the column has it since it is there: a view cannot change that.
    h.found COLLATE "C" AS found,
    h.since,
    h.runbook,
    h.amount,
    h.first_command
FROM lead_protection.health_now() AS h;

COMMENT ON VIEW lead_protection.health IS
'How things stand, a row for each check, always all of them; look here first. Thresholds are in health_checks. Reads '
'little, also when much is wrong; answers on a standby, which shows what the primary has recorded.';
COMMENT ON COLUMN lead_protection.health.check_name IS
'The check, as in health_checks; causes come before what follows from them.';
COMMENT ON COLUMN lead_protection.health.status IS 'ok; warn: look at it today; critical: act now.';
COMMENT ON COLUMN lead_protection.health.found IS 'What was found, in words.';
COMMENT ON COLUMN lead_protection.health.since IS 'Since when; null: it is ok, or nobody knows.';
COMMENT ON COLUMN lead_protection.health.runbook IS
'The section of docs/runbook.md that says what to do, by its heading; help() shows it in psql, find_help() gives it as '
'JSON.';
COMMENT ON COLUMN lead_protection.health.amount IS
'How many (reminders, failed runs, expiries, events, holds …), as far as the check counts; those of which there may be '
'very many up to a bound.';
COMMENT ON COLUMN lead_protection.health.first_command IS
'The SQL that this section begins with: its first look, which changes nothing. A comment in its first line says what '
'it needs of you; the section says as whom it is run.';
