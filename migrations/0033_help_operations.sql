-- The runbook's operations, for the help system of an application: loaded from docs/runbook.md on every apply.
-- depends: 0001_schema

CREATE TABLE lead_protection.help_operations (
    anchor text CONSTRAINT help_operations_pkey PRIMARY KEY,
    position integer NOT NULL CONSTRAINT help_operations_position_unique UNIQUE,
    title text NOT NULL,
    title_de text NOT NULL,
    summary text NOT NULL,
    summary_de text NOT NULL,
    business_context text NOT NULL,
    situation text NOT NULL,
    situation_de text NOT NULL,
    steps jsonb NOT NULL,
    troubleshooting jsonb NOT NULL,
    next_steps jsonb NOT NULL,
    keywords text NOT NULL,
    keywords_de text NOT NULL,
    search_en tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('pg_catalog.english', title || ' ' || keywords), 'A')
        || setweight(to_tsvector('pg_catalog.english', summary), 'B')
        || setweight(to_tsvector('pg_catalog.english', business_context), 'C')
    ) STORED,
    search_de tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('pg_catalog.german', title_de || ' ' || keywords_de), 'A')
        || setweight(to_tsvector('pg_catalog.german', summary_de), 'B')
    ) STORED
);

COMMENT ON TABLE lead_protection.help_operations IS
'The sections of docs/runbook.md, with German titles and summaries from docs/runbook.de.md: what find_help() searches. Written anew by apply; never by hand.';
COMMENT ON COLUMN lead_protection.help_operations.anchor IS 'The section''s anchor in docs/runbook.md.';
COMMENT ON COLUMN lead_protection.help_operations.position IS 'Its place there, from 1.';
COMMENT ON COLUMN lead_protection.help_operations.title IS 'Its heading.';
COMMENT ON COLUMN lead_protection.help_operations.title_de IS 'Its heading in German.';
COMMENT ON COLUMN lead_protection.help_operations.summary IS 'What is the matter: its Meaning, or its first paragraph.';
COMMENT ON COLUMN lead_protection.help_operations.summary_de IS 'The same in German.';
COMMENT ON COLUMN lead_protection.help_operations.business_context IS 'What it does to whom: its Impact; empty if it has none.';
COMMENT ON COLUMN lead_protection.help_operations.situation IS 'How it stands now, with the names of health checks in braces, which find_help() fills in with their amounts; empty if there is nothing to count.';
COMMENT ON COLUMN lead_protection.help_operations.situation_de IS 'The same in German.';
COMMENT ON COLUMN lead_protection.help_operations.steps IS 'In order: phase (Diagnosis, Mitigation, Verify; null before them), text, and language, run_as and code of the block below it; null if there is none.';
COMMENT ON COLUMN lead_protection.help_operations.troubleshooting IS 'The rows of its tables: an object for each, by the titles of the columns.';
COMMENT ON COLUMN lead_protection.help_operations.next_steps IS 'Where it leads to: title and anchor of other operations, or a page beside the runbook.';
COMMENT ON COLUMN lead_protection.help_operations.keywords IS 'Words of those who ask, in English.';
COMMENT ON COLUMN lead_protection.help_operations.keywords_de IS 'Words of those who ask, in German.';
COMMENT ON COLUMN lead_protection.help_operations.search_en IS 'What an English question is compared with: title and keywords (A), summary (B), business context (C).';
COMMENT ON COLUMN lead_protection.help_operations.search_de IS 'What a German question is compared with: title and keywords (A), summary (B).';
