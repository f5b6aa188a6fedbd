"""A plugin of pytest: which statements of the PL/pgSQL routines the tests ran, as plpgsql_check counts them.

`make coverage` loads it, with LEAD_PROTECTION_COVERAGE set: then the private PostgreSQL counts. After each test, before
its databases are dropped, their counts are added to those of the tests before. A database counts if it has exactly the
code of this tree: a former release that is upgraded, or a copy that a test spoiled, has other statements.
Functions in SQL and views have no statements that could be counted.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from helpers.project import PROJECT
from lead_protection import installer

CODE = installer.code_checksum(PROJECT)

STATEMENTS = """
SELECT p.oid::regprocedure::text, p.prosrc, s.stmtid, s.lineno, s.exec_stmts > 0
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
CROSS JOIN LATERAL plpgsql_profiler_function_statements_tb(p.oid) AS s
WHERE p.pronamespace = 'lead_protection'::regnamespace
"""


@dataclass
class Routine:
    """A routine's source and, by the number of each statement, its line in that and whether a test ran it."""

    source: str = ""
    lines: dict[int, int] = field(default_factory=dict)
    run: set[int] = field(default_factory=set)

    def __ior__(self, other: "Routine") -> "Routine":
        """Add what other tests ran."""
        self.source = other.source
        self.lines |= other.lines
        self.run |= other.run
        return self


class Coverage:
    """Collects the counts of this process and, where it distributes the tests, those of its workers."""

    def __init__(self, config: pytest.Config):
        """Begin with nothing; `config` is that of the run."""
        self.config = config
        self.routines: dict[str, Routine] = defaultdict(Routine)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Function) -> None:
        """Collect while the databases of the test are there still."""
        if "server" not in item.fixturenames:
            return
        server = item._request.getfixturevalue("server")
        with psycopg.connect(server.url(), autocommit=True) as connection:
            for (name,) in connection.execute(
                "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn"
            ).fetchall():
                self.collect(server.url(name))
            # Or the memory for the counts would be full of those of databases that are gone.
            connection.execute("CREATE EXTENSION IF NOT EXISTS plpgsql_check SCHEMA pg_catalog")
            connection.execute("SELECT pg_catalog.plpgsql_profiler_reset_all()")

    def collect(self, url: str) -> None:
        """Add what was run in a database."""
        with psycopg.connect(url, autocommit=True) as connection:
            checksums = "lead_protection.migration_checksums"
            if connection.execute("SELECT to_regclass(%s)", [checksums]).fetchone() == (None,):
                return
            loaded = connection.execute(f"SELECT sha256 FROM {checksums} WHERE migration_id = 'sql/'").fetchone()
            if loaded != (CODE,):
                return
            connection.execute("CREATE EXTENSION IF NOT EXISTS plpgsql_check SCHEMA pg_catalog")
            for name, source, number, line, run in connection.execute(STATEMENTS):
                routine = self.routines[name]
                routine.source = source
                routine.lines[number] = line
                if run:
                    routine.run.add(number)

    def pytest_sessionfinish(self) -> None:
        """Hand a worker's counts to the process that distributes the tests."""
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["statement_coverage"] = [
                (name, routine.source, list(routine.lines.items()), sorted(routine.run))
                for name, routine in self.routines.items()
            ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the counts of a worker that is done; one that crashed has none."""
        for name, source, lines, run in getattr(node, "workeroutput", {}).get("statement_coverage", []):
            self.routines[name] |= Routine(source, dict(lines), set(run))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print each routine that was not run whole, with its lines, and the sum of all."""
        terminalreporter.section("statements of PL/pgSQL that were run")
        for line in self.report():
            terminalreporter.write_line(line)

    def report(self) -> Iterator[str]:
        """Give the lines of the report."""
        total = run = whole = 0
        files = {path: path.read_text(encoding="utf-8") for path in installer.load_order(PROJECT)}
        for name, routine in sorted(self.routines.items()):
            total += len(routine.lines)
            run += len(routine.run)
            whole += len(routine.run) == len(routine.lines)
            missed = sorted({routine.lines[number] for number in routine.lines.keys() - routine.run})
            if not missed:
                continue
            place = name
            for path, text in files.items():
                if routine.source in text:
                    first = text.count("\n", 0, text.index(routine.source))
                    place = str(path.relative_to(PROJECT))
                    missed = [first + line for line in missed]
            yield (
                f"{share(len(routine.run), len(routine.lines))}  {place}: not run: lines {', '.join(map(str, missed))}"
            )
        yield f"{whole} of {len(self.routines)} routines were run whole"
        yield f"{share(run, total)}  in all: {run} of {total} statements"


def share(part: int, whole: int) -> str:
    """Return a percentage, rounded down: 100 is said of what is whole only."""
    return f"{100 * part // whole if whole else 0:3d} %"


def pytest_configure(config: pytest.Config) -> None:
    """Begin to collect."""
    config.pluginmanager.register(Coverage(config), "statement-coverage")
