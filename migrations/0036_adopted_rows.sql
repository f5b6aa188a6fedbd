-- One function reads the rows of adopted tables of every kind.
-- depends: 0028_adoptions

COMMENT ON COLUMN lead_protection.adoptions.row_expressions IS 'SQL over a row s of source: what adopted_rows() reads.';
