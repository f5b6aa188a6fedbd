-- Names in the bodies of SQL functions are bound when they are loaded: to PostgreSQL's own, whatever the path of the
-- session has to offer. Ends with the transaction of the load.
SET LOCAL search_path = pg_catalog, pg_temp;
