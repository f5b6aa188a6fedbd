CREATE OR REPLACE FUNCTION lead_protection.protection_statement(
    lead_id bigint, as_of timestamptz DEFAULT now(), language text DEFAULT 'de', format text DEFAULT 'markdown'
)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    facts jsonb;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', protection_statement.lead_id, 'as_of', protection_statement.as_of,
            'language', protection_statement.language, 'format', protection_statement.format
        )
    );
    PERFORM lead_protection.require_statement_form(protection_statement.language, protection_statement.format);
    facts := lead_protection.statement_facts(protection_statement.lead_id, protection_statement.as_of);
    RETURN lead_protection.page(
        lead_protection.statement_blocks(
            -- The seal is no fact of the lead: the next one covers it, too.
            facts || jsonb_build_object('seal', lead_protection.seal_over_lead(protection_statement.lead_id)),
            encode(sha256(convert_to(facts::text, 'UTF8')), 'hex'),
            lead_protection.words_of(protection_statement.language)
        ),
        protection_statement.language, protection_statement.format
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.protection_statement(bigint, timestamptz, text, text) IS
'A statement to be handed over: for whom a lead is protected at as_of, under which contract, from when to when and '
'why. Each step with its date, each hold with what counted, its reason, who entered it and when, extensions, users, '
'reminders with their delivery, what was shown at the time where it differs, the last 100 rows of the log, and a '
'SHA-256 over these facts; and the newest seal of the log, with the row up to which it covers this lead. language: en '
'or de. format: markdown, or html, which is one self-contained page for A4 with a time line.
From the facts as they are known now. Times are those of the policy''s zone, to the minute. Reasons of holds and '
'extensions are told, those of the log are not. Changes nothing; the same facts at the same as_of have the same '
'checksum, in each language and format.
Errors: LP001 null argument, LP002 unknown lead, LP005 as_of outside the years 1900 to 2999, LP062 unknown language, '
'LP077 unknown format.';
