"""Makes and keeps a router: a database whose functions are those of a node, and call the node that has the lead.

The router's own tables and functions are in sql/router/. Everything else is made from the catalog of a node, by the
rules of lead_protection/routing.py: schema lead_protection has what an application calls, lead_protection_nodes what
PL/Proxy and postgres_fdw need for it. These two hold no data: their views are made anew each time, and their functions
when they differ.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lead_protection.database import Progress, Refusal, ScriptError, UsageError, one_row
from lead_protection.installer import code_checksum, statements
from lead_protection.routing import NOT_READ, READ_ON_ONE, RULES, Rule

# Written in sql/router/, after what is made from the catalog.
AFTER_CATALOG = (
    "router/protect_lead.sql",
    "router/claim_events.sql",
    "router/health.sql",
    "router/metric_samples.sql",
    "router/lead_now.sql",
    "views/metrics/v_metrics.sql",
    "functions/metrics/prometheus_metrics.sql",
)
# Of a connection that the postgres_fdw makes; of those alike the node's own come first.
READING = {"fetch_size": "1000", "async_capable": "true", "keep_connections": "true", "connect_timeout": "5"}
GROUP_ROLE = re.compile(r"lead_protection_[a-z]+")


def apply(connection: psycopg.Connection, home: Path, progress: Progress) -> None:
    """Make the router, or bring it up to what the package and its nodes are now, in one transaction.

    Raises:
        Refusal: a node is of another version than this package, or does not answer.
    """
    with connection.transaction():
        _prepare(connection, home, progress)
        if _nodes(connection):
            with progress.step("versions"):
                _require_version(connection, home)
            _make_from_catalog(connection, home, progress)
        else:
            print("  There is no node yet: lead-protection router add-node NAME CONNECTION", flush=True)


def add_node(connection: psycopg.Connection, home: Path, progress: Progress, name: str, conninfo: str) -> None:
    """Add a node: number it, give it the terms of the others, and the router what it needs to call it.

    The first node gets all slots, and may have leads. As long as no node has leads the slots are dealt anew among all.

    Raises:
        Refusal: as apply(); or the node has leads and is not the first, or the name is taken.
    """
    with connection.transaction():
        _prepare(connection, home, progress)
        with progress.step(f"node {name}"):
            others = _nodes(connection)
            if name in others:
                raise Refusal(f"there is a node {name} already. Where it is now: lead-protection router repoint.")
            number = max(others.values(), default=-1) + 1
            connection.execute(
                "INSERT INTO lead_protection_router.nodes (node_name, node_number, connection) VALUES (%s, %s, %s)",
                [name, number, conninfo],
            )
            _require_version(connection, home)
            with _refused_by(name):
                connection.execute("SELECT lead_protection_router.number_node(%s)", [number])
                _deal_slots(connection, name)
            _let_read(connection, name, conninfo)
        if others:
            with progress.step("terms"):
                left = connection.execute("SELECT * FROM lead_protection_router.bring_in_step()").fetchall()
            if left:
                differs = "; ".join(f"{node} ({', '.join(tables)})" for node, tables in left)
                raise Refusal(
                    f"what was made on a node by itself differs from the first node: {differs}. A node is added as it"
                    " was installed, and gets its terms from the first."
                )
        _make_from_catalog(connection, home, progress)


def repoint(connection: psycopg.Connection, home: Path, progress: Progress, name: str, conninfo: str) -> None:
    """Let a node be reached elsewhere: its standby was promoted, or it was moved. Sessions that are open see it."""
    with connection.transaction(), progress.step(f"node {name}"):
        updated = connection.execute(
            "UPDATE lead_protection_router.nodes SET connection = %s WHERE node_name = %s", [conninfo, name]
        ).rowcount
        if not updated:
            raise Refusal(f"there is no node {name}.")
        _require_version(connection, home, name)
        _let_read(connection, name, conninfo)


def checked_node(text: str) -> str:
    """Return the conninfo string of a node.

    Raises:
        UsageError: it cannot be read, or holds a password: whoever may call the router may read it.
    """
    try:
        parts = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        raise UsageError("a node is given by a libpq URL or a conninfo string (host=... dbname=...).") from None
    if "password" in parts:
        raise UsageError(
            "whoever may call the router may read its nodes' connections: leave the password out, and put it into the"
            " password file of the router's server account, or let the node take a certificate."
        )
    return make_conninfo("", **parts)


def _prepare(connection: psycopg.Connection, home: Path, progress: Progress) -> None:
    with progress.step("extensions"):
        if one_row(
            connection,
            "SELECT to_regclass('lead_protection.leads') IS NOT NULL AND to_regclass("
            "'lead_protection_router.nodes') IS NULL",
        ) == (True,):
            raise Refusal("this database is a node. A router is a database of its own.")
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute("CREATE SCHEMA IF NOT EXISTS lead_protection_router")
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS plproxy")
            connection.execute("CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA lead_protection_router")
        except psycopg.errors.UndefinedFile:
            raise Refusal(
                "PL/Proxy is not installed on this server (Debian: apt-get install postgresql-15-plproxy), or"
                " postgres_fdw is not."
            ) from None
        connection.execute("CREATE SCHEMA IF NOT EXISTS plproxy")
    with progress.step("sql/router/"):
        lines = (home / "sql" / "router" / "load.sql").read_text(encoding="utf-8").splitlines()
        for line in lines:
            if line.startswith(r"\ir "):
                _load(connection, home, f"router/{line.split()[1]}")


def _load(connection: psycopg.Connection, home: Path, name: str) -> None:
    path = home / "sql" / name
    for statement in statements(path.read_text(encoding="utf-8")):
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise ScriptError(path, home, error, statement) from error


def _nodes(connection: psycopg.Connection) -> dict[str, int]:
    return dict(
        connection.execute(
            "SELECT node_name, node_number FROM lead_protection_router.nodes ORDER BY node_number"
        ).fetchall()
    )


def _require_version(connection: psycopg.Connection, home: Path, name: str | None = None) -> None:
    """Refuse nodes that are not of the version of this package."""
    wanted = code_checksum(home)
    for node, number in _nodes(connection).items():
        if name not in (None, node):
            continue
        try:
            (code,) = one_row(connection, "SELECT lead_protection_router.terms_of_node(%s, true) ->> 'code'", [number])
        except psycopg.errors.UndefinedFunction:
            code = None
        except psycopg.errors.InternalError_ as error:
            raise Refusal(f"node {node} does not answer: {error.diag.message_primary}") from None
        if code != wanted:
            raise Refusal(f"node {node} is of another version than this package: lead-protection apply on it first.")


@contextmanager
def _refused_by(name: str) -> Iterator[None]:
    """Tell what a node refuses in its own words."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate != "LP134":
            raise
        said = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
        words = [re.sub(r"^Remote (detail|hint): |^.*?\] REMOTE \w+: ", "", part) for part in said if part]
        raise Refusal(f"node {name}: {words[0]}\n  " + "\n  ".join(words[1:])) from None


