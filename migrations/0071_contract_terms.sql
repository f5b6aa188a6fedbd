-- The words of a contract as terms of a policy version: the end of the day, days of holds, working days, receipt.
-- depends: 0070_calendars

SET LOCAL search_path = pg_catalog, pg_temp;

-- The defaults are what every version meant until now: no clock moves.
ALTER TABLE lead_protection.protection_policies
ADD COLUMN period_end text NOT NULL DEFAULT 'instant'
CONSTRAINT protection_policies_period_end_known CHECK (period_end IN ('instant', 'end_of_day')),
ADD COLUMN hold_unit text NOT NULL DEFAULT 'elapsed'
CONSTRAINT protection_policies_hold_unit_known CHECK (hold_unit IN ('elapsed', 'day')),
ADD COLUMN calendar_id bigint
CONSTRAINT protection_policies_calendar_id_fkey REFERENCES lead_protection.calendars (id),
ADD COLUMN expiry_on text NOT NULL DEFAULT 'any_day'
CONSTRAINT protection_policies_expiry_on_known CHECK (expiry_on IN ('any_day', 'working_day')),
ADD COLUMN remind_on text NOT NULL DEFAULT 'any_day'
CONSTRAINT protection_policies_remind_on_known CHECK (remind_on IN ('any_day', 'working_day')),
ADD COLUMN notice_counts_from text NOT NULL DEFAULT 'sent'
CONSTRAINT protection_policies_notice_counts_from_known CHECK (
    notice_counts_from IN ('sent', 'delivered', 'delivered_working_day')
),
ADD CONSTRAINT protection_policies_working_days_of_a_calendar CHECK (
    calendar_id IS NOT NULL
    OR (expiry_on = 'any_day' AND remind_on = 'any_day' AND notice_counts_from <> 'delivered_working_day')
),
-- Moved from day to day with its time of the day kept, an end on a Saturday evening would come after one on the Sunday
-- morning: a hold could shorten a protection.
ADD CONSTRAINT protection_policies_expiry_moves_by_whole_days CHECK (
    expiry_on = 'any_day' OR period_end = 'end_of_day'
),
ADD CONSTRAINT protection_policies_receipt_of_a_notice CHECK (notice_counts_from = 'sent' OR notice_required);

COMMENT ON COLUMN lead_protection.protection_policies.period_end IS
'instant: the protection ends at the time of day at which it began; end_of_day: with the local day on which it would, '
'the last protected day.';
COMMENT ON COLUMN lead_protection.protection_policies.hold_unit IS
'elapsed: a hold moves the expiry by the time for which the clock stood still; day: by the local days that it touches, '
'each whole and once.';
COMMENT ON COLUMN lead_protection.protection_policies.calendar_id IS
'The version of the calendar that says which days are working days; null: none.';
COMMENT ON COLUMN lead_protection.protection_policies.expiry_on IS
'any_day; working_day: a last protected day that is no working day moves on to the next one.';
COMMENT ON COLUMN lead_protection.protection_policies.remind_on IS
'any_day; working_day: a reminder that would fall on no working day is due on the one before.';
COMMENT ON COLUMN lead_protection.protection_policies.notice_counts_from IS
'From when on a notice runs: sent; delivered, as the mailer reports it; delivered_working_day: a delivery on no working '
'day counts as one at the beginning of the next.';

-- Without a default: no row of a large table is written.
ALTER TABLE lead_protection.lead_clocks ADD COLUMN day_policy_id bigint;

COMMENT ON COLUMN lead_protection.lead_clocks.day_policy_id IS
'The policy, if its periods or holds count by days (period_end, hold_unit): then the expiry is no matter of elapsed '
'time alone. Null: it is.';

COMMENT ON TABLE lead_protection.reminder_deliveries IS
'What the mailer reported of each message that carried a reminder, by the message''s id. Apart from the ledger: whether '
'a message arrived moves no clock but those whose policy has notices count from their delivery. v_lead_reminders shows '
'both.';
