-- 312 leads of FreshFoodz, entered through a router, which spreads them over its nodes: what an application calls, and
-- no row is written. They are made relative to now, so that every state occurs whenever this is loaded. The numbers
-- are given, and not drawn, for the report that make demo shows, too.
SELECT count(*) AS leads_entered
FROM (
    SELECT
        id,
        101 + id * 7 % 12 AS user_id,
        CASE
            WHEN id <= 150 THEN 16 + id * 37 % 220  -- protected
            WHEN id <= 190 THEN 5 + id % 5  -- a reminder is due
            WHEN id <= 230 THEN -1 - id * 13 % 50  -- expired
            ELSE 20 + id * 11 % 80  -- closed, held
        END AS days_left
    FROM generate_series(1, 300) AS id
) AS plan
CROSS JOIN LATERAL lead_protection.protect_lead(
    plan.user_id, 900, 'demo-' || plan.id,
    (
        (now() AT TIME ZONE 'Europe/Berlin')::date + plan.days_left - 70 - INTERVAL '6 months'
        + make_interval(hours => 8 + plan.id * 5 % 10, mins => plan.id * 17 % 60)
    ) AT TIME ZONE 'Europe/Berlin',
    plan.id
);

SELECT count(*) AS leads_closed
FROM generate_series(231, 260) AS l (id)
CROSS JOIN LATERAL lead_protection.close_lead(
    id, 101 + id * 7 % 12, CASE id % 2 WHEN 0 THEN 'CONVERTED' ELSE 'LOST' END, 'answer of the customer', 901
);

SELECT
    outcome,
    count(*) AS held_by_one_call
FROM
    lead_protection.hold_leads(
        'demo-strike', 'PRICE_APPROVAL', 901, array(SELECT id FROM generate_series(261, 300) AS id)
    )
GROUP BY outcome;

-- The agents' contract, on all nodes: two clocks, and a warning 17 days before the end.
SELECT lead_protection.assign_user_policy(agent.user_id, policy.policy_id, 900)
FROM
    lead_protection.create_policy_version(
        'agents', 900, rule => 'parallel', notice_required => true,
        warnings => '[{"days_before": 17, "audience": "user"}]'
    ) AS policy
CROSS JOIN (VALUES (113), (114)) AS agent (user_id);

SELECT count(*) AS leads_of_agents
FROM generate_series(301, 312) AS l (id)
CROSS JOIN
    LATERAL lead_protection.protect_lead(
        113 + id % 2, 900, 'demo-' || id, now() - make_interval(days => 60 + (id - 301) * 7), id
    ) AS entered
CROSS JOIN LATERAL lead_protection.record_lead_activity(
    entered.lead_id, entered.user_id, 'QUALIFIED_CALL', now() - make_interval(days => 5 + (id - 301) * 5),
    'call-' || id, 900
);

SELECT changed AS lead_311_extended
FROM lead_protection.extend_lead(311, 114, 14, 'pilot runs longer', 902, 900, 'demo-311');