def _deal_slots(connection: psycopg.Connection, name: str) -> None:
    """Give the first node all slots, and deal them anew as long as no node has leads."""
    used = False
    for number in _nodes(connection).values():
        (last,) = one_row(connection, "SELECT lead_protection_router.last_lead(%s)", [number])
        used = used or last is not None
        if last is not None:
            connection.execute(
                "SELECT setval('lead_protection_router.lead_ids', %s) FROM lead_protection_router.lead_ids"
                " WHERE last_value < %s",
                [last, last],
            )
    connection.execute(
        "INSERT INTO lead_protection_router.slots (slot, node_name) SELECT s, %s FROM generate_series(0, 63) AS s"
        " ON CONFLICT DO NOTHING",
        [name],
    )
    if not used:
        connection.execute(
            "UPDATE lead_protection_router.slots AS s SET node_name = n.node_name"
            " FROM (SELECT node_name, row_number() OVER (ORDER BY node_number) - 1 AS nth,"
            " count(*) OVER () AS all_nodes"
            " FROM lead_protection_router.nodes) AS n WHERE s.slot % n.all_nodes = n.nth AND s.node_name <> n.node_name"
        )


def _let_read(connection: psycopg.Connection, name: str, conninfo: str) -> None:
    """Make or change the server by which postgres_fdw reads a node: as the router's owner, or whom conninfo names."""
    options = READING | conninfo_to_dict(conninfo)
    user = options.pop("user", None)
    server = sql.Identifier(f"lead_protection_{name}")
    rows = connection.execute(
        "SELECT option_name FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE srvname = %s",
        [f"lead_protection_{name}"],
    ).fetchall()
    if not rows:
        connection.execute(sql.SQL("CREATE SERVER {} FOREIGN DATA WRAPPER postgres_fdw").format(server))
    parts = [sql.SQL("DROP {}").format(sql.Identifier(option)) for (option,) in rows]
    if parts:
        connection.execute(sql.SQL("ALTER SERVER {} OPTIONS ({})").format(server, sql.SQL(", ").join(parts)))
    parts = [
        sql.SQL("ADD {} {}").format(sql.Identifier(option), sql.Literal(str(value)))
        for option, value in options.items()
    ]
    connection.execute(sql.SQL("ALTER SERVER {} OPTIONS ({})").format(server, sql.SQL(", ").join(parts)))
    connection.execute(sql.SQL("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER {}").format(server))
    connection.execute(
        sql.SQL("CREATE USER MAPPING FOR CURRENT_USER SERVER {} OPTIONS (user {}, password_required 'false')").format(
            server, sql.Literal(user or connection.info.user)
        )
    )


