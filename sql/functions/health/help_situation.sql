CREATE OR REPLACE FUNCTION lead_protection.help_situation(template text, health jsonb)
RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    filled text := help_situation.template;
    row_of_check jsonb;
BEGIN
    FOR row_of_check IN SELECT c.check_row FROM jsonb_array_elements(help_situation.health) AS c (check_row) LOOP
        filled := replace(
            filled, format('{%s}', row_of_check ->> 'check_name'),
            coalesce(row_of_check ->> 'amount', row_of_check ->> 'found')
        );
    END LOOP;
    RETURN filled;
END;
$$;

COMMENT ON FUNCTION lead_protection.help_situation(text, jsonb) IS
'A text of help_operations with the names of checks in braces replaced by what health counts now, or, where it counts '
'nothing, by what it found. health: its rows as an array of objects. Internal.';
