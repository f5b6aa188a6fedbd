-- The one place of the holidays. A law that changes is a row that gets a last year and another row, and an apply then
-- makes new versions of the calendars that are another ones by it.
--
-- What only some communities have is not in it: Mariä Himmelfahrt in Bavaria, Fronleichnam in Saxony and Thuringia, the
-- Friedensfest of Augsburg. Nor are the Sundays that Hesse's law calls holidays: they are rest days. Before 1995 the
-- eastern states made their laws one by one; they have here what those laws then said, and 17 June 1990, which was no
-- holiday there, was a Sunday.
CREATE OR REPLACE VIEW lead_protection.holiday_rules AS
SELECT
    r.country,
    r.states,
    r.name,
    r.easter_offset,
    r.month,
    r.day,
    r.weekday,
    r.first_year,
    r.last_year,
    r.law
FROM (
    VALUES
    -- Germany as a whole: 3 October by the treaty of unity, the others by the laws of all 16 states.
    (
        'DE', NULL::text[], 'Neujahr', NULL::integer, 1, 1, NULL::integer, NULL::integer, NULL::integer,
        'laws of all states'
    ),
    ('DE', NULL, 'Karfreitag', -2, NULL, NULL, NULL, NULL, NULL, 'laws of all states'),
    ('DE', NULL, 'Ostermontag', 1, NULL, NULL, NULL, NULL, NULL, 'laws of all states'),
    ('DE', NULL, 'Erster Mai', NULL, 5, 1, NULL, NULL, NULL, 'laws of all states'),
    ('DE', NULL, 'Christi Himmelfahrt', 39, NULL, NULL, NULL, NULL, NULL, 'laws of all states'),
    ('DE', NULL, 'Pfingstmontag', 50, NULL, NULL, NULL, NULL, NULL, 'laws of all states'),
    (
        'DE', NULL, 'Tag der deutschen Einheit', NULL, 6, 17, NULL, NULL, 1990,
        'Gesetz über den Tag der deutschen Einheit of 1953, until the Einigungsvertrag'
    ),
    ('DE', NULL, 'Tag der Deutschen Einheit', NULL, 10, 3, NULL, 1990, NULL, 'Einigungsvertrag Art. 2 (2)'),
    -- The Wednesday before 23 November.
    (
        'DE', NULL, 'Buß- und Bettag', NULL, 11, 22, 3, NULL, 1994,
        'laws of all states, until they gave it up for SGB XI § 58'
    ),
    ('DE', NULL, 'Reformationstag', NULL, 10, 31, NULL, 2017, 2017, 'laws and ordinances of all states for 2017'),
    ('DE', NULL, 'Erster Weihnachtstag', NULL, 12, 25, NULL, NULL, NULL, 'laws of all states'),
    ('DE', NULL, 'Zweiter Weihnachtstag', NULL, 12, 26, NULL, NULL, NULL, 'laws of all states'),
    -- German states
    (
        'DE', '{BW,BY,ST}', 'Heilige Drei Könige', NULL, 1, 6, NULL, NULL, NULL,
        'FTG BW § 1, BayFTG Art. 1, FeiertG LSA § 2'
    ),
    ('DE', '{BE}', 'Frauentag', NULL, 3, 8, NULL, 2019, NULL, 'FeiertG BE § 1'),
    ('DE', '{MV}', 'Frauentag', NULL, 3, 8, NULL, 2023, NULL, 'FTG M-V § 2'),
    ('DE', '{BB}', 'Ostersonntag', 0, NULL, NULL, NULL, NULL, NULL, 'FTG BB § 2'),
    (
        'DE', '{BE}', '75. Jahrestag der Befreiung vom Nationalsozialismus und der Beendigung des Zweiten Weltkriegs '
        'in Europa', NULL, 5, 8, NULL, 2020, 2020, 'FeiertG BE § 1'
    ),
    (
        'DE', '{BE}', '80. Jahrestag der Befreiung vom Nationalsozialismus und der Beendigung des Zweiten Weltkriegs '
        'in Europa', NULL, 5, 8, NULL, 2025, 2025, 'FeiertG BE § 1'
    ),
    ('DE', '{BB}', 'Pfingstsonntag', 49, NULL, NULL, NULL, NULL, NULL, 'FTG BB § 2'),
    (
        'DE', '{BW,BY,HE,NW,RP,SL}', 'Fronleichnam', 60, NULL, NULL, NULL, NULL, NULL,
        'FTG BW § 1, BayFTG Art. 1, HFeiertagsG § 1, Feiertagsgesetz NW § 2, LFtG RP § 2, SFG SL § 2'
    ),
    ('DE', '{BE}', '75. Jahrestag des Aufstandes vom 17. Juni 1953', NULL, 6, 17, NULL, 2028, 2028, 'FeiertG BE § 1'),
    ('DE', '{SL}', 'Mariä Himmelfahrt', NULL, 8, 15, NULL, NULL, NULL, 'SFG SL § 2'),
    ('DE', '{TH}', 'Weltkindertag', NULL, 9, 20, NULL, 2019, NULL, 'ThürFGtG § 2'),
    (
        'DE', '{BB,MV,SN,ST,TH}', 'Reformationstag', NULL, 10, 31, NULL, NULL, NULL,
        'FTG BB § 2, FTG M-V § 2, SächsSFG § 1, FeiertG LSA § 2, ThürFGtG § 2'
    ),
    (
        'DE', '{HB,HH,NI,SH}', 'Reformationstag', NULL, 10, 31, NULL, 2018, NULL,
        'FeiertG HB § 2, FeiertG HH § 1, NFeiertagsG § 2, SFTG SH § 2'
    ),
    (
        'DE', '{BW,BY,NW,RP,SL}', 'Allerheiligen', NULL, 11, 1, NULL, NULL, NULL,
        'FTG BW § 1, BayFTG Art. 1, Feiertagsgesetz NW § 2, LFtG RP § 2, SFG SL § 2'
    ),
    ('DE', '{SN}', 'Buß- und Bettag', NULL, 11, 22, 3, 1995, NULL, 'SächsSFG § 1'),
    -- Austria. Good Friday is none: it was one for some churches only, and since 2019 for nobody.
    ('AT', NULL, 'Neujahr', NULL, 1, 1, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Heilige Drei Könige', NULL, 1, 6, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Ostermontag', 1, NULL, NULL, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Staatsfeiertag', NULL, 5, 1, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Christi Himmelfahrt', 39, NULL, NULL, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Pfingstmontag', 50, NULL, NULL, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Fronleichnam', 60, NULL, NULL, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Mariä Himmelfahrt', NULL, 8, 15, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Nationalfeiertag', NULL, 10, 26, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Allerheiligen', NULL, 11, 1, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Mariä Empfängnis', NULL, 12, 8, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Christtag', NULL, 12, 25, NULL, NULL, NULL, 'ARG § 7 (2)'),
    ('AT', NULL, 'Stephanstag', NULL, 12, 26, NULL, NULL, NULL, 'ARG § 7 (2)')
) AS r (country, states, name, easter_offset, month, day, weekday, first_year, last_year, law);

COMMENT ON VIEW lead_protection.holiday_rules IS
'The rules by which the holidays of the shipped calendars are counted, and the law that each follows. Holidays of '
'whole states only: what single communities have is a company''s own calendar, see create_calendar_version(). The '
'days themselves are in calendar_days.';
COMMENT ON COLUMN lead_protection.holiday_rules.country IS 'The country: DE or AT.';
COMMENT ON COLUMN lead_protection.holiday_rules.states IS
'The states that have it, by ISO 3166-2 without the country; null: the whole country.';
COMMENT ON COLUMN lead_protection.holiday_rules.name IS 'The name, in the country''s language.';
COMMENT ON COLUMN lead_protection.holiday_rules.easter_offset IS
'Days from Easter Sunday; null: it goes by month and day.';
COMMENT ON COLUMN lead_protection.holiday_rules.month IS 'The month, 1 to 12; null: it goes by Easter.';
COMMENT ON COLUMN lead_protection.holiday_rules.day IS 'The day of the month; null: it goes by Easter.';
COMMENT ON COLUMN lead_protection.holiday_rules.weekday IS
'The last such weekday up to month and day, 1 is Monday; null: month and day themselves.';
COMMENT ON COLUMN lead_protection.holiday_rules.first_year IS
'The first year in which it holds; null: as early as the calendars begin.';
COMMENT ON COLUMN lead_protection.holiday_rules.last_year IS
'The last year in which it holds; null: until further law.';
COMMENT ON COLUMN lead_protection.holiday_rules.law IS 'The law that says so.';
