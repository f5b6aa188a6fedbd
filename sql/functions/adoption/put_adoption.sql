CREATE OR REPLACE FUNCTION lead_protection.put_adoption(
    kind text, source regclass, mapping jsonb, name text, actor_id bigint, leads_id bigint
)
RETURNS lead_protection.adoptions
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    numbers CONSTANT text [] := ARRAY['bigint', 'integer', 'smallint'];
    source_name CONSTANT text := put_adoption.source::text;
    key_column CONSTANT name := coalesce(
        put_adoption.mapping ->> 'id_column', put_adoption.mapping ->> 'key_column'
    )::name;
    key_type CONSTANT text := lead_protection.column_type(put_adoption.source, key_column);
    wanted_name CONSTANT text := coalesce(
        put_adoption.name, (SELECT c.relname FROM pg_class AS c WHERE c.oid = put_adoption.source)
        || CASE WHEN put_adoption.kind IN ('leads', 'activities') THEN '' ELSE ' ' || put_adoption.kind END
    );
    adoption lead_protection.adoptions;
BEGIN
    -- Renamed since it was disowned: it is the same table, and so are its leads.
    UPDATE lead_protection.adoptions AS a
    SET source = source_name
    WHERE
        a.source_oid = put_adoption.source AND a.kind = put_adoption.kind AND a.disowned_at IS NOT NULL
        AND a.source <> source_name
        AND NOT EXISTS (
            SELECT FROM lead_protection.adoptions AS o WHERE o.source = source_name AND o.kind = put_adoption.kind
        );
    IF EXISTS (
        SELECT FROM lead_protection.adoptions AS a
        WHERE
            a.name = wanted_name AND a.disowned_at IS NULL
            AND (a.source, a.kind) IS DISTINCT FROM (source_name, put_adoption.kind)
    ) THEN
        RAISE EXCEPTION 'the name % is in use', wanted_name
            USING ERRCODE = 'LP048',
            DETAIL = format('It is that of %s.', (
                SELECT a.source FROM lead_protection.adoptions AS a
                WHERE a.name = wanted_name AND a.disowned_at IS NULL
            )),
            HINT = format(
                'Give another one, as name; or disown that first: CALL lead_protection.disown_source(%L).', wanted_name
            );
    END IF;

    INSERT INTO lead_protection.adoptions AS a (
        kind, source, source_oid, name, mapping, key_column, key_type, user_type, keeps_numbers, leads_id, actor_id
    )
    VALUES (
        put_adoption.kind, source_name, put_adoption.source, wanted_name, put_adoption.mapping, key_column, key_type,
        CASE WHEN put_adoption.mapping ->> 'owner_source' IS NULL
            THEN lead_protection.column_type(put_adoption.source, put_adoption.mapping ->> 'user_column')
            ELSE lead_protection.column_type(
                (put_adoption.mapping ->> 'owner_source')::regclass, put_adoption.mapping ->> 'owner_user_column'
            )
        END,
        put_adoption.kind = 'leads' AND key_type = ANY(numbers) AND NOT EXISTS (
            SELECT FROM lead_protection.adoptions AS o
            WHERE o.keeps_numbers AND o.disowned_at IS NULL AND o.source <> source_name
        ),
        put_adoption.leads_id, put_adoption.actor_id
    )
    ON CONFLICT ON CONSTRAINT adoptions_source_once DO UPDATE
    -- Adopted again after it was disowned: all is looked at once more.
    SET
        source_oid = excluded.source_oid, name = excluded.name, mapping = excluded.mapping,
        key_column = excluded.key_column, key_type = excluded.key_type, user_type = excluded.user_type,
        leads_id = excluded.leads_id, actor_id = excluded.actor_id, adopted_at = clock_timestamp(),
        backfilled_through = NULL, backfill_until = NULL, backfilled_at = NULL, disowned_at = NULL
    WHERE a.disowned_at IS NOT NULL
    RETURNING a.* INTO adoption;
    IF adoption.id IS NULL THEN
        SELECT a.* INTO STRICT adoption
        FROM lead_protection.adoptions AS a
        WHERE a.source = source_name AND a.kind = put_adoption.kind;
        IF jsonb_strip_nulls(adoption.mapping) <> put_adoption.mapping OR adoption.name <> wanted_name THEN
            RAISE EXCEPTION '% is adopted already, in another way', source_name
                USING ERRCODE = 'LP048',
                DETAIL = format('As %s named %s, with %s.', adoption.kind, adoption.name, adoption.mapping),
                HINT = format(
                    'Give the same arguments to go on with it, or disown it first: '
                    'CALL lead_protection.disown_source(%L).', adoption.name
                );
        END IF;
    END IF;

    -- Numbers for names must not be those of users whom we know by their number.
    IF adoption.user_type <> ALL(numbers) AND NOT EXISTS (SELECT FROM lead_protection.adopted_users) THEN
        PERFORM setval(
            pg_get_serial_sequence('lead_protection.adopted_users', 'user_id'),
            1 + greatest(
                0, (SELECT max(l.user_id) FROM lead_protection.leads AS l),
                (SELECT max(h.user_id) FROM lead_protection.lead_history AS h)
            ),
            false
        );
    END IF;
    -- Numbers of leads of ours must not be those that the company will use next.
    IF adoption.keeps_numbers THEN
        PERFORM setval(
            pg_get_serial_sequence('lead_protection.leads', 'id'),
            greatest(
                lead_protection.first_number_of_ours(),
                nextval(pg_get_serial_sequence('lead_protection.leads', 'id'))
            ), false
        );
    END IF;
    RETURN adoption;
END;
$$;

COMMENT ON FUNCTION lead_protection.put_adoption(text, regclass, jsonb, text, bigint, bigint) IS
'Writes the row of an adoption, or finds it. Errors: LP048 adopted already in another way, or the name is in use. '
'Internal: record_adoption() calls it and has checked the rest.';
