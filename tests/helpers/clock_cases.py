"""The cases of the rule that were worked by hand, each with its facts and with what must be shown."""

import json

from helpers.project import PROJECT

CASES = json.loads((PROJECT / "tests" / "rule" / "clock_cases.json").read_text())
