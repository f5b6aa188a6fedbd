CREATE OR REPLACE FUNCTION lead_protection.statement_of_user(
    user_id bigint, from_at timestamptz, until_at timestamptz, language text DEFAULT 'de',
    format text DEFAULT 'markdown'
)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    -- Nothing is known of what lies ahead.
    as_of CONSTANT timestamptz := least(statement_of_user.until_at, now());
    zone text;
    words CONSTANT jsonb := lead_protection.words_of(statement_of_user.language);
    -- Said in place and not by value_text(), for thousands of leads.
    instant_form CONSTANT text := words ->> 'form.listed_instant';
    listed jsonb;
    summary jsonb;
    facts text;
    parameters jsonb;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'user_id', statement_of_user.user_id, 'from_at', statement_of_user.from_at,
            'until_at', statement_of_user.until_at, 'language', statement_of_user.language,
            'format', statement_of_user.format
        )
    );
    PERFORM lead_protection.require_statement_form(statement_of_user.language, statement_of_user.format);
    PERFORM lead_protection.require_instant(statement_of_user.from_at, 'from_at', may_be_ahead => true);
    PERFORM lead_protection.require_instant(statement_of_user.until_at, 'until_at', may_be_ahead => true);
    IF statement_of_user.until_at <= statement_of_user.from_at THEN
        RAISE EXCEPTION 'the period ends before it begins'
            USING ERRCODE = 'LP006',
            DETAIL = format(
                'Given: from %s until %s.', lead_protection.instant_text(statement_of_user.from_at),
                lead_protection.instant_text(statement_of_user.until_at)
            ),
            HINT = 'Check the order of the two instants and their time zones.';
    END IF;

    SELECT p.time_zone INTO zone
    FROM lead_protection.protection_policies AS p
    WHERE p.id = lead_protection.policy_of_user(statement_of_user.user_id);
    zone := coalesce(zone, 'UTC');

    WITH of_user AS MATERIALIZED (
        SELECT u.*
        FROM lead_protection.user_leads(
            statement_of_user.user_id, statement_of_user.from_at, statement_of_user.until_at, as_of
        ) AS u
    )

    SELECT
        (
            SELECT jsonb_agg(
                jsonb_build_array(
                    u.lead_id::text || coalesce(' (' || u.lead_key || ')', ''),
                    to_char(u.started_at AT TIME ZONE zone, instant_form),
                    u.policy_name || ' ' || u.policy_version,
                    to_char(u.protection_expires_at AT TIME ZONE zone, instant_form),
                    concat_ws(
                        '; ',
                        words ->> ('state.' || u.state),
                        CASE WHEN u.on_hold THEN words ->> 'report.stopped' END,
                        CASE WHEN u.closed_at IS NOT NULL
                            THEN concat_ws(
                                ' ', words ->> ('outcome.' || u.closed_as),
                                to_char(u.closed_at AT TIME ZONE zone, instant_form)
                            )
                        END,
                        CASE WHEN u.left_at IS NOT NULL
                            THEN concat_ws(
                                ' ', words ->> 'state.LEFT', to_char(u.left_at AT TIME ZONE zone, instant_form)
                            )
                        END
                    ),
                    CASE WHEN u.stopped <> INTERVAL '0'
                        THEN lead_protection.length_text(u.stopped, words)
                    END,
                    CASE WHEN u.extended_days > 0
                        THEN lead_protection.length_text(
                            make_interval(days => u.extended_days), words
                        )
                    END,
                    concat_ws(
                        '; ',
                        to_char(u.reminded_at AT TIME ZONE zone, instant_form),
                        CASE WHEN u.delivered_at IS NOT NULL THEN concat_ws(
                            ' ', words ->> 'delivery.delivered',
                            to_char(u.delivered_at AT TIME ZONE zone, instant_form)
                        ) END
                    )
                )
                ORDER BY u.started_at, u.lead_id
            )
            FROM of_user AS u
        ),
        (
            SELECT jsonb_agg(
                jsonb_build_array(words ->> ('state.' || g.state), g.leads::text, g.on_hold::text) ORDER BY g.place
            )
            FROM (
                SELECT
                    f.state,
                    count(*) AS leads,
                    count(*) FILTER (WHERE u.on_hold) AS on_hold,
                    array_position(
                        ARRAY['PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'LEFT'], f.state
                    ) AS place
                FROM of_user AS u
                CROSS JOIN LATERAL (SELECT CASE WHEN u.left_at IS NULL THEN u.state ELSE 'LEFT' END AS state) AS f
                GROUP BY f.state
            ) AS g
        )
        || jsonb_build_array(jsonb_build_array(
            words ->> 'user_statement.total',
            (SELECT count(*)::text FROM of_user),
            (SELECT count(*)::text FROM of_user AS u WHERE u.on_hold)
        )),
        -- Instants in UTC, whatever the session's zone.
        (
            SELECT string_agg(
                jsonb_build_array(
                    u.lead_id, u.lead_key, extract(EPOCH FROM u.started_at), extract(EPOCH FROM u.left_at),
                    extract(EPOCH FROM u.closed_at), u.closed_as, u.policy_name, u.policy_version, u.state, u.on_hold,
                    extract(EPOCH FROM u.protection_expires_at), extract(EPOCH FROM u.stopped), u.extended_days,
                    extract(EPOCH FROM u.reminded_at), extract(EPOCH FROM u.delivered_at)
                )::text,
                E'\n' ORDER BY u.started_at, u.lead_id
            )
            FROM of_user AS u
        )
    INTO listed, summary, facts;

    parameters := jsonb_build_object(
        'user_id', statement_of_user.user_id, 'zone', zone,
        'from', lead_protection.instant_text(statement_of_user.from_at),
        'until', lead_protection.instant_text(statement_of_user.until_at),
        'as_of', lead_protection.instant_text(as_of)
    );
    parameters := parameters || jsonb_build_object(
        'checksum', encode(sha256(convert_to(parameters::text || coalesce(facts, ''), 'UTF8')), 'hex')
    );
    RETURN lead_protection.page(
        (
            SELECT jsonb_agg(
                jsonb_build_object('kind', b.kind, 'text', lead_protection.statement_text(
                    b.code, words, parameters, zone
                ))
                ORDER BY b.place
            )
            FROM (
                VALUES
                (1, 'title', 'user_statement.title'),
                (2, 'text', 'user_statement.period'),
                (3, 'text', 'user_statement.as_of'),
                (4, 'heading', 'user_statement.summary')
            ) AS b (place, kind, code)
        )
        || CASE
            WHEN listed IS NULL THEN jsonb_build_array(
                jsonb_build_object('kind', 'text', 'text', words ->> 'user_statement.none')
            )
            ELSE jsonb_build_array(
                lead_protection.table_block(
                    ARRAY['head.state', 'head.leads', 'head.of_them_on_hold'], words, summary
                ),
                jsonb_build_object('kind', 'heading', 'text', words ->> 'user_statement.leads'),
                lead_protection.table_block(
                    ARRAY[
                        'head.lead', 'head.from', 'head.policy', 'head.protected_until', 'head.state', 'head.stopped',
                        'head.extended', 'head.reminded'
                    ],
                    words, listed
                )
            )
        END
        || jsonb_build_array(
            jsonb_build_object('kind', 'note', 'text', lead_protection.statement_text(
                'statement.checksum', words, parameters
            )),
            jsonb_build_object('kind', 'note', 'text', words ->> 'statement.foot')
        ),
        statement_of_user.language, statement_of_user.format
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.statement_of_user(bigint, timestamptz, timestamptz, text, text) IS
'All leads that were protected for a user at any time from from_at until before until_at, as a page to be handed '
'over: for each its start, policy, expiry, state, what became of it, by how much holds stopped its base clock, the '
'days granted on request, and the last reminder with its delivery; a summary by state, and a SHA-256 over it. Each '
'lead as it stood at until_at (in the future: now), or when it ceased to be the user''s, by the facts known now. '
'language: en or de; format: markdown or html, as protection_statement(). Times are those of the zone of the user''s '
'policy. Has no free text. Changes nothing. A user without leads gets a page that says so.
Errors: LP001 null argument, LP005 an instant outside the years 1900 to 2999, LP006 until_at is not after from_at, '
'LP062 unknown language, LP077 unknown format.';
