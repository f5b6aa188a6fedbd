-- The days of the shipped calendars are counted on every load: a law that this version of the package knows differently
-- makes a new version of the calendar. Mostly there is nothing to do.
DO $shipped$
BEGIN
    PERFORM lead_protection.ship_calendars();
END
$shipped$;
