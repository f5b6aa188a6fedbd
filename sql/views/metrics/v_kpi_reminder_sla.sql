CREATE OR REPLACE VIEW lead_protection.v_kpi_reminder_sla AS
SELECT
    coalesce(sum(d.fell_due), 0)::bigint AS fell_due,
    coalesce(sum(d.sent_within), 0)::bigint AS sent_within,
    coalesce(sum(d.sent_beyond), 0)::bigint AS sent_beyond,
    coalesce(sum(d.waiting), 0)::bigint AS waiting,
    coalesce(sum(d.missed), 0)::bigint AS missed,
    round(
        100 * sum(d.sent_within) / nullif(sum(d.sent_within) + sum(d.sent_beyond) + sum(d.missed), 0), 2
    ) AS percent_within,
    max(d.longest_latency) AS longest_latency
FROM lead_protection.v_reminder_sla AS d
WHERE d.day > (now() AT TIME ZONE 'UTC')::date - 7;

COMMENT ON VIEW lead_protection.v_kpi_reminder_sla IS
'One row: the reminders that fell due today or on the six days before, UTC, against the promise of 60 minutes. By day: '
'v_reminder_sla.';
COMMENT ON COLUMN lead_protection.v_kpi_reminder_sla.fell_due IS 'All of them.';
COMMENT ON COLUMN lead_protection.v_kpi_reminder_sla.sent_within IS 'Sent within 60 minutes.';
COMMENT ON COLUMN lead_protection.v_kpi_reminder_sla.sent_beyond IS 'Sent later than that.';
COMMENT ON COLUMN lead_protection.v_kpi_reminder_sla.waiting IS 'Due and not sent yet, as of now.';
COMMENT ON COLUMN lead_protection.v_kpi_reminder_sla.missed IS 'Never sent.';
COMMENT ON COLUMN lead_protection.v_kpi_reminder_sla.percent_within IS
'So many of 100 that do not wait any more were sent within 60 minutes; null: there are none.';
COMMENT ON COLUMN lead_protection.v_kpi_reminder_sla.longest_latency IS 'The longest of those sent, elapsed time.';
