CREATE OR REPLACE VIEW lead_protection.event_types AS
SELECT
    t.type,
    t.meaning
FROM (
    VALUES
    ('lead.created', 'A lead came in: its protection begins, or it is free.'),
    ('lead.protection.reminder', 'The protection ends soon: remind the user; attempt above 1: a delivery failed.'),
    ('lead.protection.warning', 'The protection ends in days_before days: tell the audience.'),
    ('lead.protection.expired', 'The protection ended; missed_reminder_due_at: without a reminder.'),
    ('lead.protection.reactivated', 'The announced end did not come: the lead is protected for longer, or again.'),
    ('lead.protection.transferred', 'The lead is another user''s now; a new protection began.'),
    ('lead.protection.given_back', 'The user gave the lead back, or lost it: it is nobody''s now.'),
    ('lead.protection.extended', 'The protection was extended on request.'),
    ('lead.protection.backdated', 'The protection''s start was corrected to an earlier instant.'),
    ('lead.protection.moved', 'The lead is under another policy now.'),
    ('lead.reminder.delivered', 'A message with the reminder was delivered.'),
    ('lead.reminder.failed', 'A message with the reminder did not arrive. retry_at: from when it is sent again.'),
    ('lead.reminder.skipped', 'A message with the reminder was not sent: it made no sense any more; see obstacle.'),
    ('lead.hold.created', 'A hold stops the clock.'),
    ('lead.hold.released', 'A hold was ended.'),
    ('lead.hold.corrected', 'A hold''s start or end was corrected.'),
    ('lead.hold.voided', 'A hold was declared void: it never stopped the clock.'),
    ('lead.hold.overrun', 'A hold was ended by the system at the limit of its policy.'),
    ('lead.hold.limit_near', 'A hold reaches the limit of its policy within 7 days.'),
    ('lead.hold.limit_overridden', 'An operator allowed a hold to pass the limit of its policy.'),
    ('lead.activity.recorded', 'An activity for the lead was recorded.'),
    ('lead.activity.corrected', 'An activity was corrected.'),
    ('lead.activity.deleted', 'An activity was deleted.'),
    ('lead.closed', 'The lead was converted or lost: no reminder, no expiry.'),
    ('lead.reopened', 'A closed lead is open again.'),
    ('lead.deleted', 'The lead is deleted for good.'),
    ('lead.changed', 'The lead''s row was changed by hand, by none of our functions.'),
    ('lead.row.dismissed', 'A row of an adopted table that could not be followed was set aside.'),
    ('log.sealed', 'What was new in the log was sealed: the root of its Merkle tree leaves the database.'),
    ('lead.texts.erased', 'Reasons and other texts of the lead were erased; its dates and their proof stay.'),
    ('lead.clock.mended', 'The nightly job found a cached clock that did not equal the rule, and mended it.')
) AS t (type, meaning);

COMMENT ON VIEW lead_protection.event_types IS
'The types of events. The JSON Schema of each one''s payload is schemas/<type>.json.';
COMMENT ON COLUMN lead_protection.event_types.type IS 'The type, as in protection_log and outbox_events.';
COMMENT ON COLUMN lead_protection.event_types.meaning IS 'What happened.';
