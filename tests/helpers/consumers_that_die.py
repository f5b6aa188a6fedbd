"""Consumers of events that now and then die: before they acknowledge, or after they mailed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from helpers.calls import rows
from helpers.consumer_calls import claim, register
from helpers.expected_ledgers import REMINDER

if TYPE_CHECKING:
    from helpers.decade import Decade

OF_LOG = "SELECT event_id FROM lead_protection.protection_log WHERE event_type = ANY(%s)"
DISCARDED = "SELECT event_id FROM lead_protection.event_deliveries WHERE consumer_name = %s AND status = 'discarded'"


class Consumer:
    """One of them; `mails`: it sends the reminders, and says what became of them."""

    def __init__(self, decade: Decade, name: str, *, mails: bool = False):
        self.decade, self.name, self.mails = decade, name, mails
        self.handled: Counter[UUID] = Counter()
        self.mailed: Counter[UUID] = Counter()
        # Deliveries that were taken back, which a night may forget.
        self.discarded: set[UUID] = set()
        self.deaths = 0
        register(decade.db, name, types=[REMINDER] if mails else None, attempt_limit=1000)

    def work(self) -> None:
        """Handle what there is; a consumer that dies leaves it to the lease's end."""
        decade = self.decade
        while found := claim(decade.db, self.name):
            for number, event in enumerate(found):
                if decade.chance.random() < 0.01 * decade.trouble:
                    self.deaths += 1
                    decade.done["deaths of consumers"] += 1
                    self.acknowledge(found[:number])
                    return
                if self.mails:
                    self.mail(event)
                    if decade.chance.random() < 0.02 * decade.trouble:
                        self.deaths += 1
                        decade.done["deaths of consumers"] += 1
                        return
                self.handled[event.id] += 1
            self.acknowledge(found)

    def acknowledge(self, events: list) -> None:
        """Say that they are handled."""
        if events:
            self.decade.db.execute(
                "SELECT lead_protection.acknowledge_events(%s, %s, %s)",
                (self.name, events[0].lease_token, [event.id for event in events]),
            )

    def mail(self, event: Any) -> None:
        """Mail a reminder, if it still makes sense, and tell the ledgers what the report changes."""
        decade = self.decade
        window = event.payload["window_date"]
        reminder = int(event.aggregateid), event.payload["user_id"], window
        answer = decade.call("start_reminder_delivery(%s, %s, %s, %s)", *reminder, str(event.id))
        if answer.get("deliver"):
            self.mailed[event.id] += 1
            outcome = decade.chance.choice(["delivered"] * 8 + ["failed"])
            report = "report_reminder_delivery(%s, %s, %s, %s, %s, %s)"
            error = "box full" if outcome == "failed" else None
            answer = decade.call(report, *reminder, str(event.id), outcome, error)
            decade.done[f"reminders {outcome}"] += 1
        if not answer:
            # It was taken back: LP044.
            return
        story = decade.ledgers.changed(reminder[0])
        (entry,) = (r for r in story.reminders if (r.user_id, r.window) == (reminder[1], date.fromisoformat(window)))
        entry.retry_at = answer["retry_at"] and answer["retry_at"].astimezone(UTC)
        if answer["outcome"] == "delivered" and entry.delivered_at is None:
            entry.delivered_at = decade.now

    def note_discarded(self) -> None:
        """What the jobs have put aside."""
        self.discarded |= {each["event_id"] for each in rows(self.decade.db, DISCARDED, (self.name,))}

    def finish(self) -> None:
        """Handle all that is left; then each event must have been handled, and none mailed twice without a death."""
        decade = self.decade
        chance, decade.trouble = decade.trouble, 0
        for _ in range(3):
            self.work()
            decade.later(int(timedelta(minutes=10).total_seconds()))
        decade.trouble = chance
        self.note_discarded()
        types = [REMINDER] if self.mails else self.all_types()
        wanted = {each["event_id"] for each in rows(decade.db, OF_LOG, (types,))}
        lost = wanted - set(self.handled) - self.discarded
        assert not lost, f"{self.name} never got {len(lost)} events, such as {next(iter(lost))}"
        twice = sum(self.handled.values()) - len(self.handled)
        decade.done[f"{self.name}: events handled"] += len(self.handled)
        decade.done[f"{self.name}: handled again after a death"] += twice
        more = sum(count - 1 for count in self.mailed.values())
        assert more <= self.deaths, f"{more} mails twice, after {self.deaths} deaths"

    def all_types(self) -> list[str]:
        """The types that the log has."""
        found = rows(self.decade.db, "SELECT DISTINCT event_type FROM lead_protection.protection_log")
        return [each["event_type"] for each in found]
