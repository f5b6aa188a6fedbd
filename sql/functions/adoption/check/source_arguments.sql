-- What each call asks of a table, in the order of the findings. The names by which a column is guessed are those that
-- programs give it, the surest first.
CREATE OR REPLACE FUNCTION lead_protection.source_arguments(kind text)
RETURNS TABLE (nth bigint, name text, type text, default_value text, nulls text, guesses text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT
    row_number() OVER (), a.name, a.type, a.default_value, a.nulls, string_to_array(a.guesses, ' ')
FROM (
    VALUES
    -- kind, name, what it is (a column of that type, a time zone, or SQL of that type), its default, and how bad it is
    -- that the column may be null
    ('leads', 'id_column', 'key', 'id', 'problem', 'id lead_id leadid uuid name'),
    (
        'leads', 'user_column', 'user', 'user_id', 'ok',
        'owner_user_id owner_id ownerId assigned_user_id assigned_to_id assigned_to lead_owner smownerid user_id '
        'owner sales_rep_id sales_rep salesperson_id agent_id employee_id'
    ),
    (
        'leads', 'start_column', 'instant', 'created_at', 'warning',
        'protection_start_at created_at createdAt date_entered create_date create_time creation createdtime '
        'created_time date_created created_on created registered_at opened_at opened'
    ),
    ('leads', 'start_is_assignment', 'flag', 'false', NULL, NULL),
    ('leads', 'closed_at_column', 'instant', NULL, NULL, 'closed_at closedAt date_closed converted_at closed_on'),
    ('leads', 'time_zone', 'time zone', NULL, NULL, NULL),
    (
        'leads', 'converted_when', 'boolean', NULL, NULL,
        'converted is_converted transform_status won is_won won_at convertedAt'
    ),
    ('leads', 'lost_when', 'boolean', NULL, NULL, 'lost is_lost lost_at'),
    (
        'leads', 'deleted_when', 'boolean', NULL, NULL,
        'deleted is_deleted gdpr_deleted deleted_at deletedAt trashed is_trashed'
    ),
    ('leads', 'rows_when', 'boolean', NULL, NULL, NULL),
    ('leads', 'nobody_when', 'boolean', NULL, NULL, NULL),
    ('leads', 'policy', 'text', NULL, NULL, NULL),
    ('leads', 'owner_source', 'owners', NULL, NULL, NULL),
    ('leads', 'owner_lead_column', 'owner key', 'lead_id', NULL, 'lead_id crmid leadid opportunity_id'),
    (
        'leads', 'owner_user_column', 'owner user', 'user_id', NULL,
        'owner_user_id owner_id user_id smownerid profile_id assigned_user_id'
    ),
    ('activities', 'key_column', 'key', 'id', 'problem', 'id name uuid'),
    (
        'activities', 'lead_column', 'lead', 'lead_id', NULL,
        'lead_id leadId opportunity_id opportunityId parent_id entity_id reference_name related_to biz_id'
    ),
    (
        'activities', 'user_column', 'user', 'user_id', 'warning',
        'user_id assigned_user_id owner_id ownerId user sales_rep created_by'
    ),
    (
        'activities', 'occurred_column', 'instant', 'occurred_at', 'warning',
        'occurred_at activity_date date_start start_at start communication_date called_at created_at createdAt '
        'date_entered create_time creation'
    ),
    ('activities', 'time_zone', 'time zone', NULL, NULL, NULL),
    ('activities', 'kind', 'text', 'kind', NULL, 'kind activity_type type'),
    ('activities', 'rows_when', 'boolean', NULL, NULL, NULL),
    ('activities', 'leads', 'name', NULL, NULL, NULL),
    ('holds', 'key_column', 'key', 'id', 'problem', 'id name uuid'),
    ('holds', 'lead_column', 'lead', 'lead_id', NULL, 'lead_id leadId opportunity_id entity_id parent_id id'),
    (
        'holds', 'start_column', 'instant', 'start_at', 'ok',
        'start_at started_at clock_stopped_at stopped_at paused_at paused_on start_date'
    ),
    ('holds', 'end_column', 'instant', 'end_at', NULL, 'end_at ended_at resumed_at resumed_on end_date'),
    ('holds', 'user_column', 'user', NULL, NULL, NULL),
    ('holds', 'time_zone', 'time zone', NULL, NULL, NULL),
    ('holds', 'reason', 'text', 'reason', NULL, 'reason stop_reason why'),
    ('holds', 'rows_when', 'boolean', NULL, NULL, NULL),
    ('holds', 'leads', 'name', NULL, NULL, NULL),
    ('reminders', 'lead_column', 'lead', 'lead_id', 'warning', 'lead_id leadId opportunity_id id'),
    (
        'reminders', 'sent_column', 'instant', 'sent_at', 'warning',
        'sent_at reminder_sent_at reminded_at mailed_at'
    ),
    ('reminders', 'user_column', 'user', NULL, NULL, NULL),
    ('reminders', 'time_zone', 'time zone', NULL, NULL, NULL),
    ('reminders', 'leads', 'name', NULL, NULL, NULL)
) AS a (kind, name, type, default_value, nulls, guesses)
WHERE a.kind = source_arguments.kind
$$;

COMMENT ON FUNCTION lead_protection.source_arguments(text) IS
'The arguments of adopt_leads() and its like that say how a row is read: what each is, its default, how bad it is that '
'the column may be null, and the names by which it is guessed. kind: as for check_source(). Needs nothing else of this '
'schema. Internal.';
