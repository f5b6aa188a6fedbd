-- Clocks that stand still have two indexes of their own: see 0034_log_by_time. The code that needed this one goes in
-- the same transaction.
-- depends: 0034_log_by_time 0099_delivery_pages

SET LOCAL search_path = pg_catalog, pg_temp;

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX lead_protection.lead_clocks_stopped;
