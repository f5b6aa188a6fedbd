-- refuse_change() keeps the rows that are there; this keeps what a calendar is. created_at is the start of the
-- transaction that made it, to the microsecond: another transaction has another one.
CREATE OR REPLACE FUNCTION lead_protection.refuse_late_days()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    late text;
BEGIN
    SELECT string_agg(DISTINCT format('%s version %s', c.code, c.version), ', ') INTO late
    FROM added AS a
    INNER JOIN lead_protection.calendars AS c ON a.calendar_id = c.id
    WHERE c.created_at <> transaction_timestamp();
    IF late IS NOT NULL THEN
        RAISE EXCEPTION 'a calendar gets no days after it was made'
            USING ERRCODE = 'LP012',
            DETAIL = format('Dates are counted by it, and must stay what they are: %s.', late),
            HINT = 'Make a new version with create_calendar_version().';
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.refuse_late_days() IS
'Trigger: refuses days of a calendar that another transaction made (LP012).';

CREATE OR REPLACE TRIGGER refuse_late_days
AFTER INSERT ON lead_protection.calendar_days
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_late_days();
