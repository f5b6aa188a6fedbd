"""The panels of monitoring/dashboard.json, and from which of them its picture was drawn."""

import hashlib
import json

from helpers.project import PROJECT


def panels() -> list[dict]:
    """All panels, as Grafana gets them."""
    return json.loads((PROJECT / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))["panels"]


def seal() -> str:
    """What the picture bears, to tell from what it was drawn: all of the panels but their explanations."""
    drawn_from = [{key: value for key, value in panel.items() if key != "description"} for panel in panels()]
    return f"dashboard.json, sha256 {hashlib.sha256(json.dumps(drawn_from, sort_keys=True).encode()).hexdigest()}"
