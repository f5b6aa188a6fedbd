CREATE OR REPLACE FUNCTION lead_protection.seal_checkpoint(number bigint DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    seal lead_protection.log_seals;
BEGIN
    SELECT s.* INTO seal
    FROM lead_protection.log_seals AS s
    WHERE seal_checkpoint.number IS NULL OR s.number = seal_checkpoint.number
    ORDER BY s.number DESC
    LIMIT 1;
    IF seal IS NULL THEN
        RAISE EXCEPTION 'there is no such seal of the log'
            USING ERRCODE = 'LP115',
            DETAIL = format(
                'Given: seal %s. The newest one is %s.',
                coalesce(seal_checkpoint.number::text, 'null, for the newest'),
                coalesce((SELECT max(s.number)::text FROM lead_protection.log_seals AS s), 'none')
            ),
            HINT = 'The pipeline seals what is new in the log with each run: CALL '
            'lead_protection.run_protection_pipeline().';
    END IF;
    RETURN format(
        E'lead-protection seal v1\nnumber %s\nsealed_at %s\ntree_size %s\nroot %s\nprevious %s\n',
        seal.number, lead_protection.instant_text(seal.sealed_at), seal.tree_size, encode(seal.root, 'hex'),
        encode(seal.previous, 'hex')
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.seal_checkpoint(bigint) IS
'The checkpoint of a seal, to be kept outside of this database: six lines of text, each with a line feed at its end. '
'number: of which seal; null (the default): the newest. What the next seal has as previous is the SHA-256 of this '
'text. Repeated: the same text. Error: LP115 no such seal.';
