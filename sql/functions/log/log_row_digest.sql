-- The one place of the written form, version 1: docs/log-format.md says it byte by byte. One expression, with no query
-- in it, so that queries take it in.
CREATE OR REPLACE FUNCTION lead_protection.log_row_digest(entry lead_protection.protection_log)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(
    convert_to(
        concat(
            '21:lead-protection log 1',
            octet_length(log_row_digest.entry.lead_id::text), ':', log_row_digest.entry.lead_id,
            octet_length(log_row_digest.entry.log_number::text), ':', log_row_digest.entry.log_number,
            '36:', log_row_digest.entry.event_id,
            octet_length(log_row_digest.entry.event_type), ':', log_row_digest.entry.event_type,
            octet_length(log_row_digest.entry.user_id::text), ':', log_row_digest.entry.user_id,
            octet_length(log_row_digest.entry.actor_id::text), ':', log_row_digest.entry.actor_id,
            lead_protection.written_instant(log_row_digest.entry.occurred_at),
            lead_protection.written_instant(log_row_digest.entry.recorded_at),
            octet_length(log_row_digest.entry.state_before), ':', log_row_digest.entry.state_before,
            lead_protection.written_instant(log_row_digest.entry.expires_before),
            octet_length(log_row_digest.entry.state_after), ':', log_row_digest.entry.state_after,
            lead_protection.written_instant(log_row_digest.entry.expires_after),
            octet_length(log_row_digest.entry.session_role::text), ':', log_row_digest.entry.session_role,
            octet_length(log_row_digest.entry.application_name), ':', log_row_digest.entry.application_name,
            lead_protection.written_instant(log_row_digest.entry.chained_at),
            coalesce('64:' || encode(lead_protection.log_texts_hash(log_row_digest.entry), 'hex'), ':'),
            lead_protection.written_json(log_row_digest.entry.details - 'evidence')
        ),
        'UTF8'
    )
);

COMMENT ON FUNCTION lead_protection.log_row_digest(lead_protection.protection_log) IS
'SHA-256 of a log row in its written form, version 1, which docs/log-format.md says byte by byte. Internal.';
