CREATE OR REPLACE FUNCTION lead_protection.import_reminders(
    source regclass,
    lead_column name DEFAULT 'lead_id',
    sent_column name DEFAULT 'sent_at',
    user_column name DEFAULT NULL,
    time_zone text DEFAULT NULL,
    leads text DEFAULT NULL
)
RETURNS TABLE (
    lead_key text, lead_id bigint, user_id bigint, sent_at timestamptz, window_date date, outcome text, why text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reader lead_protection.adoptions;
    rows_now lead_protection.adopted_row [];
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'source', import_reminders.source::text, 'lead_column', import_reminders.lead_column,
            'sent_column', import_reminders.sent_column
        )
    );
    reader.kind := 'imported reminders';
    reader.source := import_reminders.source::text;
    reader.user_type := lead_protection.column_type(import_reminders.source, import_reminders.user_column);
    reader.mapping := jsonb_build_object(
        'lead_column', import_reminders.lead_column, 'sent_column', import_reminders.sent_column,
        'user_column', import_reminders.user_column, 'time_zone', import_reminders.time_zone,
        'leads', import_reminders.leads
    );
    PERFORM lead_protection.require_adoptable_source('reminders', import_reminders.source, reader.mapping);
    rows_now := ARRAY(SELECT r FROM lead_protection.read_adopted_rows(reader) AS r);
    PERFORM lead_protection.number_adopted_users(
        reader.user_type, ARRAY(SELECT DISTINCT r.user_key FROM unnest(rows_now) AS r)
    );
    PERFORM lead_protection.lock_leads(
        ARRAY(
            SELECT l.lead_id FROM lead_protection.leads_of_import(
                import_reminders.leads, ARRAY(SELECT r.lead_key FROM unnest(rows_now) AS r)
            ) AS l
        )
    );

    RETURN QUERY
    WITH given AS (
        SELECT
            g.lead_id,
            coalesce(g.user_id, c.user_id) AS user_id,
            g.sent_at,
            g.nth,
            g.lead_key,
            -- The one that the present window waits for; or one of before, for the window that it announced.
            c.user_id = coalesce(g.user_id, c.user_id)
            AND g.sent_at >= c.reminder_due_at AND g.sent_at < c.protection_expires_at AS is_present,
            c.window_date,
            c.reminder_due_at,
            c.protection_expires_at,
            lead_protection.calendar_expiry(g.sent_at, p.time_zone, 0, p.grace_days) AS announced_expiry,
            p.time_zone,
            CASE
                WHEN c.lead_id IS NULL THEN 'there is no such lead'
                WHEN g.sent_at IS NULL THEN 'it says not when it was sent'
                WHEN NOT g.sent_at >= '1900-01-01 00:00:00+00' OR g.sent_at > now() THEN 'it was not sent in the past'
                WHEN g.user_id IS NULL AND EXISTS (
                    SELECT
                    FROM lead_protection.lead_history AS h
                    WHERE h.lead_id = c.lead_id AND h.user_id <> c.user_id AND h.valid_until > g.sent_at
                ) THEN 'the lead was another user''s then, and nothing says to whom it was sent'
            END AS obstacle
        FROM (
            SELECT
                k.lead_id, lead_protection.adopted_user_id(reader.user_type, r.user_key) AS user_id,
                r.started_at AS sent_at, r.lead_key, r.ordinality AS nth
            FROM unnest(rows_now) WITH ORDINALITY AS r
            LEFT JOIN lead_protection.leads_of_import(
                import_reminders.leads, ARRAY(SELECT o.lead_key FROM unnest(rows_now) AS o)
            ) AS k ON r.lead_key = k.lead_key
        ) AS g
        LEFT JOIN lead_protection.lead_clocks AS c ON g.lead_id = c.lead_id
        LEFT JOIN lead_protection.protection_policies AS p ON c.policy_id = p.id
    ),

    windowed AS (
        SELECT
            g.*,
            CASE WHEN g.is_present THEN g.window_date ELSE (g.announced_expiry AT TIME ZONE g.time_zone)::date END
                AS announced_date
        FROM given AS g
    ),

    ranked AS (
        SELECT
            w.*,
            row_number() OVER (
                PARTITION BY w.lead_id, w.user_id, w.announced_date, w.obstacle IS NULL ORDER BY w.sent_at, w.nth
            ) AS nth_of_window
        FROM windowed AS w
    ),

    reminder AS (
        INSERT INTO lead_protection.lead_reminders AS r (
            lead_id, user_id, window_date, protection_expires_at, due_at, fell_due_at, sent_at, adopted,
            reactivated_at
        )
        SELECT
            k.lead_id, k.user_id, k.announced_date,
            CASE WHEN k.is_present THEN k.protection_expires_at ELSE k.announced_expiry END,
            CASE WHEN k.is_present THEN k.reminder_due_at ELSE k.sent_at END,
            k.sent_at, k.sent_at, true,
            -- That the end which it announced did not come is of the past, too, and no news for the pipeline.
            CASE WHEN NOT k.is_present THEN k.sent_at END
        FROM ranked AS k
        WHERE k.obstacle IS NULL AND k.nth_of_window = 1
        ON CONFLICT DO NOTHING
        RETURNING r.lead_id, r.user_id, r.window_date
    )

    SELECT
        k.lead_key, k.lead_id, k.user_id, k.sent_at, CASE WHEN k.obstacle IS NULL THEN k.announced_date END,
        CASE
            WHEN k.obstacle IS NOT NULL THEN 'refused'
            WHEN i.lead_id IS NOT NULL AND k.nth_of_window = 1 THEN 'imported'
            ELSE 'duplicate'
        END,
        CASE
            WHEN k.obstacle IS NOT NULL THEN k.obstacle
            WHEN i.lead_id IS NULL OR k.nth_of_window > 1 THEN 'a reminder for that date is there already'
            WHEN NOT k.is_present
                THEN 'it is for an earlier date than the present expiry, or another user, and does not count for it'
        END
    FROM ranked AS k
    LEFT JOIN reminder AS i
        ON k.lead_id = i.lead_id AND k.user_id = i.user_id AND k.announced_date = i.window_date
        AND k.obstacle IS NULL
    ORDER BY k.lead_id, k.sent_at, k.nth;
    PERFORM lead_protection.let_reader_read(import_reminders.source, false);
END;
$$;

COMMENT ON FUNCTION lead_protection.import_reminders(regclass, name, name, name, text, text) IS
'Imports reminders that were sent before the leads came here, from a table or a view of the company''s own, once. '
'Nothing is sent, no log row or event is written; the ledger''s rows are marked as adopted. lead_column: as for '
'import_holds(), and leads; sent_column: when it was sent: timestamptz, or timestamp or date as local time of '
'time_zone; user_column: to whom (an integer, or a text or uuid as in adopted_users), null: the lead''s present user.
One that was sent when the present reminder was due, or later, is that reminder: no other is sent for that expiry '
'date. Others are kept for the date that they announced: the grace days of the policy after they were sent.
Returns a row for each row of the table: outcome imported, duplicate or refused, and why. Repeated: all are '
'duplicates or refused, and nothing changes. One transaction: the leads are locked to its end. Import holds first, '
'and all before switch_on_adoption().
Errors: LP001 null argument, LP045 the table cannot be taken as it is (see check_source()).';
