-- A function for each adopted table: only so does PostgreSQL keep the plans of its statements, and a single row is
-- noted in a fraction of the time.
CREATE OR REPLACE FUNCTION lead_protection.make_note_taker(adoption lead_protection.adoptions)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- Columns are quoted, the rest is a number.
-- @plpgsql_check_options: security_warnings = off
DECLARE
    function_name CONSTANT text := format('lead_protection.follow_adopted_source_%s', make_note_taker.adoption.id);
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s() RETURNS trigger'
        ' LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
        function_name,
        CASE WHEN make_note_taker.adoption.disowned_at IS NOT NULL THEN 'BEGIN RETURN NULL; END;'
            ELSE format(
                'BEGIN IF TG_OP = ''INSERT'' THEN %s; ELSIF TG_OP = ''UPDATE'' THEN %s; ELSIF TG_OP = ''DELETE'' THEN %s;'
                ' ELSE %s; END IF; RETURN NULL;'
                ' EXCEPTION WHEN OTHERS THEN BEGIN %4$s; EXCEPTION WHEN OTHERS THEN'
                ' RAISE WARNING ''lead_protection has no note of a write to %%: %%'', TG_RELID::regclass, SQLERRM; END;'
                ' RETURN NULL; END;',
                lead_protection.noting_sql(make_note_taker.adoption, 'INSERT'),
                lead_protection.noting_sql(make_note_taker.adoption, 'UPDATE'),
                lead_protection.noting_sql(make_note_taker.adoption, 'DELETE'),
                lead_protection.noting_sql(make_note_taker.adoption, 'TRUNCATE')
            )
        END
    );
    EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', function_name);
    EXECUTE format(
        'COMMENT ON FUNCTION %s() IS %L', function_name,
        format(
            'Trigger on the adopted table %s: notes in adoption_notes which rows a statement wrote, and never fails. '
            'Made by make_note_taker().', make_note_taker.adoption.source
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.make_note_taker(lead_protection.adoptions) IS
'Makes the trigger function of an adopted table, follow_adopted_source_<adoption>(); of one that was disowned it does '
'nothing. Internal.';
