-- What the load could not replace in place.
-- depends: 0010_job_runs 0034_indexes

-- It is by user and reason now, not by user.
-- squawk-ignore ban-drop-view
DROP VIEW IF EXISTS lead_protection.v_kpi_holds;

-- Its arguments have other names now.
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.report_reminder_delivery(
    bigint, bigint, date, text, text, text, timestamptz
);

COMMENT ON INDEX lead_protection.protection_log_reactivated IS
'The reactivations of the last days, for whoever asks protection_log for them.';

-- An expiry, a hold and an activity that "stands" were three things; each has a word of its own now.
COMMENT ON INDEX lead_protection.lead_expiries_one_standing IS
'One expiry per lead and user that was not taken back: what makes record_expiries() idempotent.';
COMMENT ON INDEX lead_protection.lead_expiries_standing IS
'Expiries that were not taken back, by when they were recorded: what health counts.';
COMMENT ON COLUMN lead_protection.lead_expiries.reactivated_at IS
'When the lead was seen protected again, which took the expiry back; null: it was not taken back.';
COMMENT ON COLUMN lead_protection.lead_clocks.expired_at IS
'The expiry that is recorded and was not taken back; null: none.';
COMMENT ON COLUMN lead_protection.lead_clocks.runs_from IS
'From here on no known stop is left; infinity while a hold is open.';
COMMENT ON COLUMN lead_protection.lead_holds.voided_at IS
'When it was declared void: it counts for nothing. Null: it is valid.';
COMMENT ON COLUMN lead_protection.lead_activities.deleted_at IS
'When it was struck out: it counts no more. Null: it was not.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.hold_id IS
'The hold made, found in force already, or released; null if there is none.';
COMMENT ON TABLE lead_protection.hold_reasons IS
'The catalog of reasons for a hold. Add rows as you need them. stops_clock is asked when a hold is made: to change it '
'moves no hold that was made.';
