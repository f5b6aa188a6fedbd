-- Calendars: which days are no working days, in versions that never change.
-- depends: 0065_clock_ahead

SET LOCAL search_path = pg_catalog, pg_temp;

-- created_at is the start of the transaction, and not the clock: by it refuse_late_days() knows a calendar that is
-- being made.
CREATE TABLE lead_protection.calendars (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT calendars_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT calendars_code_in_capitals CHECK (code ~ '^[A-Z][A-Z0-9_-]{0,62}$'),
    version integer NOT NULL CONSTRAINT calendars_version_positive CHECK (version > 0),
    name text NOT NULL CONSTRAINT calendars_name_not_blank CHECK (name ~ '[^[:space:]]' AND length(name) <= 255),
    rest_days integer[] NOT NULL
    CONSTRAINT calendars_rest_days_leave_a_day CHECK (
        rest_days <@ '{1,2,3,4,5,6,7}'::integer[] AND cardinality(rest_days) < 7
    ),
    first_year integer NOT NULL CONSTRAINT calendars_first_year_sensible CHECK (first_year >= 1900),
    last_year integer NOT NULL CONSTRAINT calendars_last_year_sensible CHECK (last_year <= 2999),
    based_on bigint CONSTRAINT calendars_based_on_fkey REFERENCES lead_protection.calendars (id),
    created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    created_by bigint,
    CONSTRAINT calendars_version_unique UNIQUE (code, version),
    CONSTRAINT calendars_years_in_order CHECK (first_year <= last_year)
);

COMMENT ON TABLE lead_protection.calendars IS
'Calendars of working days, a row for each version: those that come with the package (DE, its 16 states, AT) and a '
'company''s own. Append-only (LP012): whoever pins a version keeps its days. Make a version with '
'create_calendar_version().';
COMMENT ON COLUMN lead_protection.calendars.id IS 'The version: what a calendar is pinned by.';
COMMENT ON COLUMN lead_protection.calendars.code IS
'The same for all its versions. Those of the package are by ISO 3166: DE, DE-BW … DE-TH, AT.';
COMMENT ON COLUMN lead_protection.calendars.version IS 'Counts from 1 within the code.';
COMMENT ON COLUMN lead_protection.calendars.name IS 'What people call it.';
COMMENT ON COLUMN lead_protection.calendars.rest_days IS
'The weekdays on which nobody works, by ISO 8601: 1 is Monday, 7 is Sunday. In order, each once; six at most.';
COMMENT ON COLUMN lead_protection.calendars.first_year IS
'From this year on its days are known. Before it only the rest days count.';
COMMENT ON COLUMN lead_protection.calendars.last_year IS
'Up to this year its days are known. After it only the rest days count.';
COMMENT ON COLUMN lead_protection.calendars.based_on IS
'The calendar whose days it took over when it was made; null: none. A later version of that one changes nothing here.';
COMMENT ON COLUMN lead_protection.calendars.created_at IS 'When it was made: the start of the transaction.';
COMMENT ON COLUMN lead_protection.calendars.created_by IS 'The actor who made it; null: it came with the package.';

CREATE TABLE lead_protection.calendar_days (
    calendar_id bigint NOT NULL
    CONSTRAINT calendar_days_calendar_id_fkey REFERENCES lead_protection.calendars (id),
    date date NOT NULL CONSTRAINT calendar_days_date_sensible CHECK (
        date BETWEEN DATE '1900-01-01' AND DATE '2999-12-31'
    ),
    name text NOT NULL CONSTRAINT calendar_days_name_not_blank CHECK (name ~ '[^[:space:]]' AND length(name) <= 255),
    CONSTRAINT calendar_days_pkey PRIMARY KEY (calendar_id, date)
);

COMMENT ON TABLE lead_protection.calendar_days IS
'The days of a calendar that are no working days, whatever weekday they fall on. Append-only, and a calendar gets its '
'days in the transaction that makes it and never later (LP012).';
COMMENT ON COLUMN lead_protection.calendar_days.calendar_id IS 'The version of a calendar.';
COMMENT ON COLUMN lead_protection.calendar_days.date IS 'The day.';
COMMENT ON COLUMN lead_protection.calendar_days.name IS
'What the day is called; where two holidays fall on one day, both with a semicolon between.';
