"""Looking at leads in all ways that there are, and the transitions between two looks."""

import re
from itertools import pairwise, product

from helpers.calls import make_policy, rows
from helpers.project import PROJECT

OPEN = {"PROTECTED", "REMINDER_DUE", "GRACE", "EXPIRED"}

WORDS = {"correction": ["correct_lead_activity", "correct_lead_hold", "move_leads_to_policy", "UPDATE"]}


def diagram() -> set[tuple[str, str, str]]:
    """The transitions of docs/states.md as (from, to, cause), words and the composite state taken apart."""
    page = (PROJECT / "docs" / "states.md").read_text()
    (mermaid,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    edges = set()
    for line in mermaid.splitlines():
        if "-->" not in line:
            continue
        ((origin, target, label),) = re.findall(r"^\s*(\S+) --> (\S+): (.+)$", line)
        for word in re.split(r",\s*", label.replace("<br/>", " ")):
            for cause in WORDS.get(word, [word]):
                edges |= {(origin, target, cause)}
    # The composite state: into it and out of it from each of its states; its own [*] says where an INSERT leads.
    taken_apart = set()
    for origin, target, cause in edges:
        if (origin, target) == ("[*]", "open"):
            continue
        origins, targets = (OPEN if state == "open" else {state} for state in (origin, target))
        taken_apart |= set(product(origins, targets, [cause]))
    return taken_apart


def transitions(before: dict, after: dict, cause: str) -> set[tuple[str, str, str]]:
    """The transitions between two looks at one lead: of its state, and of its hold."""
    made = set()
    if before["state"] != after["state"]:
        made.add((before["state"], after["state"], cause))
    if before["on_hold"] != after["on_hold"]:
        origin, target = (("running", "on_hold")[row["on_hold"]] for row in (before, after))
        made.add((origin, target, cause))
    return made


LOOK = (
    "SELECT lead_id, user_id, policy_id, created_at, closed_at, protection_expires_at, state, on_hold,"
    " reminder_due_at, reminded_at FROM lead_protection.{} WHERE lead_id = ANY(%s) ORDER BY lead_id"
)


def look(db, lead_ids: list[int], source: str = "v_user_lead_protection") -> dict[int, dict]:
    """What the leads show, by id."""
    return {row["lead_id"]: row for row in rows(db, LOOK.format(source), [lead_ids])}


def one_answer(db, lead_ids: list[int]) -> None:
    """Cache = rule, and view = protection_as_of() = explain_protection(), at one instant."""
    drift = "SELECT * FROM lead_protection.find_clock_drift() WHERE lead_id = ANY(%s)"
    explained = (
        "SELECT lead_id, (result ->> 'protection_expires_at')::timestamptz AS protection_expires_at,"
        " result ->> 'state' AS state, (result ->> 'on_hold')::boolean AS on_hold,"
        " (result ->> 'reminder_due_at')::timestamptz AS reminder_due_at"
        " FROM unnest(%s::bigint[]) AS lead_id"
        " CROSS JOIN LATERAL (SELECT lead_protection.explain_protection_json(lead_id) -> 'result' AS result) AS e"
        " ORDER BY lead_id"
    )
    with db.transaction():
        shown = look(db, lead_ids)
        assert rows(db, drift, [lead_ids]) == []
        assert look(db, lead_ids, "protection_as_of(now())") == shown
        for row in rows(db, explained, [lead_ids]):
            assert row == {name: shown[row["lead_id"]][name] for name in row}


def short_policy(db, name: str, **terms) -> int:
    """Make a policy through the API and return its id; 1 month, 20 days and 10 days in UTC unless told otherwise."""
    terms = {"base_months": 1, "extension_days": 20, "grace_days": 10, "time_zone": "UTC"} | terms
    return make_policy(db, name, **terms)


def named(edges) -> list[str]:
    """Transitions as people read them."""
    return sorted(f"{origin} --> {target}: {cause}" for origin, target, cause in edges)


def over_time(db, lead_id: int, *, only_later: bool = True) -> list[dict]:
    """What a lead shows, by the rule, at all instants at which it may change, and just before, in order."""
    critical = rows(
        db,
        "SELECT DISTINCT i.instant + step AS instant FROM lead_protection.lead_clocks AS c"
        " CROSS JOIN LATERAL (SELECT c.reminder_due_at UNION ALL SELECT c.protection_expires_at UNION ALL"
        "  SELECT h.start_at FROM lead_protection.lead_holds AS h WHERE h.lead_id = c.lead_id UNION ALL"
        "  SELECT h.end_at FROM lead_protection.lead_holds AS h WHERE h.lead_id = c.lead_id UNION ALL"
        "  SELECT now() + n * INTERVAL '9 days' FROM generate_series(0, 12) AS n) AS i (instant)"
        " CROSS JOIN (VALUES (INTERVAL '0'), (INTERVAL '-1 microsecond')) AS s (step)"
        " WHERE c.lead_id = %s AND (NOT %s OR i.instant + step >= now()) AND i.instant + step >= c.started_at"
        " ORDER BY 1",
        [lead_id, only_later],
    )
    instants = [row["instant"] for row in critical]
    return rows(
        db,
        "SELECT i.instant, s.* FROM unnest(%s::timestamptz[]) AS i (instant)"
        " CROSS JOIN LATERAL lead_protection.protection_as_of(i.instant) AS s"
        " WHERE s.lead_id = %s ORDER BY i.instant",
        [instants, lead_id],
    )


def transitions_of_time(looks: list[dict]) -> set[tuple[str, str, str]]:
    """The transitions along successive looks."""
    return set().union(*(transitions(before, after, "time") for before, after in pairwise(looks)))
