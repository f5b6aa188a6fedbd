"""The dashboard's colours, units and thresholds, and the picture of it."""

import re

import pytest
import yaml

from helpers.dashboard import panels, seal
from helpers.project import PROJECT

PANELS = {panel["title"]: panel for panel in panels()}
FIGURES = {title: panel for title, panel in PANELS.items() if panel["type"] == "stat"}
LINES = {title: panel for title, panel in PANELS.items() if panel["type"] == "timeseries"}
ALERTS = {
    rule["alert"]: rule
    for rule in yaml.safe_load((PROJECT / "monitoring" / "alerts.yml").read_text(encoding="utf-8"))["groups"][0][
        "rules"
    ]
}

# Green, amber, orange, grey, light, blue.
STATES = {
    "PROTECTED": "#2E9E5B",
    "REMINDER_DUE": "#F5B800",
    "GRACE": "#E8700A",
    "EXPIRED": "#8A8F98",
    "CLOSED": "#D5D8DD",
    "FREE": "#6FA8DC",
}
# The alert that fires on what a figure shows.
ALERT_OF = {
    "Oldest reminder due": "LeadReminderSlaAtRisk",
    "Pipeline last succeeded": "LeadPipelineNotRunning",
    "Nightly last succeeded": "LeadNightlyNotRunning",
    "Dead letters": "LeadDeadLetters",
    "Clock drift": "LeadClockDrift",
    "Paused": "LeadProtectionPaused",
    "Default policy": "LeadDefaultPolicyMissing",
    "pg_cron": "LeadSchedulerMissing",
    "Adopted rows out of step": "LeadAdoptionOutOfStep",
}


def colors(panel: dict) -> dict[str, str]:
    """The fixed colours of a panel by the names of its series."""
    found = {}
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byName"
        for one in override["properties"]:
            if one["id"] == "color":
                assert one["value"]["mode"] == "fixed"
                found[override["matcher"]["options"]] = one["value"]["fixedColor"]
    return found


def reached(steps: list[dict], value: float) -> str:
    """The colour of a value."""
    assert steps[0]["value"] is None
    return [step["color"] for step in steps if step["value"] is None or step["value"] <= value][-1]


@pytest.mark.parametrize("title", LINES)
def test_series_have_an_axis_with_a_unit_and_colours_by_names_that_exist(title, db):
    panel = LINES[title]
    config = panel["fieldConfig"]["defaults"]
    assert config["unit"] in ("short", "s")
    assert config["custom"]["axisLabel"]
    db.execute("SELECT lead_protection.refresh_metrics('0')")
    names = set()
    for target in panel["targets"]:
        label = re.fullmatch(r"\{\{(\w+)\}\}", target["legendFormat"])
        if not label:
            names.add(target["legendFormat"])
            continue
        (metric,) = set(re.findall(r"\blead_\w+", target["expr"]))
        names |= {
            name
            for (name,) in db.execute(
                "SELECT labels ->> %s FROM lead_protection.v_metrics WHERE metric = %s", (label[1], metric)
            )
        }
    assert colors(panel).keys() <= names
    # The application names its consumers.
    assert colors(panel).keys() == names or "{{consumer}}" in [target["legendFormat"] for target in panel["targets"]]


def test_a_state_has_its_colour_and_what_leads_to_it_too():
    assert colors(PANELS["Leads by state"]) == STATES
    for title, name, state in [
        ("Reminders due and sent", "due", "REMINDER_DUE"),
        ("Reminders due and sent", "sent", "GRACE"),
        ("Expiries and reactivations", "expired", "EXPIRED"),
        ("Expiries and reactivations", "reactivated", "PROTECTED"),
        ("Expired, and expiring within 7 days", "expired", "EXPIRED"),
    ]:
        assert colors(PANELS[title])[name] == STATES[state], (title, name)


@pytest.mark.parametrize("title", FIGURES)
def test_single_figures_have_a_unit_and_thresholds_that_colour_them(title):
    panel = FIGURES[title]
    config = panel["fieldConfig"]["defaults"]
    assert config["unit"] in ("short", "s", "percentunit")
    assert panel["options"]["colorMode"] == "background"
    steps = config["thresholds"]["steps"]
    assert {"green"} < {step["color"] for step in steps} <= {"green", "orange", "red"}
    assert [step["value"] for step in steps[1:]] == sorted({step["value"] for step in steps[1:]})


@pytest.mark.parametrize("title", ALERT_OF)
def test_a_figure_turns_where_its_alert_fires(title):
    alert = ALERTS[ALERT_OF[title]]
    steps = FIGURES[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    comparison, bound = re.search(r"(>|==) (\d+)", alert["expr"]).groups()
    bound = int(bound)
    color = {"critical": "red", "warning": "orange"}[alert["labels"]["severity"]]
    whole = FIGURES[title]["fieldConfig"]["defaults"]["unit"] == "short"
    fires, silent = (bound, bound + 1) if comparison == "==" else (bound + 1, bound if whole else bound - 1)
    if title == "Paused":
        fires, silent = 1, 0
    assert reached(steps, fires) == color
    assert reached(steps, silent) != color


def test_the_picture_is_drawn_from_the_present_dashboard():
    picture = (PROJECT / "docs" / "dashboard.png").read_bytes()
    assert seal().encode() in picture, "run scripts/draw-dashboard"
