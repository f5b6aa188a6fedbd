-- What a superuser does once, so that everything else needs none. A psql script; it may be run again.
--
-- In the database that gets Lead Protection, with the role that will own it and the role that will run the jobs:
--     psql -X -v owner=crm_owner -v jobs=crm_jobs -f roles.sql crm
-- Where pg_cron lives in another database of the server, there, too, for the job role only:
--     psql -X -v jobs=crm_jobs -f roles.sql postgres
--
-- It makes the group roles, and each of the two named roles if it is not there. A new one may log in and has no
-- password: give it one (\password crm_owner), or another way in by pg_hba.conf.
\set ON_ERROR_STOP on
\if :{?owner}
\else
\if :{?jobs}
\else
\warn 'roles.sql: name the owner, the job role or both: -v owner=NAME -v jobs=NAME'
DO $$ BEGIN RAISE EXCEPTION 'no role was named' USING ERRCODE = 'invalid_parameter_value'; END $$;
\endif
\endif

BEGIN;
-- A superuser runs this: only PostgreSQL's own functions and operators are meant.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Who may do what: README.md, "Roles". They cannot log in; roles that can are made members of them.
SELECT pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted.name)
FROM (
    VALUES
    ('lead_protection_app'),
    ('lead_protection_operator'),
    ('lead_protection_monitor'),
    ('lead_protection_jobs'),
    ('lead_protection_consumer'),
    ('lead_protection_reader'),
    ('lead_protection_privacy')
) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = wanted.name)
\gexec

\if :{?owner}
SELECT pg_catalog.format('CREATE ROLE %I LOGIN', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = :'owner')
\gexec
-- To make schema lead_protection; not needed any more once it is there.
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO :"owner";
-- SQL of the company's own, in conditions on adopted tables, runs as this role; the owner gives it one function.
GRANT lead_protection_reader TO :"owner";
-- Where yoyo keeps its books: PostgreSQL lets nobody but the database's owner make tables in public.
CREATE SCHEMA IF NOT EXISTS :"owner" AUTHORIZATION :"owner";
\endif

\if :{?jobs}
SELECT pg_catalog.format('CREATE ROLE %I LOGIN', :'jobs')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = :'jobs')
\gexec
SELECT pg_catalog.format('GRANT lead_protection_jobs TO %I', :'jobs')
WHERE NOT pg_catalog.pg_has_role(:'jobs', 'lead_protection_jobs', 'MEMBER')
\gexec
GRANT CONNECT ON DATABASE :"DBNAME" TO :"jobs";
SELECT EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pg_cron') AS has_pg_cron \gset
\if :has_pg_cron
GRANT USAGE ON SCHEMA cron TO :"jobs";
-- pg_cron gives it to nobody; it schedules a job that runs in another database.
GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO :"jobs";
\endif
\endif

COMMIT;
