CREATE OR REPLACE FUNCTION lead_protection.record_adoption(
    kind text, source regclass, mapping jsonb, name text, actor_id bigint, batch_size integer
)
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- By its whole name, which the caller's path has no say in.
    owners CONSTANT text := (record_adoption.mapping ->> 'owner_source')::oid::regclass::text;
    named CONSTANT jsonb := coalesce(
        jsonb_set(record_adoption.mapping, '{owner_source}', to_jsonb(owners), false), record_adoption.mapping
    );
    given CONSTANT jsonb := jsonb_strip_nulls(
        named
        - CASE WHEN owners IS NULL
            THEN '{owner_lead_column,owner_user_column}'::text [] ELSE '{user_column}' END
        - CASE record_adoption.mapping ->> 'start_is_assignment' WHEN 'false' THEN 'start_is_assignment' ELSE '' END
    );
    leads_of lead_protection.adoptions;
    adoption lead_protection.adoptions;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'source', record_adoption.source::text, 'actor_id', record_adoption.actor_id
        ) || (
            SELECT coalesce(jsonb_object_agg(m.key, m.value), '{}')
            FROM jsonb_each(record_adoption.mapping) AS m
            WHERE
                m.key IN ('id_column', 'key_column', 'lead_column', 'start_column', 'occurred_column', 'start_is_assignment')
                OR (m.key = 'kind' AND record_adoption.kind = 'activities')
                OR (m.key = 'user_column' AND record_adoption.kind <> 'holds')
        )
    );
    PERFORM lead_protection.require_job_arguments(NULL, record_adoption.batch_size);
    PERFORM lead_protection.require_adoptable_source(
        record_adoption.kind, record_adoption.source,
        CASE WHEN owners IS NULL
            THEN named - '{owner_lead_column,owner_user_column}'::text []
            ELSE named
        END
    );
    -- One at a time, so that whoever comes second is told by us.
    LOCK TABLE lead_protection.adoptions IN SHARE ROW EXCLUSIVE MODE;
    IF record_adoption.kind <> 'leads' THEN
        leads_of := lead_protection.adoption_named(record_adoption.mapping ->> 'leads', 'leads');
        IF leads_of.backfilled_at IS NULL THEN
            RAISE EXCEPTION 'the leads of % are not all taken over', leads_of.source
                USING ERRCODE = 'LP051',
                DETAIL = format('%s are about leads, and their leads must be here.', initcap(record_adoption.kind)),
                HINT = 'Adopt the leads first: CALL lead_protection.adopt_leads(…), with the same arguments if it was '
                'interrupted.';
        END IF;
    END IF;

    adoption := lead_protection.put_adoption(
        record_adoption.kind, record_adoption.source, given, record_adoption.name, record_adoption.actor_id,
        leads_of.id
    );
    IF owners IS NULL THEN
        RETURN ARRAY[adoption.id];
    END IF;
    RETURN ARRAY[
        adoption.id,
        (
            lead_protection.put_adoption(
                'owners', owners::regclass,
                jsonb_build_object(
                    'id_column', given ->> 'owner_lead_column', 'user_column', given ->> 'owner_user_column'
                ),
                adoption.name || ' owners', record_adoption.actor_id, adoption.id
            )
        ).id
    ];
END;
$$;

COMMENT ON FUNCTION lead_protection.record_adoption(text, regclass, jsonb, text, bigint, integer) IS
'Records that a table is adopted, and how its rows are read: mapping, the arguments of the call by their names. '
'Returns the adoption, and after it that of the owners of its leads if they are in a table of their own. Repeated '
'with the same arguments: the same, unchanged. Errors: as adopt_leads() and its like. Internal: they call it.';
