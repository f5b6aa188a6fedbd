CREATE OR REPLACE FUNCTION lead_protection.erase_texts(
    reason text,
    actor_id bigint,
    lead_ids bigint[] DEFAULT NULL,
    user_id bigint DEFAULT NULL,
    before timestamptz DEFAULT NULL,
    OUT leads bigint,
    OUT texts bigint,
    OUT user_keys bigint
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids bigint [];
    unknown bigint;
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('actor_id', erase_texts.actor_id));
    PERFORM lead_protection.require_reason(erase_texts.reason);
    PERFORM lead_protection.require_instant(erase_texts.before, 'before', may_be_ahead => true);
    IF num_nonnulls(erase_texts.lead_ids, erase_texts.user_id, erase_texts.before) = 0 THEN
        RAISE EXCEPTION 'erase_texts() was not told which texts'
            USING ERRCODE = 'LP110',
            DETAIL = 'lead_ids, user_id and before are null.',
            HINT = 'Give at least one of lead_ids, user_id and before; of several, what fits all is erased.';
    END IF;
    SELECT i.lead_id INTO unknown
    FROM unnest(erase_texts.lead_ids) AS i (lead_id)
    WHERE NOT EXISTS (SELECT FROM lead_protection.leads AS l WHERE l.id = i.lead_id)
    LIMIT 1;
    IF FOUND THEN
        PERFORM lead_protection.require_arguments(jsonb_build_object('an element of lead_ids', unknown));
        PERFORM lead_protection.require_lead(unknown, now());
    END IF;

    ids := ARRAY(
        SELECT l.id
        FROM lead_protection.leads AS l
        WHERE
            (l.id = ANY(erase_texts.lead_ids) OR erase_texts.lead_ids IS NULL)
            AND (
                erase_texts.user_id IS NULL OR l.user_id = erase_texts.user_id
                OR EXISTS (
                    SELECT FROM lead_protection.lead_history AS h
                    WHERE h.lead_id = l.id AND h.user_id = erase_texts.user_id
                )
            )
        ORDER BY l.id
    );
    PERFORM lead_protection.lock_leads(ids);
    SELECT count(*), coalesce(sum(e.texts), 0)::bigint INTO leads, texts
    FROM lead_protection.erase_texts_of(
        ids, erase_texts.user_id, erase_texts.before, erase_texts.reason, erase_texts.actor_id
    ) AS e;

    -- As long as a row of an adopted table names the user, the key has to be known: without it the user would come
    -- back as another one.
    user_keys := 0;
    IF erase_texts.user_id IS NOT NULL AND erase_texts.lead_ids IS NULL AND erase_texts.before IS NULL THEN
        DELETE FROM lead_protection.adopted_users AS u
        WHERE
            u.user_id = erase_texts.user_id
            AND NOT EXISTS (SELECT FROM lead_protection.adopted_leads AS a WHERE a.user_id = u.user_id)
            AND NOT EXISTS (SELECT FROM lead_protection.adopted_holds AS a WHERE a.user_key = u.user_key);
        GET DIAGNOSTICS user_keys = ROW_COUNT;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.erase_texts(text, bigint, bigint[], bigint, timestamptz) IS
'Erases texts that people wrote, for a request by Article 17 of the GDPR: reasons and evidence in the log, reasons of '
'holds and extensions, errors of deliveries, of consumers and of adopted rows, reasons of bulk calls. Dates, states, '
'numbers and keys stay, and so does the proof: the log''s chain holds, and without its salt nobody can guess an erased '
'text. Call it by named arguments. lead_ids: the leads; user_id: what belongs to protections of that user, on any '
'lead; before (timestamptz): what was recorded before. At least one of them; of several, what fits all. With user_id '
'alone the key by which adopted tables name the user goes, too, once none of their rows names them.
reason: why it is erased, 1 to 255 characters. It stays: put no names into it. actor_id: who erases.
Returns one row: of how many leads, how many texts, how many keys of users. Repeated: 0, and nothing is logged. Erase '
'in tables of your own first: what they still say is followed again.
Errors: LP001 null argument, LP002 unknown lead, LP004 reason blank or too long, LP005 before makes no sense, LP066 a '
'row of an adopted table cannot be followed, LP110 nothing says which texts.
Logs and publishes lead.texts.erased for each lead, in the same transaction.';