def _make_from_catalog(connection: psycopg.Connection, home: Path, progress: Progress) -> None:
    with progress.step("functions and views"):
        nodes = _nodes(connection)
        (catalog,) = one_row(connection, "SELECT lead_protection_router.catalog_of_node(%s)", [min(nodes.values())])
        made = _Maker(catalog, list(nodes))
        functions = [*made.types(), *made.functions()]
        # Functions that are as they were stay: a call that comes while a node is added must find them.
        made_of = f"Made from a node's catalog, {hashlib.sha256(''.join(functions).encode()).hexdigest()}."
        (present,) = one_row(
            connection, "SELECT obj_description(to_regnamespace('lead_protection_nodes'), 'pg_namespace')"
        )
        if present == made_of:
            _drop_views(connection)
        else:
            connection.execute("DROP SCHEMA IF EXISTS lead_protection_nodes, lead_protection CASCADE")
            connection.execute("CREATE SCHEMA lead_protection_nodes")
            connection.execute("CREATE SCHEMA lead_protection")
            connection.execute(sql.SQL("COMMENT ON SCHEMA lead_protection_nodes IS {}").format(sql.Literal(made_of)))
            for statement in functions:
                connection.execute(statement)
        for statement in made.views():
            connection.execute(statement)
        for name in AFTER_CATALOG:
            _load(connection, home, name)
    with progress.step("rights"):
        _grant(connection, catalog)


def _drop_views(connection: psycopg.Connection) -> None:
    """Drop what names each node: views, and the foreign tables that they read."""
    for kind, name in connection.execute(
        "SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'FOREIGN TABLE' END, c.oid::regclass::text"
        " FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('v', 'f')"
        " AND c.relnamespace IN ('lead_protection'::regnamespace, 'lead_protection_nodes'::regnamespace)"
    ).fetchall():
        connection.execute(f"DROP {kind} IF EXISTS {name} CASCADE")


