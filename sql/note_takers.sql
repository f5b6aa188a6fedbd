-- No object: what was made with each adopted table gets its present form: its trigger function, and the right to read
-- the table. It comes after reader.sql, which makes the role that reads.
DO $note_takers$
DECLARE
    adoption lead_protection.adoptions;
    missing text;
BEGIN
    FOR adoption IN
        SELECT a.* FROM lead_protection.adoptions AS a WHERE a.disowned_at IS NULL ORDER BY a.id
    LOOP
        PERFORM lead_protection.make_note_taker(adoption);
        CONTINUE WHEN pg_catalog.to_regclass(adoption.source) IS NULL;
        PERFORM lead_protection.let_reader_read(adoption.source::pg_catalog.regclass, true);
        missing := (
            SELECT pg_catalog.string_agg(r.advice, '; ')
            FROM lead_protection.check_rights(
                adoption.source::pg_catalog.regclass, lead_protection.adopted_reader(),
                (SELECT n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'lead_protection'), false
            ) AS r
        );
        IF missing IS NOT NULL THEN
            RAISE WARNING '% is adopted, and cannot be read: what is written there waits', adoption.source
                USING HINT = missing;
        END IF;
    END LOOP;
END
$note_takers$;
