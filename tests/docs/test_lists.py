"""The lists of the documentation are complete: public objects and who may use them, documents, decisions, limits.

To write the first two columns of docs/api.md anew, run this file with LEAD_PROTECTION_WRITE_REFERENCE=1.
"""

import os
import re

import psycopg

from helpers.pages import (
    API,
    CHANGELOG,
    DESIGN_DECISIONS,
    FENCE,
    LIMITS,
    PAGES,
    README,
    WRITE_REFERENCE,
    is_internal,
)
from helpers.project import PROJECT
from lead_protection.runbook import anchor

API_ROW = re.compile(
    r"^\| `(?P<name>\w+)(?P<arguments>\([^`]*\))?` \| (?P<may>[^|]*)\|(?P<text>[^|]*\|)$", re.MULTILINE
)

# A relation may be read, a type be used by whoever calls the function, a routine be called.
PUBLIC_OBJECTS = """
WITH grants (object, grantee) AS (
    SELECT c.oid, a.grantee
    FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    WHERE c.relnamespace = 'lead_protection'::regnamespace AND a.privilege_type = 'SELECT'
    UNION ALL
    SELECT p.oid, a.grantee
    FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS a
    WHERE p.pronamespace = 'lead_protection'::regnamespace AND a.privilege_type = 'EXECUTE'
),

objects (object, name, comment, is_trigger, is_type, arguments) AS (
    SELECT c.oid, c.relname, coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')),
        false, c.relkind = 'c', NULL::text[]
    FROM pg_class AS c
    WHERE c.relnamespace = 'lead_protection'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'c')
    UNION ALL
    SELECT p.oid, p.proname, obj_description(p.oid, 'pg_proc'), p.prorettype = 'trigger'::regtype, false,
        ARRAY(
            SELECT p.proargnames[n] || coalesce(' = ' || pg_get_function_arg_default(p.oid, n), '')
            FROM generate_subscripts(p.proargnames, 1) AS n
            WHERE coalesce(p.proargmodes[n], 'i') IN ('i', 'b', 'v')
            ORDER BY n
        )
    FROM pg_proc AS p
    WHERE p.pronamespace = 'lead_protection'::regnamespace
)

SELECT
    o.name, o.comment, o.is_trigger, o.is_type, o.arguments,
    ARRAY(
        SELECT replace(r.rolname, 'lead_protection_', '')
        FROM grants AS g INNER JOIN pg_roles AS r ON g.grantee = r.oid
        WHERE g.object = o.object AND r.rolname LIKE 'lead\\_protection\\_%%'
    ) AS roles
FROM objects AS o
"""
ROLES = ("app", "operator", "monitor", "consumer", "jobs")


def signature(arguments: list[str] | None) -> str:
    """The arguments as api.md shows them: a long list is cut where the optional ones begin."""
    if arguments is None:
        return ""
    shown = [re.sub(r"::[\w ]+(\[\])?", "", argument).replace("NULL", "null") for argument in arguments]
    if len(", ".join(shown)) > 100:
        shown = [argument for argument in shown if " = " not in argument] + ["…"]
    return f"({', '.join(shown)})"


def test_api_has_every_public_object_with_who_may_use_it(db: psycopg.Connection):
    expected = {}
    for name, comment, is_trigger, is_type, arguments, roles in db.execute(PUBLIC_OBJECTS).fetchall():
        if not is_trigger and not is_internal(comment):
            may = ", ".join(role for role in ROLES if role in roles) or ("whoever calls" if is_type else "owner")
            expected[name] = (signature(arguments), may)
    page = API.read_text(encoding="utf-8")
    if os.environ.get(WRITE_REFERENCE):

        def row(match: re.Match) -> str:
            arguments, may = expected.get(match["name"], (match["arguments"] or "", match["may"].strip()))
            return f"| `{match['name']}{arguments}` | {may} |{match['text']}"

        page = API_ROW.sub(row, page)
        API.write_text(page, encoding="utf-8")
    section = page[page.index("\n## ") :]
    rows = [(row["name"], (row["arguments"] or "", row["may"].strip())) for row in API_ROW.finditer(section)]

    names = [name for name, _ in rows]
    assert sorted(names) == sorted(set(names)), "each once"
    assert set(names) == expected.keys()
    assert dict(rows) == expected


def test_readme_is_one_page_that_leads_to_every_other():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 180

    head = "\n".join(text.splitlines()[:30])
    assert {path.name for path in (PROJECT / "docs").glob("*.md")} <= set(re.findall(r"\(docs/([\w.-]+)\)", head))


def test_readme_names_the_group_roles(db: psycopg.Connection):
    there = db.execute(r"SELECT rolname FROM pg_roles WHERE rolname LIKE 'lead\_protection\_%' AND NOT rolcanlogin")
    listed = re.findall(r"^\| `(lead_protection_\w+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(name for (name,) in there)


def test_functions_and_views_that_pages_name_are_there(db: psycopg.Connection):
    """Of the changelog only what is not released yet: older releases had other names."""
    functions = {name for (name,) in db.execute("SELECT DISTINCT proname FROM pg_proc")}
    relations = {
        name
        for (name,) in db.execute("SELECT relname FROM pg_class WHERE relnamespace = 'lead_protection'::regnamespace")
    }
    unknown = []
    for page in PAGES:
        if page == CHANGELOG:
            continue
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for name in re.findall(r"`(?:lead_protection\.)?([a-z]\w*)\([^`]*\)`", text):
            if name not in functions:
                unknown.append(f"{page.name}: {name}()")
        for name in re.findall(r"`(?:lead_protection\.)?(v_\w+)`", text):
            if name not in relations:
                unknown.append(f"{page.name}: {name}")
    assert unknown == []


def test_design_decisions_are_numbered_and_in_their_index():
    text = DESIGN_DECISIONS.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    decisions = re.findall(r"^### (.+)$", text, re.MULTILINE)
    index = re.findall(r"^ *- (?:\*\*)?\[([^\]]+)\]\(\s*#([^)]+)\)", text[: text.index("\n## ")], re.MULTILINE)

    assert len(headings) == 8
    numbers = sorted(int(decision.split(".")[0]) for decision in decisions)
    assert numbers == list(range(1, len(decisions) + 1)), "each number once"
    assert index == [(heading, anchor(heading)) for heading in re.findall(r"^##+ (.+)$", text, re.MULTILINE)]


def test_limits_name_the_version_that_they_were_seen_with():
    versions = set(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE))
    rows = re.findall(r"^\| (?!limit |---).+ \| ([^|]+) \|$", LIMITS.read_text(encoding="utf-8"), re.MULTILINE)

    assert len(rows) > 40
    assert set(rows) <= versions
