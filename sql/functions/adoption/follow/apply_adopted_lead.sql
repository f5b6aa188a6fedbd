-- Only what the adopted table changed is followed. What our own functions have changed since (a transfer, a closing)
-- stands until the table says something new about it.
CREATE OR REPLACE FUNCTION lead_protection.apply_adopted_lead(
    adoption lead_protection.adoptions,
    seen lead_protection.adopted_leads,
    user_id bigint,
    started_at timestamptz,
    outcome text
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lead lead_protection.leads;
    reason CONSTANT text := format('as in %s', apply_adopted_lead.adoption.source);
BEGIN
    -- What it was before it is switched on is no news: an expiry of then must not be told with the change of now.
    IF apply_adopted_lead.adoption.switched_on_at IS NULL THEN
        PERFORM lead_protection.record_passed_deadlines(ARRAY[apply_adopted_lead.seen.lead_id]);
    END IF;
    SELECT l.* INTO STRICT lead FROM lead_protection.leads AS l WHERE l.id = apply_adopted_lead.seen.lead_id;

    -- Open again, be it only to be closed in another way.
    IF
        apply_adopted_lead.seen.outcome IS DISTINCT FROM apply_adopted_lead.outcome AND lead.closed_at IS NOT NULL
        AND apply_adopted_lead.outcome IS DISTINCT FROM 'DELETED'
        AND apply_adopted_lead.outcome IS DISTINCT FROM lead.closed_as
    THEN
        IF lead.closed_as = 'DELETED' THEN
            -- For callers a deletion is for good; a table of the company's own may take it back.
            -- Logged as lead.changed.
            UPDATE lead_protection.leads AS l SET closed_at = NULL WHERE l.id = lead.id;
        ELSE
            PERFORM lead_protection.reopen_lead(lead.id, lead.user_id, reason, apply_adopted_lead.adoption.actor_id);
        END IF;
        SELECT l.* INTO STRICT lead FROM lead_protection.leads AS l WHERE l.id = apply_adopted_lead.seen.lead_id;
    END IF;

    -- A closed lead is protected for nobody: who would have it, and since when, is followed when it is opened.
    IF lead.closed_at IS NULL THEN
        IF apply_adopted_lead.user_id <> apply_adopted_lead.seen.user_id THEN
            PERFORM lead_protection.transfer_lead(
                lead.id, lead.user_id, apply_adopted_lead.user_id, reason, apply_adopted_lead.adoption.actor_id
            );
            apply_adopted_lead.seen.user_id := apply_adopted_lead.user_id;
            apply_adopted_lead.seen.started_at := apply_adopted_lead.started_at;
        ELSIF apply_adopted_lead.started_at <> apply_adopted_lead.seen.started_at THEN
            -- A protection that began with a transfer began then, whatever the table says of the lead.
            IF NOT EXISTS (
                SELECT FROM lead_protection.lead_history AS h
                WHERE h.lead_id = lead.id AND h.user_id IS DISTINCT FROM lead.user_id
            ) THEN
                IF apply_adopted_lead.started_at < lead.created_at THEN
                    PERFORM lead_protection.backdate_lead(
                        lead.id, lead.user_id, apply_adopted_lead.started_at, reason,
                        format('%s, row %s', apply_adopted_lead.adoption.source, lead.id),
                        apply_adopted_lead.adoption.actor_id
                    );
                ELSIF apply_adopted_lead.started_at > lead.created_at THEN
                    UPDATE lead_protection.leads AS l
                    SET created_at = apply_adopted_lead.started_at
                    WHERE l.id = lead.id;
                END IF;
            END IF;
            apply_adopted_lead.seen.started_at := apply_adopted_lead.started_at;
        END IF;
    END IF;

    IF apply_adopted_lead.seen.outcome IS DISTINCT FROM apply_adopted_lead.outcome THEN
        IF apply_adopted_lead.outcome = 'DELETED' THEN
            PERFORM lead_protection.delete_lead(
                lead.id, (SELECT l.user_id FROM lead_protection.leads AS l WHERE l.id = lead.id), reason,
                apply_adopted_lead.adoption.actor_id
            );
        ELSIF apply_adopted_lead.outcome IS NOT NULL THEN
            PERFORM lead_protection.close_lead(
                lead.id, (SELECT l.user_id FROM lead_protection.leads AS l WHERE l.id = lead.id),
                apply_adopted_lead.outcome, reason, apply_adopted_lead.adoption.actor_id
            );
        END IF;
        apply_adopted_lead.seen.outcome := apply_adopted_lead.outcome;
    END IF;

    UPDATE lead_protection.adopted_leads AS a
    SET
        user_id = apply_adopted_lead.seen.user_id,
        started_at = apply_adopted_lead.seen.started_at,
        outcome = apply_adopted_lead.seen.outcome
    WHERE a.lead_id = apply_adopted_lead.seen.lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.apply_adopted_lead(
    lead_protection.adoptions, lead_protection.adopted_leads, bigint, timestamptz, text
) IS
'Does to a lead what its adopted table has changed since it was last seen: reopened, another user (transfer_lead()), '
'another start (backdate_lead(), or a change of the row if it is later), closed or deleted. user_id, started_at, '
'outcome: what the table says now. Logged and published as by these functions. Errors: theirs. Internal: the caller '
'has locked the lead.';
