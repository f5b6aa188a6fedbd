CREATE OR REPLACE VIEW lead_protection.shipped_calendars AS
SELECT
    c.code,
    c.name,
    split_part(c.code, '-', 1) AS country,
    nullif(split_part(c.code, '-', 2), '') AS state,
    -- BGB § 193 names Saturday with Sunday, and so does the Austrian Fristenhemmungsgesetz (BGBl. 37/1961).
    '{6,7}'::integer[] AS rest_days,
    1990 AS first_year,
    2100 AS last_year
FROM (
    VALUES
    ('AT', 'Österreich'),
    ('DE', 'Deutschland: was in allen Ländern Feiertag ist'),
    ('DE-BB', 'Brandenburg'),
    ('DE-BE', 'Berlin'),
    ('DE-BW', 'Baden-Württemberg'),
    ('DE-BY', 'Bayern'),
    ('DE-HB', 'Bremen'),
    ('DE-HE', 'Hessen'),
    ('DE-HH', 'Hamburg'),
    ('DE-MV', 'Mecklenburg-Vorpommern'),
    ('DE-NI', 'Niedersachsen'),
    ('DE-NW', 'Nordrhein-Westfalen'),
    ('DE-RP', 'Rheinland-Pfalz'),
    ('DE-SH', 'Schleswig-Holstein'),
    ('DE-SL', 'Saarland'),
    ('DE-SN', 'Sachsen'),
    ('DE-ST', 'Sachsen-Anhalt'),
    ('DE-TH', 'Thüringen')
) AS c (code, name);

COMMENT ON VIEW lead_protection.shipped_calendars IS
'The calendars that come with the package, as this version of it has them; their days are counted from holiday_rules. '
'What is in use is in calendars. Internal.';
COMMENT ON COLUMN lead_protection.shipped_calendars.code IS 'The code, by ISO 3166.';
COMMENT ON COLUMN lead_protection.shipped_calendars.name IS 'The name.';
COMMENT ON COLUMN lead_protection.shipped_calendars.country IS 'The country of the code.';
COMMENT ON COLUMN lead_protection.shipped_calendars.state IS 'The state of the code; null: the country as a whole.';
COMMENT ON COLUMN lead_protection.shipped_calendars.rest_days IS 'The weekdays off, 1 is Monday.';
COMMENT ON COLUMN lead_protection.shipped_calendars.first_year IS 'The first year whose days are shipped.';
COMMENT ON COLUMN lead_protection.shipped_calendars.last_year IS 'The last year whose days are shipped.';
