-- refuse_change() keeps the rows that are there; this keeps what a version is. created_at is the start of the
-- transaction that made it, to the microsecond: another transaction has another one.
CREATE OR REPLACE FUNCTION lead_protection.refuse_late_warnings()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    late text;
BEGIN
    SELECT string_agg(DISTINCT format('%s version %s', p.name, p.version), ', ') INTO late
    FROM added AS a
    INNER JOIN lead_protection.protection_policies AS p ON a.policy_id = p.id
    WHERE p.created_at <> transaction_timestamp();
    IF late IS NOT NULL THEN
        RAISE EXCEPTION 'a policy version gets no warnings after it was made'
            USING ERRCODE = 'LP012',
            DETAIL = format('They are terms, and those of a version never change: %s.', late),
            HINT = 'Make a new version with create_policy_version().';
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.refuse_late_warnings() IS
'Trigger: refuses warnings of a policy version that another transaction made (LP012).';

CREATE OR REPLACE TRIGGER refuse_late_warnings
AFTER INSERT ON lead_protection.policy_warnings
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_late_warnings();
