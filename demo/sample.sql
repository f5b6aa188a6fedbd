-- 312 leads of FreshFoodz, made relative to now so that every state occurs whenever this is loaded, and the same each
-- time: nothing is random. Users 101 to 112 are employees under the standard policy, 113 and 114 agents whose contract
-- has the activity standard.
-- Actors: 900 sales office, 901 customer service, 902 head of sales.

-- What each lead is to be, by its number. days_left: from today to the expiry, before any hold. Where the
-- calendar month is too short, 6 months take up to 3 days off: all keep that distance from the next state.
CREATE TEMPORARY TABLE plan ON COMMIT DROP AS
WITH kinds (name, first_id, last_id) AS (
    VALUES
    ('protected', 1, 150),
    ('due', 151, 170),
    ('reminded', 171, 190),
    ('expired', 191, 230),
    ('closed', 231, 260),
    ('held', 261, 270),
    ('held while due', 271, 276),
    ('held after reminder', 277, 282),
    ('held beyond the end', 283, 288),
    ('revived', 289, 292),
    ('hold under way', 293, 296),
    ('hold ahead', 297, 300)
)

SELECT
    lead.id,
    101 + lead.id * 7 % 12 AS user_id,
    kinds.name AS kind,
    CASE kinds.name
        WHEN 'protected' THEN 16 + lead.id * 37 % 220
        WHEN 'due' THEN 8 + lead.id % 2
        WHEN 'reminded' THEN 4
        WHEN 'expired' THEN -1 - lead.id * 13 % 50
        WHEN 'closed' THEN 20 + lead.id * 11 % 80
        WHEN 'held' THEN 30 + lead.id * 17 % 120
        WHEN 'held while due' THEN 8
        WHEN 'held after reminder' THEN 4
        WHEN 'held beyond the end' THEN -10
        WHEN 'revived' THEN 4
        WHEN 'hold under way' THEN 60
        WHEN 'hold ahead' THEN 90
    END AS days_left,
    make_interval(hours => 8 + lead.id * 5 % 10, mins => lead.id * 17 % 60) AS time_of_day
FROM generate_series(1, 300) AS lead (id)
INNER JOIN kinds ON lead.id BETWEEN kinds.first_id AND kinds.last_id;

-- A lead starts 6 months, 60 days and 10 days before its expiry.
WITH started AS (
    SELECT
        id,
        user_id,
        kind,
        (
            (now() AT TIME ZONE 'Europe/Berlin')::date + days_left - 70 - INTERVAL '6 months' + time_of_day
        ) AT TIME ZONE 'Europe/Berlin' AS created_at
    FROM plan
)

-- They were leads before they came here: with changed_at they are no news, and not published as new.
INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at, closed_at)
SELECT
    id,
    user_id,
    created_at,
    created_at AS changed_at,
    CASE kind WHEN 'closed' THEN created_at + make_interval(days => 10 + id * 7 % 130) END
FROM started;

-- The agents' contract: they keep a lead for six months at most, and only while they work on it. They are warned 17
-- days before the end, on day 53 of 60 and 10.
SELECT lead_protection.assign_user_policy(agent.user_id, policy.policy_id, 900)
FROM
    lead_protection.create_policy_version(
        'agents', 900, rule => 'parallel', notice_required => true,
        warnings => '[{"days_before": 17, "audience": "user"}]'
    ) AS policy
CROSS JOIN (VALUES (113), (114)) AS agent (user_id);

-- started and active: days since the start and since the last qualified activity.
CREATE TEMPORARY TABLE agent_plan (id, user_id, kind, started, active) ON COMMIT DROP AS
VALUES
(301, 113, 'active', 100, 8),
(302, 114, 'active', 90, 15),
(303, 113, 'active', 60, 22),
(304, 114, 'active', 75, 29),
(305, 113, 'e-mails only', 110, 45),
(306, 114, 'e-mails only', 95, 48),
(307, 113, 'idle and reminded', 120, 66),
(308, 114, 'idle and reminded', 130, 66),
(309, 113, 'active to the end', 150, 12),
(310, 113, 'transferred', 80, 30),
(311, 113, 'extended', 85, 50),
(312, 114, 'idle and expired', 140, 100);

INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)
SELECT
    id,
    user_id,
    ((now() AT TIME ZONE 'Europe/Berlin')::date - started + TIME '09:30') AT TIME ZONE 'Europe/Berlin' AS created_at,
    now() AS changed_at
FROM agent_plan;

-- What the agents did: a call that counts, a later one that is the last that counts, and e-mails that do not count.
WITH activities AS (
    SELECT
        agent_plan.id,
        agent_plan.user_id,
        activity.kind,
        activity.key,
        (
            (now() AT TIME ZONE 'Europe/Berlin')::date - activity.ago + TIME '14:00'
        ) AT TIME ZONE 'Europe/Berlin' AS occurred_at
    FROM agent_plan
    CROSS JOIN LATERAL (
        VALUES
        ('QUALIFIED_CALL', 'call-1', (agent_plan.started + agent_plan.active) / 2),
        (
            (ARRAY['SAMPLE_FEEDBACK', 'CUSTOMER_REACTION', 'ROI_PRESENTATION'])[1 + agent_plan.id % 3],
            'visit-1',
            agent_plan.active
        ),
        ('EMAIL_SENT', 'mail-1', agent_plan.active - 3),
        ('EMAIL_SENT', 'mail-2', 2)
    ) AS activity (kind, key, ago)
)