def _grant(connection: psycopg.Connection, catalog: dict[str, Any]) -> None:
    """Give the group roles here the rights that they have on a node, and those that the way there needs."""
    entries = [("function", name, entry["roles"]) for name, entry in catalog["functions"].items()]
    entries += [("view", name, entry["roles"]) for name, entry in catalog["relations"].items()]
    groups = sorted({role for _, _, roles in entries for role in roles if GROUP_ROLE.fullmatch(role)})
    for role in groups:
        if connection.execute("SELECT to_regrole(%s)", [role]).fetchone() == (None,):
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    to_all = sql.SQL(", ").join(map(sql.Identifier, groups))
    connection.execute(
        sql.SQL(
            "REVOKE ALL ON ALL ROUTINES IN SCHEMA lead_protection, lead_protection_nodes, lead_protection_router"
            " FROM PUBLIC;"
            "GRANT USAGE ON SCHEMA lead_protection, lead_protection_nodes, lead_protection_router, plproxy TO {0};"
            "GRANT SELECT ON lead_protection_router.slots, lead_protection_router.moved_leads,"
            " lead_protection_router.cluster_version TO {0};"
            "GRANT SELECT (node_name, node_number, added_at) ON lead_protection_router.nodes TO {0};"
            "GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lead_protection_router TO {0}"
        ).format(to_all)
    )
    # Terms are for operators, and what looks into a node by itself for the router's owner alone.
    for name in ("bring_in_step", "require_agreement"):
        others = sql.SQL(", ").join(sql.Identifier(role) for role in groups if role != "lead_protection_operator")
        connection.execute(
            sql.SQL("REVOKE ALL ON FUNCTION lead_protection_router.{} FROM {}").format(sql.Identifier(name), others)
        )
    for name in ("terms_of_node", "take_terms_of_node", "number_node", "last_lead", "catalog_of_node"):
        connection.execute(
            sql.SQL("REVOKE ALL ON FUNCTION lead_protection_router.{} FROM {}").format(sql.Identifier(name), to_all)
        )
    for schema in ("lead_protection", "lead_protection_nodes"):
        here = {
            "function": "SELECT proname, oid::regprocedure::text FROM pg_proc WHERE pronamespace = %s::regnamespace",
            "view": "SELECT relname, oid::regclass::text FROM pg_class WHERE relnamespace = %s::regnamespace"
            " AND relkind = 'v'",
        }
        for kind, query in here.items():
            roles_of = {name: roles for found, name, roles in entries if found == kind}
            for name, signature in connection.execute(query, [schema]).fetchall():
                # Of a list there are two, and what is read has one of its own.
                roles = roles_of.get(name) or roles_of.get(re.sub("_split$", "", name))
                roles = roles or (kind == "function" and _reader_roles(catalog, name)) or []
                for role in roles:
                    right = "SELECT ON" if kind == "view" else "EXECUTE ON ROUTINE"
                    connection.execute(f"GRANT {right} {signature} TO {role}")


def _reader_roles(catalog: dict[str, Any], name: str) -> list[str]:
    """Who may call what reads a table of terms."""
    relation = name.removeprefix("read_").removeprefix("rows_of_")
    return catalog["relations"].get(relation, {}).get("roles", []) if relation != name else []


ANSWER = """
CREATE OR REPLACE FUNCTION {name}({arguments}) {returns}
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $router$
#variable_conflict use_column
DECLARE
    lp_nodes integer[];
    lp_leads bigint[];
    lp_tries integer := 0;
    lp_state text;
    lp_said text;
    lp_detail text;
    lp_hint text;
    {declared}
BEGIN
    {before}LOOP
        BEGIN
            IF lp_nodes IS NULL THEN
                lp_nodes := {targets};
            END IF;
            {answer}
        EXCEPTION
            WHEN OTHERS THEN
                lp_tries := lp_tries + 1;
                GET STACKED DIAGNOSTICS
                    lp_state := RETURNED_SQLSTATE, lp_said := MESSAGE_TEXT, lp_detail := PG_EXCEPTION_DETAIL,
                    lp_hint := PG_EXCEPTION_HINT;
                lp_nodes := lead_protection_router.pass_on(
                    lp_nodes, lp_tries, '{if_silent}', lp_state, lp_said, lp_detail, lp_hint
                );
        END;
    END LOOP;
END
$router$
"""
ALL = "lead_protection_router.all_partitions()"


