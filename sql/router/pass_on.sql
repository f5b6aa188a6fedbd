-- What a call is told when a node raised an error, or could not be reached. PL/Proxy puts its words in front of those
-- of a node: they are taken away, so that an error reads as it does on the node.
CREATE OR REPLACE FUNCTION lead_protection_router.pass_on(
    partitions integer[], tries integer, if_silent text, state text, said text, detail text, hint text
)
RETURNS integer[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    silent integer [];
    others integer [];
    names text;
    reasons text;
BEGIN
    -- The lead has moved: the call is routed anew. The router may learn of it a moment later than the node: all tries
    -- together wait for a second.
    IF pass_on.state = 'LP135' AND pass_on.tries < 10 THEN
        PERFORM pg_sleep(0.001 * 2 ^ pass_on.tries);
        RETURN NULL;
    END IF;
    IF
        -- Of PL/Proxy, and of libpq, whose errors have no SQLSTATE.
        (pass_on.state = 'XX000' AND pass_on.said ~ '(^PL/Proxy function [^:]*: (\[[^]]*\] )?PQ|\] REMOTE \(null\): )')
        -- The node is being stopped, or starts, or has no place for another connection.
        OR pass_on.state IN ('57P01', '57P02', '57P03', '53300', '08006')
    THEN
        SELECT
            array_agg(s.node_number), string_agg(s.node_name, ', '),
            string_agg(s.node_name || ': ' || s.why, '; ')
        INTO silent, names, reasons
        FROM lead_protection_router.silent_nodes(pass_on.partitions) AS s;
        others := ARRAY(SELECT u.number FROM unnest(pass_on.partitions) AS u (number) WHERE u.number <> ALL (silent));
        IF
            pass_on.if_silent = 'warn' AND silent IS NOT NULL
            AND current_setting('lead_protection.missing_nodes', true) = 'warn'
        THEN
            RAISE WARNING 'without the leads of node %', names USING ERRCODE = 'LP130', DETAIL = reasons;
            RETURN others;
        END IF;
        IF pass_on.if_silent = 'next' AND others <> '{}' THEN
            RETURN others;
        END IF;
        RAISE EXCEPTION '%', coalesce('node ' || names || ' does not answer', 'the connection to a node broke')
            USING ERRCODE = 'LP130',
            DETAIL = coalesce(reasons, pass_on.said),
            HINT = CASE
                WHEN pass_on.if_silent = 'warn'
                    THEN 'Leads of other nodes can be called. To read without this one: SET '
                        'lead_protection.missing_nodes = ''warn''.'
                ELSE 'Leads of other nodes can be called. Whether the call was done is not known: repeat it with the '
                    'same arguments when the node is back, or its standby is promoted (lead-protection router repoint).'
            END;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = pass_on.state,
        MESSAGE = regexp_replace(pass_on.said, '^[^:]+\(\d+\): \[[^]]*\] REMOTE [^:]+: ', ''),
        DETAIL = regexp_replace(pass_on.detail, '^Remote detail: ', ''),
        HINT = regexp_replace(pass_on.hint, '^Remote hint: ', '');
END;
$$;

COMMENT ON FUNCTION lead_protection_router.pass_on(integer[], integer, text, text, text, text, text) IS
'Raises the error of a call again as the node raised it, or LP130 if a node does not answer. Returns the nodes for '
'another try: null, to be routed anew, if a lead has moved (LP135); without the nodes that do not answer if others do '
'as well (if_silent: next), or if the caller reads without them (if_silent: warn, and lead_protection.missing_nodes is '
'warn), after a warning that names them; if_silent fail: never.';
