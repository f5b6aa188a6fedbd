CREATE OR REPLACE FUNCTION lead_protection.event_payload(
    lead_id bigint,
    lead_key text,
    user_id bigint,
    actor_id bigint,
    occurred_at timestamptz,
    state_after text,
    expires_after timestamptz,
    details jsonb
)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN jsonb_strip_nulls(
    jsonb_build_object(
        'lead_id', event_payload.lead_id,
        'lead_key', event_payload.lead_key,
        'user_id', event_payload.user_id,
        'actor_id', event_payload.actor_id,
        'occurred_at', lead_protection.instant_text(event_payload.occurred_at),
        'state', event_payload.state_after,
        'protection_expires_at', lead_protection.instant_text(event_payload.expires_after)
    )
    || event_payload.details - 'evidence'
);

COMMENT ON FUNCTION lead_protection.event_payload(
    bigint, text, bigint, bigint, timestamptz, text, timestamptz, jsonb
) IS
'What the event of a log row says, from columns of the row, and the lead''s key. Reason and evidence are left out: '
'they are free text and may name a person. Internal.';
