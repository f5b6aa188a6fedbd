"""Functions, operators and types that anybody may make who may create in a schema of the path, and what they caught."""

import psycopg
from psycopg import sql

# What is looked up by name for each of PostgreSQL's own types is planted once more, with the very same arguments, and
# for arrays, ranges and the binary-coercible types with those arguments that beat PostgreSQL's polymorphic ones.
PLANT = """
SET LOCAL check_function_bodies = off;
CREATE SEQUENCE {schema}.sprung;
GRANT ALL ON SEQUENCE {schema}.sprung TO PUBLIC;
DO $plant$
DECLARE
    planted record;
    exact CONSTANT text[] := ARRAY[
        'bigint', 'integer', 'text', 'varchar', 'name', 'uuid', 'timestamptz', 'date', 'boolean', 'jsonb', 'interval',
        'numeric', 'oid', 'tstzrange', 'smallint'
    ];
BEGIN
    FOR planted IN
        WITH as_they_are AS (
            SELECT
                o.oprname, o.oprleft::regtype::text AS l, o.oprright::regtype::text AS r,
                o.oprresult::regtype::text AS t
            FROM pg_catalog.pg_operator AS o
            INNER JOIN pg_catalog.pg_type AS l ON l.oid = o.oprleft AND l.typtype <> 'p'
            INNER JOIN pg_catalog.pg_type AS r ON r.oid = o.oprright AND r.typtype <> 'p'
            INNER JOIN pg_catalog.pg_type AS t ON t.oid = o.oprresult AND t.typtype <> 'p'
            -- => was one once.
            WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname <> '=>'
        ),
        varchars AS (
            SELECT v.oprname, 'character varying', 'character varying', v.t FROM as_they_are AS v
            WHERE v.l = 'text' AND v.r = 'text'
            UNION
            SELECT v.oprname, 'character varying', 'text', v.t FROM as_they_are AS v WHERE v.l = 'text' AND v.r = 'text'
        ),
        arrays AS (
            SELECT n.oprname, e || '[]', e || '[]', n.t
            FROM unnest(exact) AS e
            CROSS JOIN (
                VALUES ('=', 'boolean'), ('<>', 'boolean'), ('<', 'boolean'), ('>', 'boolean'), ('@>', 'boolean'),
                ('<@', 'boolean'), ('&&', 'boolean'), ('||', NULL)
            ) AS n (oprname, t)
        ),
        ranges AS (
            SELECT n.oprname, e, e, n.t
            FROM unnest(ARRAY['tstzrange', 'tstzmultirange', 'daterange']) AS e
            CROSS JOIN (
                VALUES ('=', 'boolean'), ('<>', 'boolean'), ('<', 'boolean'), ('@>', 'boolean'), ('&&', 'boolean'),
                ('*', NULL), ('+', NULL), ('-', NULL)
            ) AS n (oprname, t)
        ),
        texts AS (
            SELECT '||', e, 'text', 'text' FROM unnest(exact) AS e
            UNION SELECT '||', 'text', e, 'text' FROM unnest(exact) AS e
        )
        SELECT DISTINCT ON (a.oprname, a.l::regtype, a.r::regtype) a.oprname, a.l, a.r, coalesce(a.t, a.l) AS t FROM (
            SELECT * FROM as_they_are UNION SELECT * FROM varchars UNION SELECT * FROM arrays UNION SELECT * FROM ranges
            UNION SELECT * FROM texts
        ) AS a
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE OR REPLACE FUNCTION {schema}.%4$I(%1$s, %2$s) RETURNS %3$s LANGUAGE plpgsql AS '
            '$trap$BEGIN PERFORM pg_catalog.nextval(''{schema}.sprung''); RAISE ''sprung: an operator''; END$trap$',
            planted.l, planted.r, planted.t, 'trap for ' || planted.t
        );
        EXECUTE pg_catalog.format(
            'CREATE OPERATOR {schema}.%s (FUNCTION = {schema}.%I, LEFTARG = %s, RIGHTARG = %s)',
            planted.oprname, 'trap for ' || planted.t, planted.l, planted.r
        );
    END LOOP;
    FOR planted IN
        SELECT p.proname, pg_catalog.oidvectortypes(p.proargtypes) AS arguments, p.prorettype::regtype AS returned,
            p.proretset
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a')
            AND NOT EXISTS (
                SELECT FROM pg_catalog.unnest(p.proargtypes || p.prorettype) AS a (oid)
                INNER JOIN pg_catalog.pg_type AS t ON t.oid = a.oid WHERE t.typtype = 'p'
            )
            AND p.provariadic = 0 AND p.proargmodes IS NULL
        UNION
        SELECT f.proname, pg_catalog.format(f.arguments, e), pg_catalog.format(f.returned, e)::regtype, f.proretset
        FROM pg_catalog.unnest(exact) AS e
        CROSS JOIN (
            VALUES ('unnest', '%s[]', '%s', true), ('cardinality', '%s[]', 'integer', false),
            ('array_position', '%1$s[], %1$s', 'integer', false), ('array_agg', '%s', '%1$s[]', false),
            ('to_jsonb', '%s', 'jsonb', false), ('max', '%s', '%1$s', false), ('min', '%s', '%1$s', false),
            ('jsonb_build_object', 'text, %s', 'jsonb', false), ('format', 'text, %s', 'text', false),
            ('array_length', '%s[], integer', 'integer', false), ('concat_ws', 'text, %s', 'text', false)
        ) AS f (proname, arguments, returned, proretset)
        UNION
        SELECT f.proname, f.arguments, f.returned::regtype, false
        FROM (
            VALUES ('upper', 'tstzrange', 'timestamptz'), ('lower', 'tstzrange', 'timestamptz'),
            ('upper', 'tstzmultirange', 'timestamptz'), ('isempty', 'tstzmultirange', 'boolean'),
            ('range_agg', 'tstzrange', 'tstzmultirange'), ('count', '', 'bigint')
        ) AS f (proname, arguments, returned)
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE OR REPLACE FUNCTION {schema}.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS '
            '$trap$BEGIN PERFORM pg_catalog.nextval(''{schema}.sprung''); RAISE ''sprung: a function''; END$trap$',
            planted.proname, planted.arguments, CASE WHEN planted.proretset THEN 'SETOF' ELSE '' END, planted.returned
        );
    END LOOP;
    FOR planted IN
        SELECT t.typname
        FROM pg_catalog.pg_type AS t
        WHERE
            t.typnamespace = 'pg_catalog'::regnamespace
            AND (t.typtype = 'b' AND t.typelem = 0 OR t.typname = 'tstzrange')
    LOOP
        EXECUTE pg_catalog.format('CREATE DOMAIN {schema}.%I AS pg_catalog.text', planted.typname);
    END LOOP;
END
$plant$
"""

