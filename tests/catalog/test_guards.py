"""Who is left to the night names who guards by day."""

import pytest

from helpers.guards import but_by_night, faults_in_guards

HERE = "catalog/test_guards.py::test_a_guard_is_a_test_that_is_there"


def test_a_guard_is_a_test_that_is_there():
    assert faults_in_guards({"by_day": HERE}) == ""
    assert faults_in_guards({}) == faults_in_guards({"by_day": ""}) == "by_day names none"
    for missing in (f"{HERE}_not", "catalog/test_nowhere.py::test_a", "catalog/test_guards.py"):
        assert faults_in_guards({"by_day": f"{HERE} {missing}"}) == missing


def test_values_that_may_wait_are_marked():
    by_day, at_night = but_by_night([("a", 1), ("b", 2)], [("a", 1)], "another", HERE)
    assert by_day == ("a", 1)
    assert at_night == pytest.param("b", 2, marks=pytest.mark.thorough("another", by_day=HERE))
