-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.adopt_holds(
    source regclass,
    actor_id bigint,
    key_column name DEFAULT 'id',
    lead_column name DEFAULT 'lead_id',
    start_column name DEFAULT 'start_at',
    end_column name DEFAULT 'end_at',
    user_column name DEFAULT NULL,
    reason text DEFAULT 'reason',
    time_zone text DEFAULT NULL,
    batch_size integer DEFAULT 500,
    name text DEFAULT NULL,
    leads text DEFAULT NULL,
    rows_when text DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
DECLARE
    adoption_ids CONSTANT bigint [] := lead_protection.record_adoption(
        'holds', adopt_holds.source,
        pg_catalog.jsonb_build_object(
            'key_column', adopt_holds.key_column,
            'lead_column', adopt_holds.lead_column,
            'start_column', adopt_holds.start_column,
            'end_column', adopt_holds.end_column,
            'user_column', adopt_holds.user_column,
            'reason', adopt_holds.reason,
            'time_zone', adopt_holds.time_zone,
            'leads', adopt_holds.leads,
            'rows_when', adopt_holds.rows_when
        ),
        adopt_holds.name, adopt_holds.actor_id, adopt_holds.batch_size
    );
BEGIN
    COMMIT;
    CALL lead_protection.change_adoption_triggers(adoption_ids[1], true);
    CALL lead_protection.backfill_adoption(adoption_ids[1], adopt_holds.batch_size);
END;
$$;

COMMENT ON PROCEDURE lead_protection.adopt_holds(
    regclass, bigint, name, name, name, name, name, text, text, integer, text, text, text
) IS
'Adopts a table of the company''s own as holds of adopted leads, as adopt_activities() does for activities: a table '
'of stops, or a pair of columns in the table of leads, where key_column and lead_column are its key. What is there '
'already counts, without log row or event; from then on holds are made, ended, corrected and, when the row is gone, '
'declared void.
start_column, end_column: timestamptz, or timestamp or date as local time of time_zone; no start: no hold, and one '
'that there was has ended; no end, or end_column null: open. user_column: for whom it was made; null: for whoever has '
'the lead when it is followed. reason: SQL over the columns of a row, a code of hold_reasons or words; null or blank: '
'the table''s name. leads: the adoption of the leads (default: the only one). rows_when: which rows count at all.
Commits, so it must be called outside a transaction block (2D000 otherwise). Repeated with the same arguments: goes '
'on where it stopped, or finds nothing to do.
Errors: those of adopt_activities().';