class _Maker:
    """Writes the statements."""

    def __init__(self, catalog: dict[str, Any], node_names: list[str]):
        self._relations = catalog["relations"]
        self._functions = catalog["functions"]
        self._nodes = node_names
        self._typed: set[str] = set()

    def types(self) -> Iterator[str]:
        """What makes the types."""
        for name in self._relations:
            yield from self.type_of(name)

    def functions(self) -> Iterator[str]:
        """What makes the functions that there is a rule for."""
        for name, entry in sorted(self._functions.items()):
            if name in RULES:
                yield from self.function(name, entry, RULES[name])

    def views(self) -> Iterator[str]:
        """What makes the views over all nodes."""
        for name, entry in sorted(self._relations.items()):
            if not entry["is_type"] and name not in NOT_READ and entry["roles"]:
                yield from self.view(name, entry)

    def type_of(self, name: str) -> Iterator[str]:
        """A type for each type, table and view, those that it is made of first."""
        if name in self._typed:
            return
        self._typed.add(name)
        entry = self._relations[name]
        for _, column_type in entry["columns"]:
            if column_type.startswith("lead_protection."):
                yield from self.type_of(column_type.removeprefix("lead_protection.").removesuffix("[]"))
        columns = ", ".join(f'"{column}" {self._type(type_)}' for column, type_ in entry["columns"])
        yield f"CREATE TYPE {self._type(f'lead_protection.{name}')} AS ({columns})"

    def _type(self, name: str) -> str:
        """The type here: those that are made as types have their name, and rows of a table another schema."""
        if not name.startswith("lead_protection."):
            return name
        relation = name.removeprefix("lead_protection.").removesuffix("[]")
        here = "lead_protection" if self._relations[relation]["is_type"] else "lead_protection_nodes"
        return name.replace("lead_protection", here, 1)

    def function(self, name: str, entry: dict[str, Any], rule: Rule) -> Iterator[str]:
        """The function that an application calls, and what PL/Proxy runs for it."""
        arguments = [
            (mode, argument, self._type(type_), default) for mode, argument, type_, default in entry["arguments"] or []
        ]
        inputs = [(argument, type_) for mode, argument, type_, _ in arguments if mode in "ibv"]
        outputs = [argument for mode, argument, _, _ in arguments if mode in "obt"]
        rows = ", ".join(f'"{argument}" {type_}' for mode, argument, type_, _ in arguments if mode in "obt")
        word = {"i": "", "b": "INOUT ", "o": "OUT ", "v": "VARIADIC "}
        listed = ", ".join(
            f'{word[mode]}"{argument}" {type_}' + (f" DEFAULT {default}" if default else "")
            for mode, argument, type_, default in arguments
            if mode in word
        )
        if any(mode == "t" for mode, *_ in arguments):
            returns = f"RETURNS TABLE ({rows})"
        elif outputs:
            returns = "RETURNS SETOF record" if entry["returns_set"] else ""
        else:
            returns = f"RETURNS {'SETOF ' if entry['returns_set'] else ''}{self._type(entry['result'])}"

        if rule.kind == "refused":
            if entry["is_procedure"]:
                yield (
                    f"CREATE OR REPLACE PROCEDURE lead_protection.{name}({listed}) LANGUAGE plpgsql AS $router$BEGIN"
                    f" PERFORM lead_protection_router.refuse_here('{name}'); END$router$"
                )
            else:
                yield (
                    f"CREATE OR REPLACE FUNCTION lead_protection.{name}({listed}) {returns} LANGUAGE plpgsql"
                    " AS $router$BEGIN"
                    f" PERFORM lead_protection_router.refuse_here('{name}'); END$router$"
                )
            return

        on_many = rule.kind in ("list", "rows", "every", "log")
        yield from self._proxies(name, entry, inputs, outputs, rows, on_many)
        if rule.kind == "own":
            return
        # In the body OUT parameters have numbers, too.
        numbers = {argument: f"${nth}" for nth, (mode, argument, *_) in enumerate(arguments, 1) if mode in "ibv"}
        passed = ", ".join(["lp_nodes" if on_many else "lp_nodes[1]", *numbers.values()])
        call = f"lead_protection_nodes.{name}({passed})"
        before = ""
        targets = {
            "lead": f"ARRAY[lead_protection_router.partition_of({numbers.get('lead_id')})]",
            "hold": f"ARRAY[lead_protection_router.partition_of_hold({numbers.get('hold_id')})]",
            "lease": f"ARRAY[lead_protection_router.partition_of_lease({numbers.get('lease_token')})]",
            "log": f"CASE WHEN {numbers.get('lead_id')} IS NULL THEN {ALL}"
            f" ELSE ARRAY[lead_protection_router.partition_of({numbers.get('lead_id')})] END",
        }.get(rule.kind, ALL)
        answer = self._answer(call, entry, outputs, rule)
        declared = ""
        if rule.kind == "terms":
            # On the first node, which comes first among all.
            if not outputs:
                declared = f"lp_result {self._type(entry['result'])};"
                answer = f"lp_result := {call};"
            answer = f"""PERFORM lead_protection_router.require_agreement();
            {answer.replace("RETURN;", "")}
            PERFORM lead_protection_router.bring_in_step();
            RETURN{"" if outputs else " lp_result"};"""
        if rule.kind == "list":
            leads = numbers["lead_ids"]
            split = call.replace(f".{name}(", f".{name}_split(").replace(leads, "lp_leads")
            before = f"""IF {leads} IS NOT NULL THEN
        lp_leads := ARRAY(SELECT l FROM unnest({leads}) AS u (l));
    END IF;
    """
            targets = f"""CASE
                    WHEN lp_leads IS NULL THEN {ALL}
                    -- A list with a null in it is refused as a whole: one node sees all of it.
                    WHEN array_position(lp_leads, NULL) IS NOT NULL
                        THEN array_fill(lead_protection_router.first_partition(), ARRAY[cardinality(lp_leads)])
                    ELSE ARRAY(
                        SELECT lead_protection_router.partition_of(u.l)
                        FROM unnest(lp_leads) WITH ORDINALITY AS u (l, nth) ORDER BY u.nth
                    )
                END"""
            answer = f"""IF lp_leads IS NULL THEN
                {answer}
            ELSE
                {self._answer(split, entry, outputs, rule)}
            END IF;"""
        if rule.kind in ("list", "every"):
            # One that is down must not be found when others have done their part.
            answer = f"""PERFORM lead_protection_router.ping_all(lp_nodes);
            {answer}"""
        yield ANSWER.format(
            name=f"lead_protection.{name}",
            declared=declared,
            arguments=listed,
            returns=returns,
            before=before,
            targets=targets,
            answer=answer,
            if_silent={"one": "next", "rows": "warn", "log": "warn"}.get(rule.kind, "fail"),
        )
        if entry["comment"]:
            yield self._comment(f"FUNCTION lead_protection.{name}", entry["comment"])

    def _proxies(
        self,
        name: str,
        entry: dict[str, Any],
        inputs: list[tuple[str, str]],
        outputs: list[str],
        rows: str,
        on_many: bool,
    ) -> Iterator[str]:
        """What PL/Proxy runs: on one node, or on several at once; of a list each node gets its part."""
        first = "run_on_nodes integer[]" if on_many else "run_on_node integer"
        listed = ", ".join([first, *(f'"{argument}" {type_}' for argument, type_ in inputs)])
        if rows:
            result = f"TABLE ({rows})" if on_many or entry["returns_set"] else ""
        else:
            result = f"{'SETOF ' if on_many or entry['returns_set'] else ''}{self._type(entry['result'])}"
        variadic = any(mode == "v" for mode, *_ in entry["arguments"] or [])
        passed = ", ".join(f"{'VARIADIC ' if variadic else ''}${nth}" for nth in range(2, len(inputs) + 2))
        both = [column for column in outputs if column in dict(inputs)]
        if rows and (not result or both):
            # An argument that is a result, too, has a name in the call alone.
            listed = ", ".join(
                [first, *(f'"{"in_" * (argument in both)}{argument}" {type_}' for argument, type_ in inputs)]
            )
            result = f"TABLE ({rows})"
        splits = {"": "SPLIT run_on_nodes; " if on_many else ""}
        if on_many and "lead_ids" in dict(inputs):
            splits["_split"] = "SPLIT run_on_nodes, lead_ids; "
        for suffix, split in splits.items():
            yield (
                f"CREATE OR REPLACE FUNCTION lead_protection_nodes.{name}{suffix}({listed}) RETURNS {result}"
                " LANGUAGE plproxy AS"
                f" $router$ CLUSTER 'nodes'; {split}RUN ON {first.split()[0]};"
                f" SELECT * FROM lead_protection.{name}({passed}); $router$"
            )

    def view(self, name: str, entry: dict[str, Any]) -> Iterator[str]:
        """A table or view: of one node where all have the same, and else of all, each row with the node's name."""
        columns = [(column, self._type(type_)) for column, type_ in entry["columns"]]
        row = self._type(f"lead_protection.{name}")
        if name in READ_ON_ONE:
            yield (
                f"CREATE OR REPLACE FUNCTION lead_protection_nodes.read_{name}(run_on_node integer) RETURNS SETOF {row}"
                f" LANGUAGE plproxy AS $router$ CLUSTER 'nodes'; RUN ON run_on_node;"
                f" SELECT * FROM lead_protection.{name}; $router$"
            )
            yield ANSWER.format(
                name=f"lead_protection_nodes.rows_of_{name}",
                arguments="",
                declared="",
                returns=f"RETURNS SETOF {row}",
                before="",
                targets=ALL,
                answer=f"RETURN QUERY SELECT * FROM lead_protection_nodes.read_{name}(lp_nodes[1]); RETURN;",
                if_silent="next",
            )
            yield f"CREATE VIEW lead_protection.{name} AS SELECT * FROM lead_protection_nodes.rows_of_{name}()"
        else:
            if any(type_.startswith("lead_protection") for _, type_ in columns):
                return
            listed = ", ".join(f'"{column}" {type_}' for column, type_ in columns)
            shown = ", ".join(f'"{column}"' for column, _ in columns)
            for node in self._nodes:
                yield (
                    f"CREATE FOREIGN TABLE lead_protection_nodes.{node}__{name} ({listed})"
                    f" SERVER lead_protection_{node} OPTIONS (schema_name 'lead_protection', table_name '{name}')"
                )
            branches = " UNION ALL ".join(
                f"SELECT {shown}, '{node}'::text AS node_name FROM lead_protection_nodes.{node}__{name}"
                for node in self._nodes
            )
            yield f"CREATE VIEW lead_protection.{name} AS {branches}"
        if entry["comment"]:
            yield self._comment(f"VIEW lead_protection.{name}", entry["comment"])

    @staticmethod
    def _comment(target: str, comment: str) -> str:
        return sql.SQL("COMMENT ON {} IS {}").format(sql.SQL(target), sql.Literal(comment)).as_string()

    @staticmethod
    def _answer(call: str, entry: dict[str, Any], outputs: list[str], rule: Rule) -> str:
        """What gives the answer of one node, or makes one of those of several."""
        over_nodes = rule.kind in ("list", "every")
        if entry["returns_set"]:
            columns = "*"
            if rule.group_by:
                keys = ", ".join(f'a."{column}"' for column in outputs[: rule.group_by])
                sums = ", ".join(f'sum(a."{column}")::bigint' for column in outputs[rule.group_by :])
                return f"RETURN QUERY SELECT {keys}, {sums} FROM {call} AS a GROUP BY {keys} ORDER BY {keys}; RETURN;"
            ordered = " ORDER BY a.lead_id" if rule.kind == "list" else ""
            return f"RETURN QUERY SELECT {columns} FROM {call} AS a{ordered}; RETURN;"
        if outputs:
            shown = ", ".join(f'sum(a."{o}")::bigint' if rule.combine == "sum" else f'a."{o}"' for o in outputs)
            into = ", ".join(f'"{o}"' for o in outputs)
            return f"SELECT {shown} INTO {into} FROM {call} AS a; RETURN;"
        if over_nodes:
            combined = {"sum": "sum(a)::bigint", "any": "bool_or(a)", "first": "(array_agg(a))[1]"}[rule.combine]
            return f"RETURN (SELECT {combined} FROM {call} AS a);"
        return f"RETURN {call};"
