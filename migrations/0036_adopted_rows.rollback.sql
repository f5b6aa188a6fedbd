COMMENT ON COLUMN lead_protection.adoptions.row_expressions IS
'SQL over a row s of source: what adopted_lead_rows() or adopted_activity_rows() reads.';
