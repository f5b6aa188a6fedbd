CREATE OR REPLACE FUNCTION lead_protection.import_holds(
    source regclass,
    actor_id bigint,
    lead_column name DEFAULT 'lead_id',
    start_column name DEFAULT 'start_at',
    end_column name DEFAULT 'end_at',
    user_column name DEFAULT NULL,
    reason text DEFAULT 'reason',
    time_zone text DEFAULT NULL,
    leads text DEFAULT NULL
)
RETURNS TABLE (
    lead_key text, lead_id bigint, user_id bigint, start_at timestamptz, end_at timestamptz, outcome text, why text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reader lead_protection.adoptions;
    rows_now lead_protection.adopted_row [];
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'source', import_holds.source::text, 'actor_id', import_holds.actor_id,
            'lead_column', import_holds.lead_column, 'start_column', import_holds.start_column
        )
    );
    reader.kind := 'imported holds';
    reader.source := import_holds.source::text;
    reader.user_type := lead_protection.column_type(import_holds.source, import_holds.user_column);
    reader.mapping := jsonb_build_object(
        'key_column', NULL,
        'lead_column', import_holds.lead_column, 'start_column', import_holds.start_column,
        'end_column', import_holds.end_column, 'user_column', import_holds.user_column, 'reason', import_holds.reason,
        'time_zone', import_holds.time_zone, 'leads', import_holds.leads
    );
    PERFORM lead_protection.require_adoptable_source('holds', import_holds.source, reader.mapping);
    rows_now := ARRAY(SELECT r FROM lead_protection.read_adopted_rows(reader) AS r);
    PERFORM lead_protection.number_adopted_users(
        reader.user_type, ARRAY(SELECT DISTINCT r.user_key FROM unnest(rows_now) AS r)
    );
    PERFORM lead_protection.lock_leads(
        ARRAY(
            SELECT l.lead_id FROM lead_protection.leads_of_import(
                import_holds.leads, ARRAY(SELECT r.lead_key FROM unnest(rows_now) AS r)
            ) AS l
        )
    );

    RETURN QUERY
    WITH given AS (
        SELECT
            g.lead_id,
            coalesce(g.user_id, l.user_id) AS user_id,
            g.start_at,
            g.end_at,
            coalesce(left(nullif(btrim(g.reason), ''), 255), format('from %s', import_holds.source)) AS reason,
            g.nth,
            g.lead_key,
            -- What it was in the table: it is known again by this, whatever becomes of the hold.
            concat_ws(
                '|', import_holds.source, lead_protection.instant_text(g.start_at),
                coalesce(lead_protection.instant_text(g.end_at), 'open'), g.user_id
            ) AS imported_as,
            CASE
                WHEN l.id IS NULL THEN 'there is no such lead'
                WHEN g.start_at IS NULL THEN 'it has no start'
                WHEN g.user_id IS NULL AND EXISTS (
                    SELECT
                    FROM lead_protection.lead_history AS h
                    WHERE h.lead_id = l.id AND h.user_id <> l.user_id AND h.valid_until > g.start_at
                ) THEN 'the lead was another user''s then, and nothing says for whom it was made'
                WHEN g.end_at < g.start_at THEN 'it ends before it starts'
                WHEN NOT g.start_at >= '1900-01-01 00:00:00+00' OR NOT g.start_at < '3000-01-01 00:00:00+00'
                    OR NOT g.end_at < '3000-01-01 00:00:00+00'
                    THEN 'an instant lies outside the years 1900 to 2999'
            END AS obstacle
        FROM (
            SELECT
                k.lead_id, lead_protection.adopted_user_id(reader.user_type, r.user_key) AS user_id,
                r.started_at AS start_at, r.ended_at AS end_at, r.label AS reason, r.lead_key, r.ordinality AS nth
            FROM unnest(rows_now) WITH ORDINALITY AS r
            LEFT JOIN lead_protection.leads_of_import(
                import_holds.leads, ARRAY(SELECT o.lead_key FROM unnest(rows_now) AS o)
            ) AS k ON r.lead_key = k.lead_key
        ) AS g
        LEFT JOIN lead_protection.leads AS l ON g.lead_id = l.id
    ),

    -- An open hold stands for every open hold of its lead and user: the one that began first.
    ranked AS (
        SELECT
            g.*,
            row_number() OVER (
                PARTITION BY
                    g.lead_id, g.user_id, g.end_at, g.obstacle IS NULL,
                    CASE WHEN g.end_at IS NOT NULL THEN g.start_at END
                ORDER BY g.start_at, g.nth
            ) > 1
            OR EXISTS (
                SELECT FROM lead_protection.lead_holds AS h
                WHERE h.lead_id = g.lead_id AND h.user_id = g.user_id AND h.voided_at IS NULL
                    AND h.end_at IS NOT DISTINCT FROM g.end_at
                    AND (g.end_at IS NULL OR h.start_at = g.start_at)
            )
            OR EXISTS (
                SELECT FROM lead_protection.lead_holds AS h
                WHERE h.lead_id = g.lead_id AND h.imported_as = g.imported_as
            ) AS is_duplicate
        FROM given AS g
    ),

    judged AS (
        SELECT
            r.*,
            CASE WHEN r.obstacle IS NOT NULL THEN 'refused' WHEN r.is_duplicate THEN 'duplicate' ELSE 'imported' END
                AS outcome
        FROM ranked AS r
    ),

    hold AS (
        INSERT INTO lead_protection.lead_holds (
            lead_id, user_id, reason, reason_code, start_at, end_at, created_by, released_by, imported_as
        )
        SELECT
            j.lead_id, j.user_id, j.reason, coalesce(c.code, 'OTHER'), j.start_at, j.end_at, import_holds.actor_id,
            CASE WHEN j.end_at <= now() THEN import_holds.actor_id END, j.imported_as
        FROM judged AS j
        CROSS JOIN LATERAL lead_protection.catalogued_reason(j.reason) AS c
        WHERE j.outcome = 'imported'
    )

    SELECT
        j.lead_key, j.lead_id, j.user_id, j.start_at, j.end_at, j.outcome,
        CASE j.outcome
            WHEN 'refused' THEN j.obstacle
            WHEN 'duplicate' THEN CASE WHEN j.end_at IS NULL
                THEN 'the lead has an open hold already; one is enough to stop its clock'
                ELSE 'the same hold is there already'
            END
            ELSE nullif(concat_ws('; ',
                CASE WHEN
                    EXISTS (
                        SELECT FROM judged AS o
                        WHERE o.lead_id = j.lead_id AND o.user_id = j.user_id AND o.nth <> j.nth
                            AND o.outcome = 'imported'
                            AND tstzrange(o.start_at, o.end_at) && tstzrange(j.start_at, j.end_at)
                    )
                    OR EXISTS (
                        SELECT FROM lead_protection.lead_holds AS h
                        WHERE h.lead_id = j.lead_id AND h.user_id = j.user_id AND h.voided_at IS NULL
                            AND tstzrange(h.start_at, h.end_at) && tstzrange(j.start_at, j.end_at)
                    )
                    THEN 'it overlaps another one: together they stop the clock once'
                END,
                CASE WHEN j.user_id <> (SELECT l.user_id FROM lead_protection.leads AS l WHERE l.id = j.lead_id)
                    THEN 'it is of another user than the lead is now: it stops nothing'
                END
            ), '')
        END
    FROM judged AS j
    ORDER BY j.lead_id, j.start_at, j.nth;
    PERFORM lead_protection.let_reader_read(import_holds.source, false);
END;
$$;

COMMENT ON FUNCTION lead_protection.import_holds(
    regclass, bigint, name, name, name, name, text, text, text
) IS
'Imports the holds of a table or a view of the company''s own, once: later changes are not followed, as they are by '
'adopt_holds(). Written without log rows and events. lead_column: the lead''s key in its table, the adoption that '
'leads names (default: the only one; without any: the lead''s number); start_column, end_column: timestamptz, or '
'timestamp or date as local time of time_zone; no end, or a null end_column: the hold is open; user_column: for whom '
'it was made (an integer, or a text or uuid as in adopted_users), null: the lead''s present user; reason: SQL over '
'the columns of a row, a code of hold_reasons or words, null or blank: the table''s name; actor_id: who answers for '
'it.
Returns a row for each row of the table: outcome imported (why: overlaps another, or is of another user), duplicate '
'(nothing was written) or refused, and why. Repeated: all are duplicates or refused as before, and nothing changes, '
'whatever became of the holds. One transaction: the leads are locked to its end. Import before switch_on_adoption(): '
'afterwards an expiry that was recorded may come out as reactivated.
Errors: LP001 null argument, LP045 the table cannot be taken as it is (see check_source()).';
