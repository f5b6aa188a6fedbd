-- Triggers on the company's tables went before: sql/drop.sql refuses while there are any.
DROP TABLE lead_protection.adoptions;
