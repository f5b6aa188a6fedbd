-- The one place that says whether the jobs are to wait: they ask before each of their transactions.
CREATE OR REPLACE FUNCTION lead_protection.waiting_reason()
RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT format('paused by %s at %s: %s', s.paused_by, lead_protection.instant_text(s.paused_at), s.pause_reason)
FROM lead_protection.settings AS s
WHERE s.paused_at IS NOT NULL
UNION ALL
SELECT format('the adoption of %s is not switched on', a.source)
FROM lead_protection.adoptions AS a
WHERE a.kind = 'leads' AND a.disowned_at IS NULL AND a.switched_on_at IS NULL
-- A pause comes first.
LIMIT 1
$$;

COMMENT ON FUNCTION lead_protection.waiting_reason() IS
'Why the jobs wait, in words: a pause, with who, since when (UTC) and why, or an adoption that is not switched on; '
'null: they do not. The jobs ask it before each of their transactions and leave as long as there is a reason, with the '
'outcome skipped and the reason in result.waiting.';
