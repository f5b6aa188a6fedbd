CREATE OR REPLACE FUNCTION lead_protection.mark_adoptions_switched_on()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE lead_protection.adoptions AS a
    SET switched_on_at = clock_timestamp()
    WHERE a.kind = 'leads' AND a.switched_on_at IS NULL AND a.disowned_at IS NULL AND a.backfilled_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the table was disowned, or switched on by another session, meanwhile'
            USING ERRCODE = 'LP051',
            DETAIL = 'What lies in the past was recorded as such.',
            HINT = 'Look at lead_protection.adoptions.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.mark_adoptions_switched_on() IS
'Marks adopted tables of leads as switched on. Error: LP051 there are none any more. Internal: switch_on_adoption() '
'calls it, in the transaction in which it found nothing left of the past.';
