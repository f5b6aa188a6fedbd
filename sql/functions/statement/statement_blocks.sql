-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.statement_blocks(facts jsonb, checksum text, words jsonb)
RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone CONSTANT text := statement_blocks.facts #>> '{steps,0,sentences,0,parameters,zone}';
    has_begun CONSTANT boolean := jsonb_typeof(statement_blocks.facts -> 'result') = 'object';
    is_somebodys CONSTANT boolean := jsonb_typeof(statement_blocks.facts -> 'user_id') = 'number';
    is_parallel CONSTANT boolean := statement_blocks.facts #>> '{policy,rule}' = 'parallel';
    state CONSTANT text := statement_blocks.facts #>> '{result,state}';
    lead CONSTANT text := (statement_blocks.facts ->> 'lead_id')
        || coalesce(' (' || nullif(statement_blocks.facts ->> 'lead_key', '') || ')', '');
    parameters jsonb;
    blocks jsonb;
    contents jsonb;
BEGIN
    parameters := jsonb_build_object(
        'lead', lead, 'as_of', statement_blocks.facts -> 'as_of', 'zone', zone,
        'user_id', statement_blocks.facts -> 'user_id', 'policy', statement_blocks.facts #> '{policy,name}',
        'version', statement_blocks.facts #> '{policy,version}', 'from', statement_blocks.facts #> '{steps,0,from}',
        'until', statement_blocks.facts #> '{result,protection_expires_at}',
        'closed', (
            SELECT s -> 'from' FROM jsonb_array_elements(statement_blocks.facts -> 'steps') AS s
            WHERE s ->> 'item' = 'CLOSED'
        ),
        'checksum', statement_blocks.checksum
    );
    blocks := jsonb_build_array(
        jsonb_build_object(
            'kind', 'title', 'text', lead_protection.statement_text('statement.title',
                statement_blocks.words, parameters, zone)
        ),
        jsonb_build_object(
            'kind', 'text', 'text', lead_protection.statement_text('statement.made',
                statement_blocks.words, parameters, zone)
        ),
        jsonb_build_object('kind', 'lead', 'text', lead_protection.statement_text(
            CASE
                WHEN NOT has_begun THEN 'statement.not_begun'
                WHEN state = 'CLOSED' AND is_somebodys THEN 'statement.closed'
                WHEN NOT is_somebodys THEN 'statement.free'
                WHEN state = 'EXPIRED' THEN 'statement.expired'
                WHEN (statement_blocks.facts #>> '{result,on_hold}')::boolean THEN 'statement.on_hold'
                ELSE 'statement.protected'
            END, statement_blocks.words, parameters, zone
        )),
        jsonb_build_object('kind', 'text', 'text', statement_blocks.words ->> 'statement.facts_now')
    );

    IF has_begun AND is_somebodys THEN
        blocks := blocks || jsonb_build_array(
            jsonb_build_object(
                'kind', 'figure', 'svg',
                    lead_protection.statement_figure(statement_blocks.facts, statement_blocks.words)
            ),
            jsonb_build_object('kind', 'heading', 'text', statement_blocks.words ->> 'statement.terms'),
            lead_protection.table_block(ARRAY['head.term', 'head.value'], statement_blocks.words, (
                SELECT jsonb_agg(
                    jsonb_build_array(statement_blocks.words ->> ('contract.' || t.code), t.value)
                    ORDER BY t.place
                )
                FROM (
                    VALUES
                    (1, 'policy', lead_protection.statement_text('contract.named', statement_blocks.words, parameters)),
                    (2, 'rule', lead_protection.value_text(
                        statement_blocks.facts #>> '{policy,rule}', 'rule_name', statement_blocks.words, zone
                    )),
                    (3, 'base', lead_protection.value_text(
                        statement_blocks.facts #>> '{policy,base_months}', 'months', statement_blocks.words, zone
                    )),
                    (4, 'extension', lead_protection.value_text(
                        statement_blocks.facts #>> '{policy,extension_days}', 'days', statement_blocks.words, zone
                    )),
                    (5, 'grace', lead_protection.value_text(
                        statement_blocks.facts #>> '{policy,grace_days}', 'days', statement_blocks.words, zone
                    )),
                    (6, 'reminder_time', left(statement_blocks.facts #>> '{policy,reminder_time}', 5)),
                    (7, 'zone', zone),
                    (8, 'notice', lead_protection.value_text(
                        statement_blocks.facts #>> '{policy,notice_required}', 'yes_no', statement_blocks.words, zone
                    )),
                    (9, 'extension_limit', lead_protection.value_text(
                        statement_blocks.facts #>> '{policy,extension_limit_days}', 'days', statement_blocks.words, zone
                    )),
                    (10, 'hold_limit', lead_protection.value_text(
                        statement_blocks.facts #>> '{limits,hold_limit_days}', 'days', statement_blocks.words, zone
                    )),
                    (11, 'hold_total_limit', lead_protection.value_text(
                        statement_blocks.facts #>> '{limits,hold_total_limit_days}', 'days',
                            statement_blocks.words, zone
                    )),
                    -- What most contracts do not have is told only where it is.
                    (12, 'period_end', lead_protection.value_text(
                        nullif(statement_blocks.facts #>> '{policy,period_end}', 'instant'), 'contract_term',
                        statement_blocks.words, zone
                    )),
                    (13, 'hold_unit', lead_protection.value_text(
                        nullif(statement_blocks.facts #>> '{policy,hold_unit}', 'elapsed'), 'contract_term',
                        statement_blocks.words, zone
                    )),
                    (14, 'expiry_on', lead_protection.value_text(
                        nullif(statement_blocks.facts #>> '{policy,expiry_on}', 'any_day'), 'contract_term',
                        statement_blocks.words, zone
                    )),
                    (15, 'remind_on', lead_protection.value_text(
                        nullif(statement_blocks.facts #>> '{policy,remind_on}', 'any_day') || '_before',
                        'contract_term', statement_blocks.words, zone
                    )),
                    (16, 'notice_counts_from', lead_protection.value_text(
                        nullif(statement_blocks.facts #>> '{policy,notice_counts_from}', 'sent'), 'contract_term',
                        statement_blocks.words, zone
                    )),
                    (17, 'calendar', statement_blocks.facts #>> '{policy,calendar}')
                ) AS t (place, code, value)
                WHERE t.value IS NOT NULL
            ))
        );
    END IF;

    blocks := blocks || jsonb_build_array(
        jsonb_build_object('kind', 'heading', 'text', statement_blocks.words ->> 'statement.steps'),
        lead_protection.table_block(
            ARRAY['head.number', 'head.step', 'head.explanation', 'head.end', 'head.entered'], statement_blocks.words,
            (
                SELECT jsonb_agg(
                    jsonb_build_array(
                        s.step ->> 'step',
                        lead_protection.value_text(s.step ->> 'item', 'item', statement_blocks.words, zone)
                        -- With one clock there is nothing to tell apart.
                        || coalesce(
                            ' (' || CASE WHEN is_parallel OR s.step ->> 'clock' = 'notice' THEN
                                lead_protection.value_text(s.step ->> 'clock', 'clock', statement_blocks.words, zone)
                            END || ')', ''
                        ),
                        lead_protection.sentence_text(s.step -> 'sentences', statement_blocks.words, zone),
                        lead_protection.value_text(s.step ->> 'expires_at', 'instant', statement_blocks.words, zone),
                        concat_ws(
                            '; ', lead_protection.entered_text(s.step, statement_blocks.words, zone),
                            CASE
                                WHEN
                                    s.step ->> 'item' IN ('START', 'HOLD')
                                    -- As long as clocks may differ, it was entered at once.
                                    AND (s.step ->> 'entered_at')::timestamptz
                                    > (s.step ->> 'from')::timestamptz + INTERVAL '5 minutes'
                                    THEN statement_blocks.words ->> 'statement.after_the_fact'
                            END
                        )
                    )
                    ORDER BY s.ordinality
                )
                FROM jsonb_array_elements(statement_blocks.facts -> 'steps') WITH ORDINALITY AS s (step, ordinality)
            )
        ),
        jsonb_build_object('kind', 'heading', 'text', statement_blocks.words ->> 'statement.holds')
    );

    SELECT jsonb_agg(
        jsonb_build_array(
            h.hold ->> 'hold_id',
            lead_protection.value_text(h.hold ->> 'from', 'instant', statement_blocks.words, zone),
            coalesce(
                lead_protection.value_text(h.hold ->> 'until', 'instant', statement_blocks.words, zone),
                statement_blocks.words ->> 'statement.open'
            ),
            lead_protection.reason_text(
                h.hold ->> 'reason_code', h.hold ->> 'reason', h.hold ->> 'reason_description',
                statement_blocks.words
            ),
            (
                SELECT string_agg(
                    coalesce(
                        CASE
                            WHEN is_parallel OR jsonb_array_length(h.hold -> 'counted') > 1
                                THEN lead_protection.value_text(c.counted ->> 'clock', 'clock',
                                    statement_blocks.words, zone)
                                    || ': '
                        END, ''
                    )
                    || lead_protection.sentence_text(c.counted -> 'sentences', statement_blocks.words, zone),
                    ' ' ORDER BY c.ordinality
                )
                FROM jsonb_array_elements(nullif(h.hold -> 'counted', 'null'))
                    WITH ORDINALITY AS c (counted, ordinality)
            ),
            concat_ws(
                '; ',
                lead_protection.entered_text(h.hold, statement_blocks.words, zone),
                CASE WHEN (h.hold ->> 'after_the_fact')::boolean
                    THEN statement_blocks.words ->> 'statement.after_the_fact'
                END,
                (
                    SELECT string_agg(
                        lead_protection.statement_text(
                            'statement.hold_change', statement_blocks.words,
                            g.change || jsonb_build_object(
                                'actor', coalesce(
                                    g.change ->> 'actor_id', statement_blocks.words ->> 'statement.system'
                                )
                            ),
                            zone
                        ),
                        '; ' ORDER BY g.ordinality
                    )
                    FROM jsonb_array_elements(nullif(h.hold -> 'changes', 'null'))
                        WITH ORDINALITY AS g (change, ordinality)
                )
            )
        )
        ORDER BY h.ordinality
    )
    INTO contents
    FROM jsonb_array_elements(nullif(statement_blocks.facts -> 'holds', 'null'))
        WITH ORDINALITY AS h (hold, ordinality);
    blocks := blocks
        || lead_protection.table_block(
            ARRAY['head.number', 'head.from', 'head.until', 'head.reason', 'head.counted', 'head.entered'],
            statement_blocks.words, contents, 'statement.no_holds'
        );

    SELECT jsonb_agg(
        jsonb_build_array(
            x.extension ->> 'extension_id', x.extension ->> 'user_id', x.extension ->> 'days',
            x.extension ->> 'reason', x.extension ->> 'approved_by',
            lead_protection.entered_text(x.extension, statement_blocks.words, zone)
        )
        ORDER BY x.ordinality
    )
    INTO contents
    FROM jsonb_array_elements(nullif(statement_blocks.facts -> 'extensions', 'null'))
        WITH ORDINALITY AS x (extension, ordinality);
    blocks := blocks
        || jsonb_build_object(
            'kind', 'heading', 'text', statement_blocks.words ->> 'statement.extensions'
        )
        || lead_protection.table_block(
            ARRAY['head.number', 'head.user', 'head.days', 'head.reason', 'head.approved_by', 'head.entered'],
            statement_blocks.words, contents, 'statement.no_extensions'
        );

    SELECT jsonb_agg(
        jsonb_build_array(
            coalesce(o.owner ->> 'user_id', statement_blocks.words ->> 'statement.nobody'),
            lead_protection.value_text(o.owner ->> 'from', 'instant', statement_blocks.words, zone),
            lead_protection.value_text(o.owner ->> 'until', 'instant', statement_blocks.words, zone),
            CASE WHEN jsonb_typeof(o.owner -> 'user_id') = 'number'
                THEN lead_protection.statement_text('contract.named', statement_blocks.words, o.owner)
            END
        )
        ORDER BY o.ordinality
    )
    INTO contents
    FROM jsonb_array_elements(nullif(statement_blocks.facts -> 'owners', 'null'))
        WITH ORDINALITY AS o (owner, ordinality);
    blocks := blocks
        || CASE WHEN contents IS NULL THEN '[]' ELSE jsonb_build_array(
            jsonb_build_object('kind', 'heading', 'text', statement_blocks.words ->> 'statement.owners'),
            lead_protection.table_block(
                ARRAY['head.user', 'head.from', 'head.until', 'head.policy'], statement_blocks.words, contents
            )
        ) END
        || jsonb_build_object(
            'kind', 'heading', 'text', statement_blocks.words ->> 'statement.reminders'
        );

    SELECT jsonb_agg(
        jsonb_build_array(
            r.reminder ->> 'user_id',
            lead_protection.value_text(r.reminder ->> 'window', 'date', statement_blocks.words, zone),
            lead_protection.value_text(r.reminder ->> 'due_at', 'instant', statement_blocks.words, zone),
            lead_protection.value_text(r.reminder ->> 'sent_at', 'instant', statement_blocks.words, zone),
            (
                SELECT string_agg(
                    lead_protection.value_text(d.delivery ->> 'outcome', 'delivery',
                        statement_blocks.words, zone) || ', '
                    || lead_protection.value_text(d.delivery ->> 'at', 'instant', statement_blocks.words, zone),
                    '; ' ORDER BY d.ordinality
                )
                FROM jsonb_array_elements(nullif(r.reminder -> 'deliveries', 'null'))
                    WITH ORDINALITY AS d (delivery, ordinality)
            )
        )
        ORDER BY r.ordinality
    )
    INTO contents
    FROM jsonb_array_elements(nullif(statement_blocks.facts -> 'reminders', 'null'))
        WITH ORDINALITY AS r (reminder, ordinality);
    blocks := blocks
        || lead_protection.table_block(
            ARRAY['head.user', 'head.window', 'head.due', 'head.sent', 'head.delivery'],
            statement_blocks.words, contents, 'statement.no_reminders'
        )
        || jsonb_build_object('kind', 'heading', 'text', statement_blocks.words ->> 'statement.shown');

    SELECT jsonb_agg(
        jsonb_build_array(
            lead_protection.value_text(d.difference ->> 'at', 'instant', statement_blocks.words, zone),
            lead_protection.shown_text(d.difference -> 'shown', statement_blocks.words, zone),
            lead_protection.shown_text(d.difference -> 'known_now', statement_blocks.words, zone)
        )
        ORDER BY d.ordinality
    )
    INTO contents
    FROM jsonb_array_elements(nullif(statement_blocks.facts -> 'shown', 'null'))
        WITH ORDINALITY AS d (difference, ordinality);
    blocks := blocks
        || lead_protection.table_block(
            ARRAY['head.at', 'head.shown', 'head.known_now'],
            statement_blocks.words, contents, 'statement.nothing_differs'
        )
        || jsonb_build_object('kind', 'heading', 'text', statement_blocks.words ->> 'statement.log');

    SELECT jsonb_agg(
        jsonb_build_array(
            lead_protection.value_text(g.entry ->> 'at', 'instant', statement_blocks.words, zone),
            lead_protection.value_text(g.entry ->> 'event', 'event', statement_blocks.words, zone),
            g.entry ->> 'user_id',
            g.entry ->> 'actor_id',
            lead_protection.shown_text(g.entry, statement_blocks.words, zone)
        )
        ORDER BY g.ordinality
    )
    INTO contents
    FROM jsonb_array_elements(nullif(statement_blocks.facts -> 'log', 'null'))
        WITH ORDINALITY AS g (entry, ordinality);
    RETURN blocks
        || lead_protection.table_block(
            ARRAY['head.at', 'head.event', 'head.user', 'head.actor', 'head.shown'],
            statement_blocks.words, contents, 'statement.no_log'
        )
        || CASE WHEN (statement_blocks.facts ->> 'log_rows')::bigint > 100 THEN jsonb_build_object(
            'kind', 'text', 'text', lead_protection.statement_text(
                'statement.log_left_out', statement_blocks.words,
                jsonb_build_object('count', (statement_blocks.facts ->> 'log_rows')::bigint - 100)
            )
        ) ELSE '[]' END
        || jsonb_build_array(
            jsonb_build_object(
                'kind', 'note', 'text', lead_protection.statement_text(
                    CASE
                        WHEN statement_blocks.facts -> 'seal' = 'null' THEN 'statement.no_seal' ELSE 'statement.seal'
                    END,
                    statement_blocks.words, coalesce(nullif(statement_blocks.facts -> 'seal', 'null'), '{}'), zone
                )
            ),
            jsonb_build_object(
                'kind', 'note', 'text', lead_protection.statement_text('statement.checksum',
                    statement_blocks.words, parameters)
            ),
            jsonb_build_object('kind', 'note', 'text', statement_blocks.words ->> 'statement.foot')
        );
END;
$$;

COMMENT ON FUNCTION lead_protection.statement_blocks(jsonb, text, jsonb) IS
'The page of protection_statement() as blocks for page(). facts: of statement_facts(), and the seal; checksum: '
'over those of statement_facts(). Internal.';
