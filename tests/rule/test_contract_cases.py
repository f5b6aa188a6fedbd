"""The words of a contract: worked cases with the law that each follows, by all that computes a clock and by the model.

To write the table of docs/contract.md anew, run this file with LEAD_PROTECTION_WRITE_REFERENCE=1.
"""

import json
import os
import re
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from helpers.model import Clock, Hold, Lead, Policy, Reminder, Version, protection
from helpers.pages import WRITE_REFERENCE
from helpers.project import PROJECT
from helpers.worlds import insert_world

CASES = json.loads((PROJECT / "tests" / "rule" / "contract_cases.json").read_text())
PAGE = PROJECT / "docs" / "contract.md"
TABLE = re.compile(r"(?<=<!-- contract cases: begin -->\n).*(?=<!-- contract cases: end -->)", re.DOTALL)


def policy_of(case: dict) -> Policy:
    """The terms of a case as the model has them."""
    return Policy(**case["terms"])


def instant(case: dict, local: str) -> datetime:
    """An instant of a case, which tells them in its policy's zone."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(policy_of(case).time_zone)).astimezone(UTC)


def world_of(case: dict) -> Lead:
    """The case as the model has it; what was sent was sent for the window that the lead has without it."""
    bare = Lead(
        versions=(Version(7, policy_of(case), instant(case, case["start"])),),
        holds=tuple(Hold(7, *(instant(case, bound) for bound in hold)) for hold in case.get("holds", ())),
    )
    window = Clock(bare, bare.versions[0], instant(case, case.get("as_of", case["start"]))).window
    return Lead(
        bare.versions,
        bare.holds,
        reminders=tuple(
            Reminder(7, instant(case, sent_at), window, delivered_at and instant(case, delivered_at))
            for sent_at, delivered_at in case.get("reminders", ())
        ),
    )


def test_each_case_is_told_with_its_law():
    assert len(CASES) >= 40
    assert all(case["law"] and case["what"].endswith(".") for case in CASES)


@pytest.mark.parametrize("session_zone", ["Europe/Berlin", "America/New_York"])
def test_worked_cases(unchecked, session_zone):
    unchecked.execute("SELECT set_config('TimeZone', %s, true)", (session_zone,))
    wrong: list[tuple] = []
    for number, case in enumerate(CASES, start=1):
        world = world_of(case)
        as_of = instant(case, case.get("as_of", case["start"]))
        insert_world(unchecked, number, world)
        shown: dict[str, datetime | None] = {"the model": protection(world, as_of).protection_expires_at}
        for function in ("protection_as_of", "user_lead_protection"):
            shown[function], due = unchecked.execute(
                f"SELECT protection_expires_at, reminder_due_at FROM lead_protection.{function}(%s) WHERE lead_id = %s",
                (as_of, number),
            ).fetchone()
            if "reminder" in case and due != instant(case, case["reminder"]):
                wrong.append((number, case["what"], function, due, "reminder"))
        (shown["the explanation"],) = unchecked.execute(
            "SELECT expires_at FROM lead_protection.explain_protection(%s, %s)"
            " WHERE item <> 'RESULT' AND expires_at IS NOT NULL ORDER BY step DESC LIMIT 1",
            (number, as_of),
        ).fetchone()
        ends = instant(case, case["ends"])
        wrong += [(number, case["what"], who, what, ends) for who, what in shown.items() if what != ends]
    assert not wrong


def terms_text(case: dict) -> str:
    """The terms of a case in a few words."""
    terms = case["terms"]
    months = f"{terms.get('base_months', 6)} months"
    only_base = terms.get("rule") == "parallel"
    words = [f"base, {months}" if only_base else f"{months}, 60 and 10 days"]
    words += [
        f"`{term}`" if value is True else f"`{value}`" if term == "calendar" else f"`{term}` {value}"
        for term, value in terms.items()
        if term not in ("rule", "base_months", "extension_days", "time_zone", "period_end")
    ]
    if "period_end" not in terms:
        words.append("to the minute")
    return "; ".join(words)


def facts_text(case: dict) -> str:
    """What happened, in a few words."""
    words = [f"hold {begin} to {end}" for begin, end in case.get("holds", ())]
    words += [
        f"reminder sent {sent}, " + (f"delivered {delivered}" if delivered else "no delivery reported")
        if "notice_counts_from" in case["terms"]
        else f"reminder sent {sent}"
        for sent, delivered in case.get("reminders", ())
    ]
    return "; ".join([case["start"], *words])


def table() -> str:
    """The cases as a table."""
    lines = ["| | case | law | terms | start, and what happened | last protected day | reminder |", "|" + "---|" * 7]
    for number, case in enumerate(CASES, start=1):
        last = case["last_day"] if case["ends"].endswith("00:00") else f"{case['last_day']}, until {case['ends'][11:]}"
        weekday = date.fromisoformat(case["last_day"]).strftime("%a")
        cells = (
            *(str(number), case["what"], case["law"], terms_text(case), facts_text(case)),
            *(f"{weekday} {last}", case.get("reminder", "")),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_page_has_them_all():
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get(WRITE_REFERENCE):
        PAGE.write_text(text := TABLE.sub(lambda _: table(), text), encoding="utf-8")
    assert TABLE.search(text)[0] == table(), f"stale; run this test with {WRITE_REFERENCE}=1 to write it anew"


def test_last_days_are_what_the_ends_say():
    """A case to the minute apart, the protection ends when the last protected day is over."""
    for case in CASES:
        ends = datetime.fromisoformat(case["ends"])
        if "period_end" in case["terms"]:
            assert ends.time() == time() and (ends.date() - date.fromisoformat(case["last_day"])).days == 1, case
