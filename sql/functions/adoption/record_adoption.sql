CREATE OR REPLACE FUNCTION lead_protection.record_adoption(
    kind text,
    source regclass,
    mapping jsonb,
    row_expressions text[],
    on_failure text,
    actor_id bigint
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source_name CONSTANT text := record_adoption.source::text;
    key_of_source pg_attribute;
    adoption lead_protection.adoptions;
    other text;
BEGIN
    IF record_adoption.on_failure IS NULL OR record_adoption.on_failure NOT IN ('block', 'queue') THEN
        RAISE EXCEPTION 'on_failure must be block or queue'
            USING ERRCODE = 'LP052',
            DETAIL = format('Given: %s.', coalesce(record_adoption.on_failure, 'null')),
            HINT = 'block: a write of yours that cannot be followed fails. queue: it goes through, and the row waits '
            'in adoption_queue.';
    END IF;
    PERFORM lead_protection.require_adoptable_source(
        record_adoption.kind, record_adoption.source, record_adoption.mapping
    );
    -- One at a time, so that whoever comes second is told by us.
    LOCK TABLE lead_protection.adoptions IN SHARE ROW EXCLUSIVE MODE;

    SELECT a.source INTO other
    FROM lead_protection.adoptions AS a
    WHERE a.kind = 'leads' AND record_adoption.kind = 'leads' AND a.disowned_at IS NULL AND a.source <> source_name;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'another table of leads is adopted: %', other
            USING ERRCODE = 'LP048',
            DETAIL = 'The numbers of leads are those of the one adopted table.',
            HINT = format('Disown it first: CALL lead_protection.disown_source(%L).', other);
    END IF;
    IF record_adoption.kind = 'activities' AND NOT EXISTS (
        SELECT FROM lead_protection.adoptions AS a
        WHERE a.kind = 'leads' AND a.disowned_at IS NULL AND a.backfilled_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'no table of leads is adopted'
            USING ERRCODE = 'LP051',
            DETAIL = 'Activities are about leads, and their leads must be here.',
            HINT = 'Adopt the leads first: CALL lead_protection.adopt_leads(…).';
    END IF;

    -- Renamed since it was disowned: it is the same table, and so are its leads.
    UPDATE lead_protection.adoptions AS a
    SET source = source_name
    WHERE
        a.source_oid = record_adoption.source AND a.disowned_at IS NOT NULL AND a.source <> source_name
        AND NOT EXISTS (SELECT FROM lead_protection.adoptions AS o WHERE o.source = source_name);

    SELECT a.* INTO key_of_source
    FROM pg_attribute AS a
    WHERE
        a.attrelid = record_adoption.source
        AND a.attname = record_adoption.mapping ->> CASE record_adoption.kind
            WHEN 'leads' THEN 'id_column' ELSE 'key_column'
        END;
    INSERT INTO lead_protection.adoptions AS a (
        kind, source, source_oid, mapping, key_column, key_type, user_expression, row_expressions, fact_expressions,
        on_failure, actor_id
    )
    SELECT
        record_adoption.kind, source_name, record_adoption.source, record_adoption.mapping,
        quote_ident(key_of_source.attname), format_type(key_of_source.atttypid, NULL), u.key_expression,
        array_to_string(array_replace(record_adoption.row_expressions, '{user}', u.id_expression), ', '),
        array_to_string(
            array_replace(record_adoption.row_expressions, '{user}', coalesce(u.key_expression, u.id_expression)), ', '
        ),
        record_adoption.on_failure, record_adoption.actor_id
    FROM lead_protection.user_expressions(record_adoption.source, record_adoption.mapping ->> 'user_column') AS u
    ON CONFLICT ON CONSTRAINT adoptions_source_once DO UPDATE
    -- Adopted again after it was disowned: all is looked at once more.
    SET
        source_oid = excluded.source_oid, mapping = excluded.mapping,
        key_column = excluded.key_column, key_type = excluded.key_type,
        user_expression = excluded.user_expression, row_expressions = excluded.row_expressions,
        fact_expressions = excluded.fact_expressions,
        on_failure = excluded.on_failure, actor_id = excluded.actor_id, adopted_at = clock_timestamp(),
        backfilled_through = NULL, backfilled_at = NULL, disowned_at = NULL
    WHERE a.disowned_at IS NOT NULL AND a.kind = excluded.kind
    RETURNING a.* INTO adoption;
    IF adoption.id IS NULL THEN
        SELECT a.* INTO STRICT adoption FROM lead_protection.adoptions AS a WHERE a.source = source_name;
        IF
            (adoption.kind, adoption.mapping, adoption.on_failure)
            IS DISTINCT FROM (record_adoption.kind, record_adoption.mapping, record_adoption.on_failure)
        THEN
            RAISE EXCEPTION '% is adopted already, in another way', source_name
                USING ERRCODE = 'LP048',
                DETAIL = format('As %s, on_failure %s, with %s.', adoption.kind, adoption.on_failure, adoption.mapping),
                HINT = format(
                    'Give the same arguments to go on with it, or disown it first: '
                    'CALL lead_protection.disown_source(%L).',
                    source_name
                );
        END IF;
    END IF;
    -- Numbers for names must not be those of users whom we know by their number.
    IF adoption.user_expression IS NOT NULL AND NOT EXISTS (SELECT FROM lead_protection.adopted_users) THEN
        PERFORM setval(
            pg_get_serial_sequence('lead_protection.adopted_users', 'user_id'),
            1 + greatest(
                0, (SELECT max(l.user_id) FROM lead_protection.leads AS l),
                (SELECT max(h.user_id) FROM lead_protection.lead_history AS h)
            ),
            false
        );
    END IF;
    RETURN adoption.id;
END;
$$;

COMMENT ON FUNCTION lead_protection.record_adoption(text, regclass, jsonb, text[], text, bigint) IS
'Records that a table is adopted, and how its rows are read (row_expressions: SQL over a row s, {user} standing for '
'the user''s number). Repeated with the same arguments: the same adoption, unchanged. Errors: LP045 a problem that the '
'check found, LP048 adopted already in another way, or another table of leads is, LP051 activities without leads, '
'LP052 on_failure. Internal: adopt_leads() and adopt_activities() call it.';
