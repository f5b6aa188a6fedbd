-- metric_samples() returns the rows of another view, and a return type cannot be replaced.
-- depends: 0065_clock_ahead

SET LOCAL search_path = pg_catalog, pg_temp;

-- It is of this package, and loaded anew right after.
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.metric_samples(text[]);
