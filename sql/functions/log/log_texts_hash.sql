CREATE OR REPLACE FUNCTION lead_protection.log_texts_hash(entry lead_protection.protection_log)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN log_texts_hash.entry.texts_hash IS NOT NULL THEN log_texts_hash.entry.texts_hash
    WHEN log_texts_hash.entry.reason IS NOT NULL OR log_texts_hash.entry.details ? 'evidence' THEN sha256(
        coalesce(log_texts_hash.entry.texts_salt, ''::bytea)
        || convert_to(
            concat(
                octet_length(log_texts_hash.entry.reason), ':', log_texts_hash.entry.reason,
                octet_length(log_texts_hash.entry.details ->> 'evidence'), ':',
                log_texts_hash.entry.details ->> 'evidence'
            ),
            'UTF8'
        )
    )
END;

COMMENT ON FUNCTION lead_protection.log_texts_hash(lead_protection.protection_log) IS
'The commitment to the texts of a log row (docs/log-format.md): SHA-256 of the salt, the reason and the evidence; '
'where they were erased what stands in their place; null: there never was one. Internal.';
