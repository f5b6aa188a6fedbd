-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.adopt_leads(
    source regclass,
    actor_id bigint,
    id_column name DEFAULT 'id',
    user_column name DEFAULT 'user_id',
    start_column name DEFAULT 'created_at',
    time_zone text DEFAULT NULL,
    converted_when text DEFAULT NULL,
    lost_when text DEFAULT NULL,
    deleted_when text DEFAULT NULL,
    closed_at_column name DEFAULT NULL,
    batch_size integer DEFAULT 500,
    name text DEFAULT NULL,
    rows_when text DEFAULT NULL,
    nobody_when text DEFAULT NULL,
    start_is_assignment boolean DEFAULT false,
    policy text DEFAULT NULL,
    owner_source regclass DEFAULT NULL,
    owner_lead_column name DEFAULT 'lead_id',
    owner_user_column name DEFAULT 'user_id'
)
LANGUAGE plpgsql
AS $$
DECLARE
    adoption_ids CONSTANT bigint [] := lead_protection.record_adoption(
        'leads', adopt_leads.source,
        pg_catalog.jsonb_build_object(
            'id_column', adopt_leads.id_column,
            'user_column', adopt_leads.user_column,
            'start_column', adopt_leads.start_column,
            'time_zone', adopt_leads.time_zone,
            'converted_when', adopt_leads.converted_when,
            'lost_when', adopt_leads.lost_when,
            'deleted_when', adopt_leads.deleted_when,
            'closed_at_column', adopt_leads.closed_at_column,
            'rows_when', adopt_leads.rows_when,
            'nobody_when', adopt_leads.nobody_when,
            'start_is_assignment', adopt_leads.start_is_assignment,
            'policy', adopt_leads.policy,
            'owner_source', adopt_leads.owner_source::pg_catalog.oid,
            'owner_lead_column', adopt_leads.owner_lead_column,
            'owner_user_column', adopt_leads.owner_user_column
        ),
        adopt_leads.name, adopt_leads.actor_id, adopt_leads.batch_size
    );
BEGIN
    COMMIT;
    FOR nth IN 1..pg_catalog.cardinality(adoption_ids) LOOP
        CALL lead_protection.change_adoption_triggers(adoption_ids[nth], true);
    END LOOP;
    CALL lead_protection.backfill_adoption(adoption_ids[1], adopt_leads.batch_size);
END;
$$;

COMMENT ON PROCEDURE lead_protection.adopt_leads(
    regclass, bigint, name, name, name, text, text, text, text, name, integer, text, text, text, boolean, text,
    regclass, name, name
) IS
'Adopts a table of the company''s own as leads: makes triggers on it that note what is written, takes over the rows '
'that are there, in batches, and has them followed from then on. Reminders and expiries wait until '
'switch_on_adoption().
source: the table; actor_id: who answers for it, the actor in the log; name: of the adoption (default: the table''s). '
'id_column: the key, an integer, text or uuid, unique. Of the only adopted table with integers it is the lead''s '
'number here; leads of others get numbers, see lead_id_of(). user_column: an integer, or a text or uuid, for which '
'adopted_users has numbers; null or blank: nobody''s lead. owner_source: the table that has the users instead, in '
'owner_user_column, a row a lead, in owner_lead_column. nobody_when: when a user means nobody, such as owner_id = 0; '
'with owner_source over its columns. start_column: timestamptz, or timestamp or date as local time of time_zone; '
'start_is_assignment: true if it says since when the user has the lead; otherwise who gets a lead has it from the '
'moment on in which that was written. converted_when, lost_when, deleted_when: conditions in SQL over the columns of '
'a row, such as status = ''won''; none true: the lead is open. closed_at_column: when it was closed; without it, when '
'that was written. rows_when: which rows are leads; policy: SQL that gives the name of a policy; null, or without it: '
'by the user. batch_size: rows in a transaction.
What is written is followed within a minute, and at once by whoever calls a function for the lead.
Commits, so it must be called outside a transaction block (2D000 otherwise). Repeated with the same arguments: goes '
'on where it stopped, or finds nothing to do.
Errors: LP001 null argument, LP016 batch_size below 1, LP045 the table cannot be adopted as it is (see '
'check_source()), LP048 adopted already in another way, or under a name that is in use, LP050 locks of others, LP068 '
'the caller does not own the schema.';
