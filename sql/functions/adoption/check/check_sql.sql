-- Parsed, and neither planned nor run: planning would run functions that are called immutable. A text without a
-- semicolon is no second statement, and one that is an expression both by itself and in parentheses is nothing else.
CREATE OR REPLACE FUNCTION lead_protection.check_sql(
    source regclass, expression text, wanted text, owners regclass DEFAULT NULL
)
RETURNS TABLE (severity text, finding text, advice text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
-- The SQL that it parses is the caller's own.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off
DECLARE
    form text;
    error_message text;
    row_of CONSTANT text := format('(SELECT t.* FROM %s AS t) AS s', check_sql.source)
    || CASE WHEN check_sql.owners IS NULL THEN ''
        ELSE format(', (SELECT t.* FROM %s AS t) AS o', check_sql.owners)
    END;
BEGIN
    BEGIN
        IF position(';' IN check_sql.expression) > 0 THEN
            RAISE EXCEPTION 'there is a semicolon in it' USING ERRCODE = '42601',
                DETAIL = 'It could be more than one statement.', HINT = 'In a text, write chr(59).';
        END IF;
        -- As a condition on one row of the table: no aggregates, no sets, no system columns, no subqueries.
        FOREACH form IN ARRAY ARRAY[E'(%1$s\n)', E'%1$s\n'] LOOP
            EXECUTE format(
                'PREPARE lead_protection_check AS SELECT %s FROM %s', format(form, check_sql.expression), row_of
            );
            DEALLOCATE lead_protection_check;
        END LOOP;
        EXECUTE format(
            E'PREPARE lead_protection_check AS SELECT FROM %2$s WHERE CASE WHEN '
            || CASE check_sql.wanted WHEN 'boolean' THEN E'(%1$s\n)' ELSE E'(%1$s\n)::text = ''''' END
            || ' THEN true END',
            check_sql.expression, row_of
        );
        DEALLOCATE lead_protection_check;
        severity := 'ok';
        finding := check_sql.expression;
        IF check_sql.expression ~ '[[:alnum:]_"]\s*\.\s*"?[[:alpha:]_][[:alnum:]_$]*"?\s*\(|[Oo][Pp][Ee][Rr][Aa][Tt][Oo][Rr]\s*\('
        THEN
            severity := 'warning';
            finding := format('%s: calls code that is not PostgreSQL''s own', check_sql.expression);
            advice := 'It is run with the rights of the owner of our schema. Whoever may change that code may do '
                'what that role may do: let an ordinary role own the schema, and give the code to nobody else.';
        END IF;
    EXCEPTION
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS error_message = MESSAGE_TEXT;
            severity := 'problem';
            finding := format('%s: %s', check_sql.expression, error_message);
            advice := format(
                'It must be one expression of SQL of type %s over the columns of the table; functions and operators '
                'that are not PostgreSQL''s own with their schema.', check_sql.wanted
            );
    END;
    RETURN NEXT;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_sql(regclass, text, text, regclass) IS
'Whether a text is one expression of type wanted (boolean or text) over one row of source, and of owners beside it. '
'Parses it and does not run it. One row of severity, finding and advice, as check_source() gives them. Needs nothing '
'else of this schema. Internal.';
