CREATE OR REPLACE FUNCTION lead_protection.refuse_new_meaning()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'the meaning of activity kind % cannot be changed', old.kind
        USING ERRCODE = 'LP011',
        DETAIL = 'Clocks count activities of this kind, and their dates must stay what they are.',
        HINT = 'Insert a kind of another name, and record what comes as that. The description may change.';
END;
$$;

COMMENT ON FUNCTION lead_protection.refuse_new_meaning() IS
'Trigger: refuses to rename an activity kind or to change whether it qualifies (LP011). Its description may change.';

CREATE OR REPLACE TRIGGER refuse_new_meaning
BEFORE UPDATE ON lead_protection.activity_kinds
FOR EACH ROW
WHEN ((old.kind, old.qualifies) IS DISTINCT FROM (new.kind, new.qualifies))
EXECUTE FUNCTION lead_protection.refuse_new_meaning();
