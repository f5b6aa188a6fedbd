-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
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
    on_failure text DEFAULT 'block',
    batch_size integer DEFAULT 500
)
LANGUAGE plpgsql
AS $$
DECLARE
    mapping CONSTANT jsonb := pg_catalog.jsonb_build_object(
        'id_column', adopt_leads.id_column,
        'user_column', adopt_leads.user_column,
        'start_column', adopt_leads.start_column,
        'time_zone', adopt_leads.time_zone,
        'converted_when', adopt_leads.converted_when,
        'lost_when', adopt_leads.lost_when,
        'deleted_when', adopt_leads.deleted_when,
        'closed_at_column', adopt_leads.closed_at_column
    );
    row_expressions CONSTANT text [] := ARRAY[
        pg_catalog.format('s.%s::bigint', pg_catalog.quote_ident(adopt_leads.id_column)),
        '{user}',
        lead_protection.instant_expression(adopt_leads.source, adopt_leads.start_column, adopt_leads.time_zone),
        coalesce(
            lead_protection.instant_expression(
                adopt_leads.source, adopt_leads.closed_at_column, adopt_leads.time_zone
            ),
            'NULL::timestamptz'
        ),
        pg_catalog.format(
            'CASE WHEN (%s) THEN ''DELETED'' WHEN (%s) THEN ''CONVERTED'' WHEN (%s) THEN ''LOST'' END',
            coalesce(adopt_leads.deleted_when, 'false'),
            coalesce(adopt_leads.converted_when, 'false'),
            coalesce(adopt_leads.lost_when, 'false')
        )
    ];
    adoption_id bigint;
BEGIN
    PERFORM lead_protection.require_arguments(
        pg_catalog.jsonb_build_object(
            'source', adopt_leads.source::text, 'actor_id', adopt_leads.actor_id, 'id_column', adopt_leads.id_column,
            'user_column', adopt_leads.user_column, 'start_column', adopt_leads.start_column
        )
    );
    PERFORM lead_protection.require_job_arguments(NULL, adopt_leads.batch_size);
    adoption_id := lead_protection.record_adoption(
        'leads', adopt_leads.source, mapping, row_expressions, adopt_leads.on_failure, adopt_leads.actor_id
    );
    COMMIT;
    CALL lead_protection.change_adoption_triggers(adoption_id, true);
    CALL lead_protection.backfill_adoption(adoption_id, adopt_leads.batch_size);
END;
$$;

COMMENT ON PROCEDURE lead_protection.adopt_leads(
    regclass, bigint, name, name, name, text, text, text, text, name, text, integer
) IS
'Adopts a table of the company''s own as leads: makes triggers on it that keep ours in step from then on, in the '
'company''s transactions, then takes over the rows that are there, in batches. Reminders and expiries wait until '
'switch_on_adoption().
source: the table; actor_id: who answers for it, the actor in the log. id_column: an integer, unique; it is the '
'lead''s number here. user_column: an integer, or a text or uuid, for which adopted_users has numbers. start_column: '
'timestamptz, or timestamp or date as local time of time_zone. converted_when, lost_when, deleted_when: conditions in '
'SQL over the columns of a row, such as status = ''won''; none true: the lead is open. closed_at_column: when a lead '
'that is closed already was closed; without it: as it is taken over. on_failure: what becomes of a write of the '
'company''s that cannot be followed: block (it fails, with our error) or queue (it goes through, and the row waits in '
'adoption_queue). batch_size: rows in a transaction.
Followed from then on: INSERT, COPY, MERGE, ON CONFLICT; another user: transfer_lead(); another start: '
'backdate_lead(), or a change of the row if it is later; closed, opened again, deleted (a row that is gone is a '
'deleted lead). TRUNCATE is refused (LP047).
Commits, so it must be called outside a transaction block (2D000 otherwise). Repeated with the same arguments: goes on '
'where it stopped, or finds nothing to do.
Errors: LP001 null argument, LP016 batch_size below 1, LP045 the table cannot be adopted as it is (see '
'check_source()), LP048 adopted already in another way, or another table of leads is, LP050 locks of others, LP052 '
'on_failure.';
