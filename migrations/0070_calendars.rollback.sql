DROP TABLE lead_protection.calendar_days;
DROP TABLE lead_protection.calendars;
