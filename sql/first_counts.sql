-- On each load; counts only once. After the triggers were made, whose locks keep writers away until all is committed.
DO $first$
BEGIN
    PERFORM lead_protection.start_counters();
END
$first$;
