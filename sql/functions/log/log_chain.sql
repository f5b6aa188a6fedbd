CREATE OR REPLACE AGGREGATE lead_protection.log_chain(before bytea, digest bytea) (
    sfunc = lead_protection.next_log_row_hash,
    stype = bytea,
    parallel = safe
);

COMMENT ON AGGREGATE lead_protection.log_chain(bytea, bytea) IS
'Over the rows of one lead in their order: the hash of the last one. digest: of each row, as log_row_digest() gives '
'it; before: in the first row, the hash of the row before it (null: there is none). Internal.';
