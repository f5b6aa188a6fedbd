"""The main path of the runbook, typed at a router whose two nodes have the leads of the sample."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from helpers import runbook_outcomes
from helpers.debian_tools import unpacked
from helpers.pages import OPERATOR, RUNBOOK, Runner, sections
from helpers.routers import Routed, run
from helpers.server import Server

# The others call a job, look into an adopted table or write to tables: at the node, as docs/scaling.md says.
MAIN_PATH = {
    "Daily routine": runbook_outcomes.daily_numbers,
    "Put a lead on hold": runbook_outcomes.lead_is_on_hold,
    "Hold many leads at once": runbook_outcomes.many_are_held,
    "A user leaves": runbook_outcomes.leads_have_a_successor,
    "A contract changes": runbook_outcomes.contract_is_changed,
}


@pytest.fixture(scope="module")
def spread(server: Server, new_database: Callable, template: str, sample_template: str) -> Iterator[str]:
    """The name of a router, over a node that had the sample and one that got half of its leads."""
    unpacked("router")
    with ExitStack() as stack:
        databases = {
            name: stack.enter_context(new_database(of)) for name, of in (("n0", sample_template), ("n1", template))
        }
        alone, router = stack.enter_context(new_database(template)), stack.enter_context(new_database())
        made = Routed(server, databases, router, alone)
        stack.callback(made.close)
        run("move-slots", "0-31", "--to", "n1", url=made.url)
        yield router


@pytest.mark.parametrize("heading", MAIN_PATH)
@pytest.mark.thorough(
    "the same sections at a router",
    by_day="docs/test_runbook.py::test_runbook router/test_calls.py::test_every_function_that_routes_can_be_called",
)
def test_the_main_path_of_the_runbook(heading, spread, server):
    runner = Runner(server, spread, OPERATOR)
    MAIN_PATH[heading](runner.run_all(sections(RUNBOOK)[heading], runbook_outcomes.PUT_IN.get(heading)))
