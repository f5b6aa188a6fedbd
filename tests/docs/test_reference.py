"""docs/reference.md and docs/internals.md are rendered from the catalog, in which every object has a comment.

To write the pages anew, run this file with LEAD_PROTECTION_WRITE_REFERENCE=1.
"""

import os
from difflib import unified_diff

import psycopg
import pytest

from helpers.pages import INTERNALS, REFERENCE, WRITE_REFERENCE, is_internal

RELATIONS = """
SELECT
    c.oid, c.relname, coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')),
    (
        SELECT string_agg(r.rolname || ': ' || r.rights, '; ' ORDER BY r.rolname COLLATE "C")
        FROM (
            SELECT replace(g.rolname, 'lead_protection_', '') AS rolname,
                string_agg(lower(a.privilege_type), ', ' ORDER BY a.privilege_type) AS rights
            FROM aclexplode(c.relacl) AS a INNER JOIN pg_roles AS g ON a.grantee = g.oid
            WHERE g.rolname LIKE 'lead_protection_%%'
            GROUP BY g.rolname
        ) AS r
    )
FROM pg_class AS c
WHERE c.relnamespace = 'lead_protection'::regnamespace AND c.relkind::text = ANY (%s)
ORDER BY c.relname COLLATE "C"
"""

COLUMNS = """
SELECT
    a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ', not null' ELSE '' END,
    coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute AS a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

INDEXES = """
SELECT c.relname, obj_description(c.oid, 'pg_class')
FROM pg_index AS i INNER JOIN pg_class AS c ON i.indexrelid = c.oid
WHERE i.indrelid = %s AND obj_description(c.oid, 'pg_class') IS NOT NULL
ORDER BY c.relname COLLATE "C"
"""

ROUTINES = """
SELECT
    p.proname, p.prokind = 'p', p.prorettype = 'trigger'::regtype, pg_get_function_arguments(p.oid),
    pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc'),
    (
        SELECT string_agg(replace(g.rolname, 'lead_protection_', ''), ', ' ORDER BY g.rolname COLLATE "C")
        FROM aclexplode(p.proacl) AS a INNER JOIN pg_roles AS g ON a.grantee = g.oid
        WHERE g.rolname LIKE 'lead_protection_%%'
    )
FROM pg_proc AS p
WHERE p.pronamespace = 'lead_protection'::regnamespace
ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C"
"""

TRIGGERS = """
SELECT DISTINCT t.tgfoid::regproc::text COLLATE "C", t.tgrelid::regclass::text COLLATE "C"
FROM pg_trigger AS t INNER JOIN pg_class AS c ON t.tgrelid = c.oid
WHERE c.relnamespace = 'lead_protection'::regnamespace AND NOT t.tgisinternal
ORDER BY 1, 2
"""


def render(db: psycopg.Connection, head: list[str], *, internal: bool) -> str:
    """Render the page of the public or of the internal objects from the catalog of an applied database."""

    def bare(text: str) -> str:
        return text.replace("lead_protection.", "")

    def paragraphs(comment: str) -> str:
        return comment.replace("\n", "\n\n")

    lines = list(head)

    def relations(title: str, kinds: list[str]) -> None:
        chosen = [row for row in db.execute(RELATIONS, [kinds]).fetchall() if is_internal(row[2]) == internal]
        if chosen:
            lines.extend(["", f"## {title}"])
        for oid, name, comment, rights in chosen:
            lines.extend(["", f"### {name}", "", paragraphs(comment)])
            if rights:
                lines.extend(["", f"Rights: {rights}."])
            lines.extend(["", "| column | type | meaning |", "|---|---|---|"])
            for column, type_, meaning in db.execute(COLUMNS, [oid]):
                lines.append(f"| `{column}` | {bare(type_)} | {meaning} |")
            indexes = db.execute(INDEXES, [oid]).fetchall()
            if indexes:
                lines.extend(["", "| index | what it is for |", "|---|---|"])
                lines.extend(f"| `{index}` | {meaning} |" for index, meaning in indexes)

    routines = db.execute(ROUTINES).fetchall()
    triggers: dict[str, list[str]] = {}
    for function, table in db.execute(TRIGGERS).fetchall():
        triggers.setdefault(bare(function), []).append(bare(table))

    def routine_lines(title: str, chosen: list) -> None:
        lines.extend(["", f"## {title}"])
        for name, is_procedure, is_trigger, arguments, result, comment, rights in chosen:
            lines.extend(["", f"### {name}", ""])
            if is_trigger:
                lines.append(f"On {', '.join(f'`{table}`' for table in triggers.get(name, []))}.")
            else:
                head = f"{'CALL ' if is_procedure else ''}{name}({bare(arguments)})"
                lines.extend(["```text", head + (f"\n    -> {bare(result)}" if result else ""), "```"])
            lines.extend(["", paragraphs(comment)])
            if rights:
                lines.extend(["", f"May be called by: {rights}."])

    relations("Views", ["v"])
    relations("Tables", ["r", "p"])
    relations("Types", ["c"])
    routine_lines("Functions and procedures", [r for r in routines if not r[2] and is_internal(r[5]) == internal])
    if internal:
        routine_lines("Trigger functions", [r for r in routines if r[2]])
    return "\n".join(lines) + "\n"


REFERENCE_HEAD = [
    "# Reference",
    "",
    "Every public object of schema `lead_protection`, in the words of its `COMMENT ON`. The page is rendered from the",
    "catalog by `tests/docs/test_reference.py`, which fails when it is stale: do not edit it by hand. The names of the",
    "group roles are given without `lead_protection_`; the owner may do everything. What stands behind them is in",
    "[Internals](internals.md).",
]
INTERNALS_HEAD = [
    "# Internals",
    "",
    "The internal objects of schema `lead_protection`, in the words of their `COMMENT ON`: those that call themselves",
    "internal there, and the trigger functions. They are not for callers, and may change with any release. The page is",
    "rendered from the catalog by `tests/docs/test_reference.py`, as the [Reference](reference.md) is: do not edit it",
    "by hand.",
]


@pytest.mark.parametrize(
    ("page", "head", "internal"),
    [(REFERENCE, REFERENCE_HEAD, False), (INTERNALS, INTERNALS_HEAD, True)],
    ids=["reference", "internals"],
)
def test_reference_is_what_the_catalog_says(db, page, head, internal):
    rendered = render(db, head, internal=internal)
    if os.environ.get(WRITE_REFERENCE):
        page.write_text(rendered, encoding="utf-8")
    written = page.read_text(encoding="utf-8") if page.exists() else ""

    diff = "\n".join(
        unified_diff(written.splitlines(), rendered.splitlines(), f"docs/{page.name}", "catalog", lineterm="")
    )
    assert not diff, f"stale; run this test with {WRITE_REFERENCE}=1 to write it anew:\n{diff}"


def test_every_object_of_the_schema_has_a_comment(db):
    without = db.execute("""
        SELECT 'routine ' || p.oid::regprocedure FROM pg_proc AS p
        WHERE p.pronamespace = 'lead_protection'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
        UNION ALL
        SELECT 'relation ' || c.oid::regclass FROM pg_class AS c
        WHERE c.relnamespace = 'lead_protection'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
            AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT format('column %s.%s', c.oid::regclass, a.attname)
        FROM pg_class AS c INNER JOIN pg_attribute AS a ON c.oid = a.attrelid
        WHERE c.relnamespace = 'lead_protection'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
            AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL
    """).fetchall()
    assert without == []
