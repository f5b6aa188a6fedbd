-- The Gregorian rule as Butcher wrote it down in 1876: it needs no tables and no exceptions. The letters are his.
CREATE OR REPLACE FUNCTION lead_protection.easter_sunday(year integer)
RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN easter_sunday.year BETWEEN 1583 AND 9999 THEN (
    SELECT make_date(easter_sunday.year, n.n / 31, n.n % 31 + 1)
    FROM (VALUES (easter_sunday.year % 19, easter_sunday.year / 100, easter_sunday.year % 100)) AS y (a, b, c)
    CROSS JOIN LATERAL (VALUES ((19 * y.a + y.b - y.b / 4 - (y.b - (y.b + 8) / 25 + 1) / 3 + 15) % 30)) AS h (h)
    CROSS JOIN LATERAL (VALUES ((32 + 2 * (y.b % 4) + 2 * (y.c / 4) - h.h - y.c % 4) % 7)) AS l (l)
    CROSS JOIN LATERAL (VALUES ((y.a + 11 * h.h + 22 * l.l) / 451)) AS m (m)
    CROSS JOIN LATERAL (VALUES (h.h + l.l - 7 * m.m + 114)) AS n (n)
) END;

COMMENT ON FUNCTION lead_protection.easter_sunday(integer) IS
'Easter Sunday of a year, 1583 to 9999, by the Gregorian calendar; null for other years. Moveable feasts are counted '
'from it: Good Friday is 2 days before it, Ascension Day 39 days after it, Whit Monday 50, Corpus Christi 60.';
