-- The same as chain_log_row() does for one row, for all rows of a statement at once. Several rows of one lead need each
-- the hash of the one before: the first of each lead are written first, then the second, and so on.
CREATE OR REPLACE FUNCTION lead_protection.write_log(entries lead_protection.protection_log[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    called CONSTANT text := nullif(current_setting('application_name'), '');
    places integer [];
    written bigint;
    written_in_all bigint := 0::bigint;
BEGIN
    IF cardinality(write_log.entries) > 0 THEN
        places := ARRAY(
            SELECT p.place
            FROM (
                SELECT e.ordinality, row_number() OVER (PARTITION BY e.lead_id ORDER BY e.ordinality) AS place
                FROM unnest(write_log.entries) WITH ORDINALITY AS e
            ) AS p
            ORDER BY p.ordinality
        );
    END IF;
    IF (SELECT s.log_chained_at IS NULL FROM lead_protection.settings AS s) THEN
        PERFORM lead_protection.chain_old_rows(ARRAY(SELECT DISTINCT e.lead_id FROM unnest(write_log.entries) AS e));
    END IF;

    FOR place IN 1..coalesce((SELECT max(p) FROM unnest(places) AS p), 0) LOOP
        INSERT INTO lead_protection.protection_log (
            event_id, lead_id, user_id, event_type, occurred_at, recorded_at, actor_id, reason,
            state_before, state_after, expires_before, expires_after, details, session_role, application_name,
            log_number, previous_hash, row_hash, texts_salt
        )
        SELECT
            n.event_id, n.lead_id, n.user_id, n.event_type, n.occurred_at, n.recorded_at, n.actor_id, n.reason,
            n.state_before, n.state_after, n.expires_before, n.expires_after, n.details,
            n.session_role, n.application_name, n.log_number, n.previous_hash,
            lead_protection.log_row_hash(
                (
                    n.event_id, n.lead_id, n.user_id, n.event_type, n.occurred_at, n.recorded_at, n.actor_id, n.reason,
                    n.state_before, n.state_after, n.expires_before, n.expires_after, n.details, n.session_role,
                    n.application_name, n.log_number, n.previous_hash, n.row_hash, n.chained_at, n.texts_salt,
                    n.texts_hash, NULL
                )::lead_protection.protection_log
            ),
            n.texts_salt
        FROM (
            SELECT
                gen_random_uuid() AS event_id,
                e.lead_id,
                e.user_id,
                e.event_type,
                e.occurred_at,
                clock_timestamp() AS recorded_at,
                e.actor_id,
                e.reason,
                e.state_before,
                e.state_after,
                e.expires_before,
                e.expires_after,
                coalesce(e.details, '{}') AS details,
                session_user AS session_role,
                called AS application_name,
                coalesce(p.log_number, 0) + 1 AS log_number,
                p.row_hash AS previous_hash,
                NULL::bytea AS row_hash,
                NULL::timestamptz AS chained_at,
                CASE
                    WHEN e.reason IS NOT NULL OR e.details ? 'evidence' THEN uuid_send(gen_random_uuid())
                END AS texts_salt,
                NULL::bytea AS texts_hash
            FROM unnest(write_log.entries) WITH ORDINALITY AS e
            LEFT JOIN LATERAL (
                SELECT g.log_number, g.row_hash
                FROM lead_protection.protection_log AS g
                WHERE g.lead_id = e.lead_id AND g.log_number IS NOT NULL
                ORDER BY g.log_number DESC
                LIMIT 1
            ) AS p ON true
            WHERE places[e.ordinality] = place
        ) AS n;
        GET DIAGNOSTICS written = ROW_COUNT;
        written_in_all := written_in_all + written;
    END LOOP;
    RETURN written_in_all;
END;
$$;

COMMENT ON FUNCTION lead_protection.write_log(lead_protection.protection_log[]) IS
'Writes log rows and chains them, and by the log''s trigger publishes them: of several of one lead in the order in '
'which they are given. Who, when and the chain are filled in; the rest is as given. Returns how many. Internal: '
'whoever changes many leads calls it, and has locked them.';
