CREATE OR REPLACE FUNCTION lead_protection.check_rights(source regclass, reader oid, is_followed boolean)
RETURNS TABLE (severity text, finding text, advice text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation pg_class;
BEGIN
    SELECT c.* INTO STRICT relation FROM pg_class AS c WHERE c.oid = check_rights.source;
    IF NOT has_schema_privilege(check_rights.reader, relation.relnamespace, 'USAGE') THEN
        RETURN QUERY SELECT
            'problem', format('no USAGE on schema %s', relation.relnamespace::regnamespace),
            format('GRANT USAGE ON SCHEMA %s TO %s', relation.relnamespace::regnamespace, check_rights.reader::regrole);
    END IF;
    IF NOT has_table_privilege(check_rights.reader, relation.oid, 'SELECT') THEN
        RETURN QUERY SELECT
            'problem', 'no SELECT on the table',
            format('GRANT SELECT ON %s TO %s', check_rights.source, check_rights.reader::regrole);
    END IF;
    IF
        check_rights.is_followed AND relation.relkind IN ('r', 'p')
        AND NOT has_table_privilege(check_rights.reader, relation.oid, 'TRIGGER')
    THEN
        RETURN QUERY SELECT
            'problem', 'no TRIGGER on the table',
            format(
                'GRANT TRIGGER ON %s TO %s; it can be taken back once the table is adopted', check_rights.source,
                check_rights.reader::regrole
            );
    END IF;
    IF lead_protection.hides_rows(relation.oid, check_rights.reader) THEN
        RETURN QUERY SELECT
            'problem', 'row level security may hide rows from it',
            format(
                'Give it a policy that shows all rows: CREATE POLICY lead_protection_reads ON %s FOR SELECT TO %s '
                'USING (true)',
                check_rights.source, check_rights.reader::regrole
            );
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_rights(regclass, oid, boolean) IS
'What rights the role that is to read a table lacks; is_followed: triggers are to be made on it. Rows of severity, '
'finding and advice, as check_source() gives them; none: it has all. Needs hides_rows() only. Internal.';
