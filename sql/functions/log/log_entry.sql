CREATE OR REPLACE FUNCTION lead_protection.log_entry(
    lead_id bigint,
    user_id bigint,
    event_type text,
    occurred_at timestamptz,
    actor_id bigint,
    reason text,
    state_before text,
    expires_before timestamptz,
    state_after text,
    expires_after timestamptz,
    details jsonb
)
RETURNS lead_protection.protection_log
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    NULL, log_entry.lead_id, log_entry.user_id, log_entry.event_type, log_entry.occurred_at, NULL,
    log_entry.actor_id, log_entry.reason, log_entry.state_before, log_entry.state_after,
    log_entry.expires_before, log_entry.expires_after, log_entry.details,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL
)::lead_protection.protection_log;

COMMENT ON FUNCTION lead_protection.log_entry(
    bigint, bigint, text, timestamptz, bigint, text, text, timestamptz, text, timestamptz, jsonb
) IS
'A log row to be, for write_log(), which fills in who, when and the number. Internal.';
