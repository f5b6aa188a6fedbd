CREATE OR REPLACE FUNCTION lead_protection.explain_protection(lead_id bigint, as_of timestamptz DEFAULT now())
RETURNS TABLE (
    step integer, clock text, item text, fact_id bigint, from_at timestamptz, until_at timestamptz, moved_by interval,
    expires_at timestamptz, explanation text, reason text, actor_id bigint, entered_at timestamptz, sentences jsonb
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    may_read_log CONSTANT boolean := has_table_privilege(
        lead_protection.calling_role(), 'lead_protection.protection_log', 'SELECT'
    );
    words CONSTANT jsonb := lead_protection.words_of('en') || '{"exact": true}';
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object('lead_id', explain_protection.lead_id, 'as_of', explain_protection.as_of)
    );
    PERFORM lead_protection.require_instant(explain_protection.as_of, 'as_of', may_be_ahead => true);
    PERFORM lead_protection.require_lead(explain_protection.lead_id, now());

    RETURN QUERY
    SELECT
        s.ordinality::integer, s.clock, s.item, s.fact_id, s.from_at, s.until_at, s.moved_by, s.expires_at,
        lead_protection.sentence_text(
            s.sentences, words,
            -- The first step names the zone of the policy.
            first_value(s.sentences #>> '{0,parameters,zone}') OVER (ORDER BY s.ordinality)
        ),
        -- The reason of a hold or of an extension is in a table that whoever may call this may read, too.
        CASE WHEN s.item IN ('HOLD', 'GRANTED') OR may_read_log THEN s.reason END,
        s.actor_id, s.entered_at, s.sentences
    FROM lead_protection.explain_steps(explain_protection.lead_id, explain_protection.as_of) WITH ORDINALITY AS s;
END;
$$;

COMMENT ON FUNCTION lead_protection.explain_protection(bigint, timestamptz) IS
'How the expiry of a lead at as_of comes about, a row for each step, in order. The last one, RESULT, is what '
'protection_as_of(as_of) says of the lead.
clock: the clock that the step moves (base, idle or notice); null: the protection as a whole. item: START, then on '
'the clocks BASE, EXTENSION, GRACE (the terms of the policy), GRANTED (an extension on request), HOLD, ACTIVITY '
'(where the idle clock starts) and NOTICE (the reminder, where the policy requires one); RULE and, without a clock, '
'NOTICE join the clocks; then CLOSED, REMINDER (from_at: due; until_at: last sent), RESULT. Before the protection '
'began there is one row, NOT_PROTECTED.
fact_id: the hold, extension or activity. from_at, until_at: its own time, whether it counts or not. moved_by: by how '
'much elapsed time (a day is 24 hours) the step moved expires_at, the expiry of its clock reached so far; zero if it '
'does not count. explanation: English, with instants in the time zone of the policy.
reason, actor_id, entered_at: why the fact was entered, by whom (null: the system, or not known) and when. The reason '
'of a start or a closing is in the log, and is given to who may read that. sentences: the explanation as data, for an '
'application that says it in a language of its own: [{code, parameters}], by the codes of statement_texts; instants '
'as ISO 8601 text in UTC, lengths in seconds.
From the facts as they are known now; what was shown at the time is in protection_log.
Errors: LP001 null argument, LP002 unknown lead, LP005 as_of outside the years 1900 to 2999.';