INSERT INTO lead_protection.lead_activities (
    lead_id, user_id, kind, occurred_at, activity_key, recorded_by, recorded_at
)
SELECT
    id,
    user_id,
    kind,
    occurred_at,
    key,
    user_id AS recorded_by,
    occurred_at AS recorded_at
FROM activities;

-- The next lead gets the next number.
SELECT setval(pg_get_serial_sequence('lead_protection.leads', 'id'), max(id)) FROM lead_protection.leads;

-- Holds that are over: some were released early, some ended as planned, and some leads had two that overlap.
WITH holds AS (
    SELECT
        plan.id,
        plan.user_id,
        (ARRAY['FFZ_PRICE_APPROVAL', 'FFZ_SAMPLE_DELAY', 'FFZ_SUPPLY_ISSUE', 'CUSTOMER_BLOCKED'])[
            1 + (plan.id + nth.n) % 4
        ] AS reason,
        leads.created_at + make_interval(days => 20 + plan.id % 15 + 3 * nth.n) AS start_at,
        make_interval(days => 5 + plan.id % 12, hours => plan.id % 7) AS length,
        CASE plan.id % 2 WHEN 0 THEN 901 END AS released_by
    FROM plan
    INNER JOIN lead_protection.leads ON plan.id = leads.id
    INNER JOIN generate_series(0, 1) AS nth (n) ON nth.n = 0 OR plan.id % 3 = 0
    WHERE plan.kind IN ('protected', 'expired') AND plan.id % 5 = 0
)

INSERT INTO lead_protection.lead_holds (
    lead_id, user_id, reason, reason_code, start_at, end_at, created_by, created_at, released_by
)
SELECT
    id,
    user_id,
    reason,
    reason AS reason_code,
    start_at,
    start_at + length,
    900,
    start_at AS created_at,
    released_by
FROM holds
WHERE start_at + length < now();

-- Holds that have stood for days or weeks.
WITH holds AS (
    SELECT
        id,
        user_id,
        CASE kind WHEN 'held' THEN 'FFZ_SAMPLE_DELAY' ELSE 'CUSTOMER_BLOCKED' END AS reason,
        now() - make_interval(days => CASE kind WHEN 'held' THEN 3 + id % 25 ELSE 40 END) AS start_at
    FROM plan
    WHERE kind IN ('held', 'held beyond the end')
)

INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, reason_code, start_at, created_by, created_at)
SELECT
    id,
    user_id,
    reason,
    reason AS reason_code,
    start_at,
    900,
    start_at AS created_at
FROM holds;

-- What the pipeline did at noon of each day until a week ago. All since then is left for pg_cron.
WITH today AS (
    SELECT (now() AT TIME ZONE 'Europe/Berlin')::date AS day
),

noons AS (
    SELECT (today.day - days.ago + TIME '12:00') AT TIME ZONE 'Europe/Berlin' AS noon
    FROM today
    CROSS JOIN generate_series(60, 6, -1) AS days (ago)
)

SELECT
    sum(lead_protection.send_due_reminders(lead_protection.reminders_to_send(noon), noon)) AS reminders,
    sum(lead_protection.record_expiries(noon, 1000)) AS expiries
FROM noons;

-- What the sales office did today, through the functions that an application calls.
SELECT lead_protection.create_lead_hold(id, user_id, 'FFZ_PRICE_APPROVAL', 900)
FROM plan
WHERE kind IN ('held while due', 'held after reminder');

SELECT
    lead_protection.create_lead_hold(
        id, user_id, 'FFZ_SUPPLY_ISSUE', 900, now() - INTERVAL '5 days', now() + INTERVAL '10 days'
    )
FROM plan
WHERE kind = 'hold under way';

SELECT
    lead_protection.create_lead_hold(
        id, user_id, 'FFZ_SUPPLY_ISSUE', 900, now() + INTERVAL '20 days', now() + INTERVAL '34 days'
    )
FROM plan
WHERE kind = 'hold ahead';

-- Reminded already; the two weeks they get back take them out of their last days again.
SELECT lead_protection.create_lead_hold(id, user_id, 'CUSTOMER_BLOCKED', 900, now() - INTERVAL '14 days')
FROM plan
WHERE kind = 'revived';

SELECT lead_protection.release_lead_hold(id, user_id, 901)
FROM plan
WHERE kind = 'revived';

-- An agent has left: a colleague goes on with the lead. Another one asked for more time.
SELECT lead_protection.transfer_lead(310, 113, 114, 'agent has left', 900);

SELECT lead_protection.extend_lead(311, 113, 30, 'customer decides after the trade fair', 902, 900, 'request-2041');
