"""Eight sessions do all that there is to the same leads: nobody deadlocks, and what is left is sound."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from helpers.calls import rows
from helpers.facts import PROTECTED, REMINDER_DUE, insert_lead_of_age
from helpers.hold_calls import consistent, from_now, limited_policy
from helpers.project import cases, poll

pytestmark = pytest.mark.slow("seconds of calls by eight sessions")

# For so long at least, and until each kind of work was done.
LEADS, SESSIONS, SECONDS = 50, 8, cases(16, usual=5, fast=5)
# What the comments of the functions document for the calls below.
DOCUMENTED = {
    "LP003", "LP008", "LP020", "LP024", "LP032", "LP033", "LP034", "LP035", "LP036", "LP038", "LP040",
}  # fmt: skip


class Worker:
    """One session, and what it did."""

    def __init__(self, number, connection, policies, stop):
        self.random = random.Random(number)
        self.db, self.number, self.policies, self.stop = connection, number, policies, stop
        self.done: Counter[str] = Counter()
        self.refused: Counter[tuple] = Counter()
        self.wrong: list[tuple] = []
        self.calls = 0

    def lead(self):
        """A lead and its user, as they were a moment ago."""
        lead_id = self.random.randint(1, LEADS)
        query = "SELECT id, user_id FROM lead_protection.leads WHERE id = %s"
        return self.db.execute(query, (lead_id,)).fetchone()

    def hold(self):
        """A hold and its version, as they were a moment ago: one that counts, as a rule."""
        query = (
            "SELECT h.id, h.version, h.start_at FROM lead_protection.lead_holds AS h"
            " INNER JOIN lead_protection.leads AS l ON h.lead_id = l.id AND h.user_id = l.user_id"
            " WHERE l.id = %s ORDER BY h.voided_at IS NULL DESC, random() LIMIT 1"
        )
        found = self.db.execute(query, (self.random.randint(1, LEADS),)).fetchone()
        return found or (0, 1, from_now(-1))

    def some(self):
        """Some leads, in no order."""
        return self.random.sample(range(1, LEADS + 1), self.random.randint(2, LEADS))

    def key(self):
        """A key of its own, as a rule; now and then one that others use, too."""
        self.calls += 1
        return f"{self.number} {self.calls}" if self.random.random() < 0.9 else f"shared {self.calls // 10}"

    # Limits are a day: a hold that began nearly a day ago is past its limit a moment later.
    def create(self):
        start_at = self.random.choice([None, from_now(-0.5), *[from_now(-0.9999995)] * 3])
        end_at = self.random.choice([None, None, from_now(0.2)])
        args = (*self.lead(), start_at, end_at)
        return "SELECT lead_protection.create_lead_hold(%s, %s, 'x', 1, %s, %s)", args

    def release(self):
        return "SELECT lead_protection.release_lead_hold(%s, %s, 1)", self.lead()

    def correct(self):
        hold_id, version, _ = self.hold()
        end_at = self.random.choice([None, from_now(-0.1), from_now(0.1)])
        args = (hold_id, version, from_now(self.random.uniform(-0.6, -0.3)), end_at)
        return "SELECT lead_protection.correct_lead_hold(%s, %s, %s, %s, 'x', 1)", args

    def dry_run(self):
        args = (*self.hold()[:2], from_now(-0.2))
        return "SELECT lead_protection.correct_lead_hold(%s, %s, %s, NULL, 'x', 1, dry_run => true)", args

    def void(self):
        return "SELECT lead_protection.void_lead_hold(%s, %s, 'x', 1)", self.hold()[:2]

    def override(self):
        return "SELECT lead_protection.override_hold_limit(%s, %s, %s, 'x', 1)", (*self.hold()[:2], from_now(1))

    def transfer(self):
        return "SELECT lead_protection.transfer_lead(%s, %s, %s, 'x', 1)", (*self.lead(), self.random.choice([7, 8]))

    def extend(self):
        self.calls += 1
        args = (*self.lead(), f"{self.number} {self.calls}")
        return "SELECT lead_protection.extend_lead(%s, %s, 1, 'x', 1, 1, %s)", args

    def activity(self):
        self.calls += 1
        args = (*self.lead(), f"{self.number} {self.calls}")
        return "SELECT lead_protection.record_lead_activity(%s, %s, 'QUALIFIED_CALL', now(), %s, 1)", args

    def hold_many(self):
        return "SELECT count(*) FROM lead_protection.hold_leads(%s, 'x', 1, %s)", (self.key(), self.some())

    def release_many(self):
        return "SELECT count(*) FROM lead_protection.release_leads(%s, 1, %s)", (self.key(), self.some())

    def hold_user(self):
        args = (self.key(), self.random.choice([7, 8]))
        return "SELECT count(*) FROM lead_protection.hold_leads(%s, 'x', 1, NULL, %s)", args

    def transfer_many(self):
        args = (self.key(), self.random.choice([7, 8]), self.some())
        return "SELECT count(*) FROM lead_protection.transfer_leads(%s, %s, 'x', 1, %s)", args

    def move(self):
        args = (self.some(), self.random.choice(self.policies))
        return "SELECT count(*) FROM lead_protection.move_leads_to_policy(%s, %s, 'x', 1)", args

    def pipeline(self):
        return "CALL lead_protection.run_protection_pipeline(batch_size => 20)", ()

    def nightly(self):
        return "CALL lead_protection.run_nightly_maintenance()", ()

    def take(self):
        """Events claimed, and some of them acknowledged in the same transaction as a delivery is reported."""
        done = self.random.choice(
            ["acknowledge_events('crm', lease_token, ids)", "fail_events('crm', lease_token, ids, 'x')"]
        )
        return (
            "WITH claimed AS MATERIALIZED (SELECT * FROM lead_protection.claim_events('crm', 20, '1 second')),"
            " batch AS (SELECT lease_token, array_agg(id ORDER BY random()) AS ids FROM claimed GROUP BY 1)"
            f" SELECT count(*) FROM batch, LATERAL lead_protection.{done}",
            (),
        )

    def report(self):
        report = self.random.choice(
            [
                "start_reminder_delivery(%s",
                "report_reminder_delivery(%s, 'delivered'",
                "report_reminder_delivery(%s, 'failed', 'x'",
            ]
        )
        call = report % "r.lead_id, r.user_id, r.window_date, 'm' || %s"
        return (
            f"SELECT lead_protection.{call}) FROM (SELECT * FROM lead_protection.lead_reminders"
            " ORDER BY random() LIMIT 1) AS r",
            (self.random.randint(1, 3),),
        )

    def replay(self):
        return "SELECT lead_protection.replay_events('crm', now() - INTERVAL '5 seconds')", ()

    def register(self):
        since = self.random.choice([None, "-infinity"])
        return "SELECT lead_protection.register_event_consumer('other', since => %s::timestamptz)", (since,)

    def unregister(self):
        return "SELECT lead_protection.unregister_event_consumer('other')", ()

    WORK = (
        (create, 12), (release, 6), (correct, 8), (dry_run, 2), (void, 3), (override, 3), (transfer, 4), (extend, 3),
        (activity, 4), (hold_many, 3), (release_many, 2), (hold_user, 1), (transfer_many, 1), (move, 1),
        (pipeline, 4), (nightly, 4), (take, 8), (report, 6), (replay, 1), (register, 1), (unregister, 1),
    )  # fmt: skip

    def run(self):
        """Work until it is enough."""
        works, weights = zip(*self.WORK, strict=True)
        while not self.stop.is_set():
            (work,) = self.random.choices(works, weights)
            try:
                self.db.execute(*work(self))
                self.done[work.__name__] += 1
            except psycopg.Error as error:
                self.refused[work.__name__, error.sqlstate] += 1
                if error.sqlstate not in DOCUMENTED or not error.diag.message_hint:
                    self.wrong.append((work.__name__, error.sqlstate, str(error)))
        return self


TOLD = {
    "lead.hold.created", "lead.hold.released", "lead.hold.corrected", "lead.hold.voided",
    "lead.hold.limit_overridden", "lead.hold.limit_near", "lead.protection.transferred", "lead.protection.extended",
    "lead.protection.moved", "lead.protection.reminder", "lead.reminder.delivered", "lead.reminder.failed",
}  # fmt: skip


def nothing_missing(db, workers):
    """Whether each kind of work was done, the jobs found something to do, and corrections met."""
    done = set().union(*(worker.done.keys() for worker in workers))
    refused = {sqlstate for worker in workers for _, sqlstate in [*worker.refused]}
    if done != {work.__name__ for work, _ in Worker.WORK} or "LP035" not in refused:
        return False
    # Most holds past their limit are of leads that somebody has locked just then.
    nights = "SELECT sum((result ->> 'holds_overrun')::int + (result ->> 'skipped_locked')::int) AS met"
    met = rows(db, f"{nights} FROM lead_protection.job_runs WHERE job_name = 'lead-protection-nightly'")[0]["met"]
    told = {row["type"] for row in rows(db, "SELECT DISTINCT type FROM lead_protection.outbox_events")}
    return bool(met) and told >= TOLD


def test_eight_sessions_at_the_same_fifty_leads(db, connect):
    policies = [
        limited_policy(db, "limited", hold_limit_days=1, hold_total_limit_days=2),
        limited_policy(db, "idle", rule="parallel", hold_total_limit_days=3),
        limited_policy(db, "notice", notice_required=True, hold_limit_days=1),
    ]
    for lead_id in range(1, LEADS + 1):
        insert_lead_of_age(db, lead_id, REMINDER_DUE if lead_id % 3 == 0 else PROTECTED, user_id=7 + lead_id % 2)
    for user_id in (7, 8):
        db.execute("SELECT lead_protection.assign_user_policy(%s, %s, 1)", (user_id, policies[0]))
    db.execute("UPDATE lead_protection.leads SET policy_id = (%s::bigint[])[1 + id %% 3]", (policies,))
    db.execute("SELECT lead_protection.register_event_consumer('crm', retry_delay => '1 millisecond')")
    stop = threading.Event()
    workers = [Worker(number, connect(), policies, stop) for number in range(SESSIONS)]
    least = time.monotonic() + SECONDS
    with ThreadPoolExecutor(SESSIONS) as pool:
        working = [pool.submit(worker.run) for worker in workers]
        try:
            poll(lambda: time.monotonic() > least and nothing_missing(db, workers), timeout=60, what="no idle run")
        finally:
            stop.set()
        for each in working:
            each.result()
    assert [wrong for worker in workers for wrong in worker.wrong] == []

    consistent(db)
    open_holds = (
        "SELECT lead_id, user_id FROM lead_protection.lead_holds WHERE end_at IS NULL AND voided_at IS NULL"
        " GROUP BY lead_id, user_id HAVING count(*) > 1"
    )
    assert rows(db, open_holds) == []
    outcomes = rows(db, "SELECT DISTINCT outcome, error FROM lead_protection.job_runs ORDER BY 1")
    assert {(row["outcome"], row["error"]) for row in outcomes} <= {("succeeded", None), ("skipped", None)}
    # The chain is unbroken: what a hold is now is what the log said last about it.
    last = (
        "SELECT h.id FROM lead_protection.lead_holds AS h CROSS JOIN LATERAL ("
        " SELECT v.* FROM lead_protection.v_hold_history AS v WHERE v.lead_id = h.lead_id AND v.hold_id = h.id"
        " AND v.event_type <> 'lead.hold.limit_near' ORDER BY v.occurred_at DESC LIMIT 1) AS v"
        " WHERE (h.start_at, coalesce(h.end_at, 'infinity'))"
        " IS DISTINCT FROM (v.hold_start_at, coalesce(v.hold_end_at, 'infinity'))"
    )
    assert rows(db, last) == []
