-- Whole rows are compared: a column that is added later is frozen, too, unless a trigger names it.
CREATE OR REPLACE FUNCTION lead_protection.freeze_columns_except()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_jsonb(old) - TG_ARGV IS NOT DISTINCT FROM to_jsonb(new) - TG_ARGV THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'a row of %.% cannot be changed', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'LP011',
        DETAIL = format(
            'Clocks count by it, and their dates must stay what they are. Only this may change: %s. The row: %s.',
            array_to_string(TG_ARGV, ', '), to_jsonb(old)
        ),
        HINT = CASE TG_TABLE_NAME
            WHEN 'protection_policies'
                THEN 'Make a new version with create_policy_version(). Running clocks move to it with '
                    'move_leads_to_policy().'
            ELSE 'Insert a row of another name, and record what comes as that.'
        END;
END;
$$;

COMMENT ON FUNCTION lead_protection.freeze_columns_except() IS
'Trigger: refuses to change a row, but for the columns that its arguments name (LP011). On policies: their terms, name '
'and version, and who made them when are frozen. On kinds of activity: their name and whether they qualify.';

CREATE OR REPLACE TRIGGER refuse_new_terms
BEFORE UPDATE ON lead_protection.protection_policies
FOR EACH ROW EXECUTE FUNCTION lead_protection.freeze_columns_except('is_default');
CREATE OR REPLACE TRIGGER refuse_new_meaning
BEFORE UPDATE ON lead_protection.activity_kinds
FOR EACH ROW EXECUTE FUNCTION lead_protection.freeze_columns_except('description');
