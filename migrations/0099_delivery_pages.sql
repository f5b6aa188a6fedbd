-- The pages of event_deliveries are filled: what was left free on them for updates in place was never used for any.
-- depends: 0034_indexes 0098_lead_moves

SET LOCAL search_path = pg_catalog, pg_temp;

-- Whatever a claim or an acknowledgement changes is in an index or its condition: none of 17,000 updates was made in
-- place (bench/bloat.py). A row is kept for 90 days, and so was the room beside it. Pages that are there stay as they
-- are.
ALTER TABLE lead_protection.event_deliveries RESET (fillfactor);
