"""Consumers that fail at random finish everything, in order."""

import threading
from collections import defaultdict
from datetime import timedelta
from random import Random

import pytest

from helpers.consumer_calls import claim, register
from helpers.project import cases, seed

EVENTS = cases(50_000, usual=10_000, fast=1000)

# --- under load ---


@pytest.mark.slow("10,000 events")
@pytest.mark.made_up_events("events of leads that there are not: what they tell does not matter here")
def test_three_consumers_with_random_failures_finish_all_events_in_order(db, connect):
    register(db, attempt_limit=10_000, retry_delay="1 millisecond")
    db.execute(
        "INSERT INTO lead_protection.protection_log (lead_id, user_id, event_type, occurred_at)"
        " SELECT n %% 5000, 7, 'lead.changed', now() FROM generate_series(1, %s) AS n",
        [EVENTS],
    )
    db.execute("ANALYZE lead_protection.event_deliveries")
    db.execute(
        "CREATE TABLE handled (position bigint GENERATED ALWAYS AS IDENTITY, lead_id text, sequence_number bigint)"
    )
    failures: defaultdict[str, int] = defaultdict(int)
    errors = []

    def consume(number):
        chance, session = Random(f"{seed()} {number}"), connect()
        try:
            while statuses_left(session):
                events = claim(session, batch_size=500, lease="200 milliseconds" if chance.random() < 0.1 else "1 hour")
                if events and events[0].leased_until - events[0].timestamp < timedelta(minutes=30):
                    failures["died"] += len(events)
                    continue
                bad = [event.id for event in events if chance.random() < 0.05]
                good = [event for event in events if event.id not in bad]
                if bad:
                    failures["failed"] += len(bad)
                    session.execute(
                        "SELECT lead_protection.fail_events('crm', %s, %s, 'x')", (events[0].lease_token, bad)
                    )
                if good:
                    with session.transaction():
                        session.cursor().executemany(
                            "INSERT INTO handled (lead_id, sequence_number) VALUES (%s, %s)",
                            [(event.aggregateid, event.sequence_number) for event in good],
                        )
                        answers = session.execute(
                            "SELECT bool_and(changed) FROM lead_protection.acknowledge_events('crm', %s, %s)",
                            (good[0].lease_token, [event.id for event in good]),
                        ).fetchone()
                        assert answers == (True,)
        except BaseException as error:
            errors.append(error)
            raise

    def statuses_left(session):
        query = "SELECT 1 FROM lead_protection.event_deliveries WHERE status = 'pending' LIMIT 1"
        return session.execute(query).fetchone()

    threads = [threading.Thread(target=consume, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert not errors and not any(thread.is_alive() for thread in threads)
    assert failures["died"] > EVENTS / 100 and failures["failed"] > EVENTS / 100
    assert db.execute("SELECT status, count(*) FROM lead_protection.event_deliveries GROUP BY 1").fetchall() == [
        ("acknowledged", EVENTS)
    ]
    handled = "SELECT count(*), count(DISTINCT sequence_number) FROM handled"
    assert db.execute(handled).fetchone() == (EVENTS, EVENTS)
    disorder = (
        "SELECT count(*) FROM (SELECT sequence_number,"
        " lag(sequence_number) OVER (PARTITION BY lead_id ORDER BY position) AS former FROM handled) AS h"
        " WHERE sequence_number < former"
    )
    assert db.execute(disorder).fetchone() == (0,)
