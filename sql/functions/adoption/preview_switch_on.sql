CREATE OR REPLACE FUNCTION lead_protection.preview_switch_on()
RETURNS TABLE (found text, leads bigint, what_happens text, samples text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT
    f.found, count(p.lead_key), f.what_happens,
    (array_agg(p.lead_key ORDER BY p.protection_expires_at DESC, p.lead_key) FILTER (WHERE p.lead_key IS NOT NULL))[:10]
FROM (
    VALUES
    (1, 'protected', 'Reminded and expired when the time comes.'),
    (2, 'on hold', 'As above, once the clock runs on.'),
    (3, 'reminded', 'Imported as reminded, or recorded as such: they expire when the time comes.'),
    (
        4, 'reminder overdue',
        'Recorded as reminded, by the system that was before. Nothing is sent: tell these users yourself. With '
        'send_overdue => true they are sent, at the pace of configure_reminders().'
    ),
    (
        5, 'owed a notice',
        'Their policy requires a notice: the pipeline sends it, at its pace, and the expiry waits for it.'
    ),
    (6, 'expired', 'Recorded as expired. No event is written.'),
    (7, 'expired, recorded', 'Nothing: that is done.'),
    (8, 'closed', 'Nothing.'),
    (9, 'free', 'Nothing: they are nobody''s.'),
    (10, 'in adoption_queue', 'Not taken over yet. When it is, what lies in its past is recorded and not sent.')
) AS f (nth, found, what_happens)
LEFT JOIN (
    SELECT coalesce(c.lead_key, p.lead_id::text) AS lead_key, p.status, c.protection_expires_at
    FROM lead_protection.adopted_lead_status() AS p
    INNER JOIN lead_protection.lead_clocks AS c ON p.lead_id = c.lead_id
    UNION ALL
    SELECT q.row_key, 'in adoption_queue', NULL
    FROM lead_protection.adoption_queue AS q
    INNER JOIN lead_protection.adoptions AS a ON q.adoption_id = a.id
    WHERE a.kind = 'leads'
) AS p ON f.found = p.status
GROUP BY f.nth, f.found, f.what_happens
ORDER BY f.nth
$$;

COMMENT ON FUNCTION lead_protection.preview_switch_on() IS
'What switch_on_adoption() would do now, a row for each kind of lead of the adopted tables, with how many there are '
'and the keys of ten of them, the latest expiry first. What is recorded in silence: reminder overdue, and expired. '
'All of one kind, by reminder: v_user_lead_protection, state REMINDER_DUE. Changes nothing. Until it is switched on, '
'the pipeline sends nothing.';
