-- Not by the rules: the id of a new lead is drawn here, and a request that is repeated must come to the lead that it
-- entered.
CREATE OR REPLACE FUNCTION lead_protection.protect_lead(
    user_id bigint,
    actor_id bigint,
    request_key text,
    started_at timestamptz DEFAULT NULL,
    lead_id bigint DEFAULT NULL,
    policy_id bigint DEFAULT NULL
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    number bigint := protect_lead.lead_id;
    entered bigint;
    node integer;
    tries integer := 0;
    state text;
    said text;
    detail text;
    hint text;
BEGIN
    IF
        protect_lead.lead_id IS NULL
        -- While a slot is on its way, its leads are on two nodes.
        AND EXISTS (
            SELECT FROM lead_protection_router.moved_leads AS m
            WHERE
                lead_protection_router.slot_of(m.lead_id)
                = lead_protection_router.slot_of_key(protect_lead.request_key)
        )
    THEN
        number := (
            SELECT max(l)
            FROM lead_protection_router.lead_of_request(
                lead_protection_router.all_partitions(), protect_lead.request_key
            ) AS l
        );
    END IF;
    number := coalesce(number, lead_protection_router.draw_lead_id(protect_lead.request_key));
    LOOP
        BEGIN
            node := lead_protection_router.partition_of(number);
            RETURN lead_protection_nodes.protect_lead(node, $1, $2, $3, $4, number, $6);
        EXCEPTION
            WHEN OTHERS THEN
                tries := tries + 1;
                GET STACKED DIAGNOSTICS
                    state := RETURNED_SQLSTATE, said := MESSAGE_TEXT, detail := PG_EXCEPTION_DETAIL,
                    hint := PG_EXCEPTION_HINT;
                entered := NULL;
                -- The node has the key already, under the number that the first call drew; or had it, and the lead
                -- has moved.
                IF protect_lead.lead_id IS NULL AND (state = 'LP135' OR (state = 'LP020' AND tries = 1)) THEN
                    entered := (
                        SELECT max(l)
                        FROM lead_protection_router.lead_of_request(
                            CASE state
                                WHEN 'LP135' THEN lead_protection_router.all_partitions()
                                ELSE ARRAY[node]
                            END,
                            protect_lead.request_key
                        ) AS l
                    );
                    number := coalesce(entered, number);
                END IF;
                -- Which waits until the router has learned of a move, and gives up in the end.
                IF entered IS NULL OR state = 'LP135' THEN
                    PERFORM lead_protection_router.pass_on(ARRAY[node], tries, 'fail', state, said, detail, hint);
                END IF;
        END;
    END LOOP;
END;
$$;