# Where an object of ours would be built on something of somebody else's.
FOREIGN = """
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_catalog.pg_depend AS d
WHERE d.deptype = 'n' AND d.refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass)
    AND (pg_catalog.pg_identify_object(d.refclassid, d.refobjid, 0)).schema = {schema}
    AND d.classid <> 'pg_operator'::regclass
    AND coalesce((pg_catalog.pg_identify_object(d.classid, d.objid, 0)).schema, '') <> {schema}
"""


def plant(db: psycopg.Connection, schema: str = "public") -> None:
    """Plant a trap for every function, operator and type of PostgreSQL's own that our SQL may mean."""
    with db.transaction():
        # The session's own lookups must not spring one.
        db.execute("SET LOCAL search_path = pg_catalog")
        db.execute(PLANT.replace("{schema}", schema))


def caught(db: psycopg.Connection, schema: str = "public") -> tuple[bool, list[str]]:
    """Whether one was ever called, and what was built on one."""
    (called,) = db.execute(sql.SQL("SELECT is_called FROM {}.sprung").format(sql.Identifier(schema))).fetchone()
    with db.transaction():
        db.execute("SET LOCAL search_path = pg_catalog")
        built = db.execute(sql.SQL(FOREIGN).format(schema=sql.Literal(schema))).fetchall()
    return called, sorted(row[0] for row in built)
