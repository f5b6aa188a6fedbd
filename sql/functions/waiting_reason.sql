CREATE OR REPLACE FUNCTION lead_protection.waiting_reason()
RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT format('the adoption of %s is not switched on', a.source)
FROM lead_protection.adoptions AS a
WHERE a.kind = 'leads' AND a.disowned_at IS NULL AND a.switched_on_at IS NULL
$$;

COMMENT ON FUNCTION lead_protection.waiting_reason() IS
'Why the jobs leave without doing anything; null: there is no reason, they work.';
