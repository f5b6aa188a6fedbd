CREATE OR REPLACE FUNCTION lead_protection.left_triggers(adoption_ids bigint[])
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT string_agg(format('DROP TRIGGER %I ON %s', t.trigger_name, t.source), '; ')
FROM lead_protection.adopted_tables() AS t
WHERE t.adoption_id = ANY(left_triggers.adoption_ids)
$$;

COMMENT ON FUNCTION lead_protection.left_triggers(bigint[]) IS
'The statements that drop what is left of our triggers on these tables; null: nothing. Internal.';
