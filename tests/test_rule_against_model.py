"""Random facts: derivation and cached view against the independent model."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facts import SHOWN, in_utc, insert_holds, insert_lead, insert_policy, insert_reminders
from model import Hold, Policy, Protection, base_expiry, protection

policies = st.builds(
    Policy,
    base_months=st.integers(1, 14),
    extension_days=st.integers(0, 70),
    grace_days=st.integers(1, 20),
    time_zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "UTC", "Asia/Kathmandu"]),
    reminder_time=st.sampled_from([time(0, 0), time(2, 30), time(8, 0), time(23, 59, 59)]),
)
starts = st.datetimes(datetime(2015, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC))
# Whole days make instants meet: adjacent holds, holds at the expiry, looks at a boundary.
offsets = st.one_of(
    st.integers(-30, 900).map(lambda days: timedelta(days=days)),
    st.timedeltas(timedelta(days=-30), timedelta(days=900)),
)


@st.composite
def worlds(draw):
    """A lead, its policy, holds, reminders and closing, and the instants at which it is looked at."""
    policy, start = draw(policies), draw(starts)
    edges = [timedelta(0), base_expiry(start, policy) - start]
    offset = st.one_of(offsets, st.sampled_from(edges))
    bounds = draw(st.lists(st.tuples(offset, offset), max_size=5))
    holds = [Hold(start + min(bound), start + max(bound)) for bound in bounds]
    if draw(st.booleans()):
        holds.append(Hold(start + draw(offset), None))
    closed_at = start + abs(draw(offset)) if draw(st.integers(0, 5)) == 0 else None
    instants = {start, base_expiry(start, policy)} | {i for h in holds for i in (h.start_at, h.end_at) if i}
    looks = [start + draw(offset) for _ in range(6)]
    looks += [instant + step for instant in instants for step in (timedelta(microseconds=-1), timedelta(0))]
    return policy, start, holds, closed_at, sorted(look for look in looks if look >= start)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_random_facts(db, world):
    policy, start, holds, closed_at, looks = world
    # A zone with clock changes of its own: it must not matter.
    db.execute("SET TimeZone = 'Australia/Lord_Howe'")
    with db.transaction(force_rollback=True):
        policy_id = insert_policy(db, **vars(policy))
        insert_lead(db, 1, start, policy_id=policy_id, closed_at=closed_at)
        insert_holds(db, 1, [(hold.start_at, hold.end_at) for hold in holds])
        # A reminder in the midst of the looks that find it due: before it REMINDER_DUE, after it GRACE.
        due = [look for look in looks if protection(start, policy, holds, [], closed_at, look).state == "REMINDER_DUE"]
        reminders = due[len(due) // 2 :][:1]
        insert_reminders(db, 1, reminders)

        def shown(function, instants):
            rows = db.execute(
                f"SELECT {SHOWN} FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS look (as_of, n)"
                f" CROSS JOIN LATERAL lead_protection.{function}(look.as_of) ORDER BY n",
                (instants,),
            )
            return [Protection(*in_utc(row)) for row in rows]

        expected = [protection(start, policy, holds, reminders, closed_at, look) for look in looks]
        assert shown("protection_as_of", looks) == expected
        # The cache answers for the time after what it knows: the last reminder, the closing.
        known = [*reminders, *filter(None, [closed_at])]
        later = [look for look in looks if look >= max(known, default=start)]
        assert shown("user_lead_protection", later) == expected[len(looks) - len(later) :]
        assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []
