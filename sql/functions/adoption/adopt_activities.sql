-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.adopt_activities(
    source regclass,
    actor_id bigint,
    key_column name DEFAULT 'id',
    lead_column name DEFAULT 'lead_id',
    user_column name DEFAULT 'user_id',
    occurred_column name DEFAULT 'occurred_at',
    kind text DEFAULT 'kind',
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
        'activities', adopt_activities.source,
        pg_catalog.jsonb_build_object(
            'key_column', adopt_activities.key_column,
            'lead_column', adopt_activities.lead_column,
            'user_column', adopt_activities.user_column,
            'occurred_column', adopt_activities.occurred_column,
            'kind', adopt_activities.kind,
            'time_zone', adopt_activities.time_zone,
            'leads', adopt_activities.leads,
            'rows_when', adopt_activities.rows_when
        ),
        adopt_activities.name, adopt_activities.actor_id, adopt_activities.batch_size
    );
BEGIN
    COMMIT;
    CALL lead_protection.change_adoption_triggers(adoption_ids[1], true);
    CALL lead_protection.backfill_adoption(adoption_ids[1], adopt_activities.batch_size);
END;
$$;

COMMENT ON PROCEDURE lead_protection.adopt_activities(
    regclass, bigint, name, name, name, name, text, text, integer, text, text, text
) IS
'Adopts a table of the company''s own as activities of adopted leads, as adopt_leads() does for leads. What is there '
'already counts, without log row or event; from then on rows are recorded, corrected and deleted as by '
'record_lead_activity() and its like.
key_column: an integer, text or uuid, unique. lead_column: the lead''s key in its own table, the adoption that leads '
'names (default: the only one); rows without one are passed over. user_column: as in adopt_leads(). occurred_column: '
'when it took place: timestamptz, or timestamp or date as local time of time_zone. kind: SQL over the columns of a row '
'that gives a kind of activity_kinds, such as CASE type WHEN ''call'' THEN ''QUALIFIED_CALL'' END; null: it is no '
'activity, and passed over. rows_when: which rows count at all.
Commits, so it must be called outside a transaction block (2D000 otherwise). Repeated with the same arguments: goes on '
'where it stopped, or finds nothing to do.
Errors: those of adopt_leads(), and LP051 no table of leads is adopted.';
