"""docs/architecture.md against the catalog, and its pictures against its text."""

import re
import runpy
from xml.etree import ElementTree

import pytest

from helpers.project import PROJECT

PAGE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
DRAW = runpy.run_path(str(PROJECT / "scripts" / "draw-architecture"))
BLOCKS = DRAW["blocks"](PAGE)
DRAWN = re.findall(r"^<!-- drawn: (\S+)\.svg -->$", PAGE, re.MULTILINE)
# The picture of all relations, and the groups with their columns.
OVERVIEW = BLOCKS["entities"]
GROUPS = [source for name, source in BLOCKS.items() if "\nerDiagram\n" in source and name != "entities"]

ENTITY = re.compile(r"^    (\w+):::\w+ \{\n((?:        .+\n)+)    \}$", re.MULTILINE)
RELATION = re.compile(r'^    (\w+) ([|}][|o])(--|\.\.)([|o][|{]) (\w+) : "(.*)"$', re.MULTILINE)
WITHOUT_FOREIGN_KEY = re.compile(r"^\| `(\w+)\.([\w, ]+)` \| `(\w+)\.([\w, ]+)` \| (.+) \|$", re.MULTILINE)
TURNED = {"}o": "o{", "o{": "}o", "|o": "o|", "o|": "|o", "||": "||"}

COLUMNS = """
SELECT
    c.relname,
    a.attname,
    replace(format_type(a.atttypid, NULL), 'timestamp with time zone', 'timestamptz'),
    coalesce((
        SELECT string_agg(upper(k.contype) || 'K', ', ' ORDER BY position(k.contype IN 'pfu'))
        FROM (
            SELECT DISTINCT k.contype::text
            FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype IN ('p', 'f', 'u') AND a.attnum = ANY(k.conkey)
        ) AS k
    ), '')
FROM pg_class AS c INNER JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE
    c.relnamespace = 'lead_protection'::regnamespace AND c.relkind IN ('r', 'p')
    AND a.attnum > 0 AND NOT a.attisdropped
"""

# A key that may be null points to one row or none; one that is unique is borne by one row at most.
FOREIGN_KEYS = """
SELECT
    parent.relname,
    CASE WHEN bool_and(a.attnotnull) THEN '||' ELSE '|o' END,
    CASE
        WHEN EXISTS (
            SELECT FROM pg_index AS i
            WHERE
                i.indrelid = k.conrelid AND i.indisunique AND i.indpred IS NULL
                AND i.indkey::smallint [] <@ k.conkey
        ) THEN 'o|' ELSE 'o{'
    END,
    child.relname,
    string_agg(a.attname, ', ' ORDER BY array_position(k.conkey, a.attnum))
FROM pg_constraint AS k
INNER JOIN pg_class AS child ON k.conrelid = child.oid
INNER JOIN pg_class AS parent ON k.confrelid = parent.oid
INNER JOIN pg_attribute AS a ON k.conrelid = a.attrelid AND a.attnum = ANY(k.conkey)
WHERE k.connamespace = 'lead_protection'::regnamespace AND k.contype = 'f'
GROUP BY k.oid, k.conrelid, k.conkey, parent.relname, child.relname
"""


def relations(source: str) -> list[tuple]:
    """Line, parent, its end, the child's end, child and the child's columns, whichever way it is written."""
    found = []
    for left, left_end, line, right_end, right, label in RELATION.findall(source):
        if left_end == "}o" or right_end == "||":
            left, left_end, right_end, right = right, TURNED[right_end], TURNED[left_end], left
        found.append((line, left, left_end, right_end, right, label))
    assert len(found) == source.count(' : "'), "a line that this test does not understand"
    return found


@pytest.fixture
def columns(db) -> dict[str, dict[str, tuple[str, str]]]:
    """Type and key marks of each column, by table and column."""
    tables: dict[str, dict[str, tuple[str, str]]] = {}
    for table, column, kind, keys in db.execute(COLUMNS):
        tables.setdefault(table, {})[column] = (kind, keys)
    return tables


def test_every_table_is_in_one_group_with_all_its_keys_and_no_column_that_is_not_there(columns):
    drawn = [(table, body) for source in GROUPS for table, body in ENTITY.findall(source)]
    assert sorted(table for table, _ in drawn) == sorted(columns)
    assert {table for source in GROUPS for table in re.findall(r"^    (\w+):::", source, re.MULTILINE)} == set(columns)
    for table, body in drawn:
        shown = [re.fullmatch(r" {8}(\S+) (\w+)(?: (.+))?", line).groups("") for line in body.splitlines()]
        assert {name: (kind, keys) for kind, name, keys in shown}.items() <= columns[table].items(), table
        assert {name for name, (_, keys) in columns[table].items() if keys} <= {name for _, name, _ in shown}, table


def test_solid_lines_are_the_foreign_keys_and_dashed_ones_are_listed(db, columns):
    drawn = [relation for source in GROUPS for relation in relations(source)]
    solid = sorted(relation for line, *relation in drawn if line == "--")
    assert solid == sorted(map(list, db.execute(FOREIGN_KEYS)))

    listed = WITHOUT_FOREIGN_KEY.findall(PAGE)
    dashed = sorted((parent, child, label) for line, parent, _, _, child, label in drawn if line == "..")
    assert dashed == sorted((parent, child, names) for child, names, parent, _, _ in listed) != []
    for child, names, parent, keys, why in listed:
        kinds = [columns[child][name][0] for name in names.split(", ")]
        expected = [columns[parent][key][0] for key in keys.split(", ")]
        assert kinds == (["text"] if why.startswith("As text") else expected), f"{child}.{names}"


def test_the_overview_has_the_relations_of_the_groups_and_their_tables(columns):
    of_groups = [relation for source in GROUPS for relation in relations(source)]
    alone = {table for table, _ in ENTITY.findall(GROUPS[-1])}
    expected = sorted(relation[:-1] for relation in of_groups if relation[1] not in alone)
    assert sorted(relation[:-1] for relation in relations(OVERVIEW)) == expected
    assert sorted(re.findall(r"^    (\w+):::\w+$", OVERVIEW, re.MULTILINE)) == sorted(columns.keys() - alone)
    assert not alone & {table for relation in expected for table in (relation[1], relation[4])}


def test_every_name_on_the_page_is_an_object_or_a_column_of_the_schema(db, columns):
    objects = db.execute(
        "SELECT relname, relnamespace FROM pg_class UNION ALL SELECT proname, pronamespace FROM pg_proc"
    ).fetchall()
    (ours,) = db.execute("SELECT 'lead_protection'::regnamespace::oid").fetchone()
    known = {name for name, namespace in objects if namespace == ours} | {"lead_protection", "pg_cron"}
    known |= {column for table in columns.values() for column in table}
    assert set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", PAGE)) - known == set()


@pytest.mark.parametrize("name", DRAWN)
def test_each_picture_is_the_drawing_of_the_present_text_and_needs_nothing_else(name):
    picture = (PROJECT / "docs" / f"{name}.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}metadata").text == DRAW["seal"](BLOCKS[name]), "run scripts/draw-architecture"
    assert root.find(f"{space}rect").get("fill") == "white"
    assert root.find(f".//{space}text") is not None and root.find(f".//{space}foreignObject") is None
    assert re.findall(r"""(?:href=|src=|@import|url\((?!#))""", picture) == []


def test_a_picture_of_another_text_bears_another_seal():
    seal = DRAW["seal"]
    assert len({seal(source) for source in BLOCKS.values()}) == len(BLOCKS)
    assert seal(OVERVIEW) != seal(OVERVIEW.replace("leads", "lead"))
