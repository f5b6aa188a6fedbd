-- What make demo-nodes shows before the report of make demo: which node has what. Run with psql in the router.
\pset footer off
\pset linestyle unicode
\pset border 1

\echo 'The nodes: how many leads each has, and what its own pg_cron has done'
SELECT
    n.node_name,
    (
        SELECT count(*) FROM lead_protection_router.slots AS s
        WHERE s.node_name = n.node_name
    ) AS slots,
    l.leads,
    r.reminders_sent,
    j.runs_of_the_pipeline
FROM lead_protection_router.nodes AS n
INNER JOIN (
    SELECT
        node_name,
        count(*) AS leads
    FROM lead_protection.v_user_lead_protection
    GROUP BY node_name
) AS l ON n.node_name = l.node_name
LEFT JOIN (
    SELECT
        node_name,
        count(*) AS reminders_sent
    FROM lead_protection.lead_reminders
    GROUP BY node_name
) AS r ON n.node_name = r.node_name
LEFT JOIN (
    SELECT
        node_name,
        count(*) AS runs_of_the_pipeline
    FROM lead_protection.job_runs
    WHERE job_name = 'lead-protection-reminders' AND outcome = 'succeeded'
    GROUP BY node_name
) AS j ON n.node_name = j.node_name
ORDER BY n.node_name;
