"""No session setting changes a result: neither what is shown nor what is written."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from helpers.facts import insert_activities, insert_extensions, insert_history, insert_holds, insert_lead, insert_policy
from helpers.facts import insert_reminders as insert_sent
from helpers.project import THOROUGH

pytestmark = pytest.mark.slow("all that is shown and done, under each of many settings")

HOSTILE = """
CREATE SCHEMA hostile;
CREATE TABLE hostile.leads AS SELECT 666::bigint AS id, 666::bigint AS user_id;
CREATE VIEW hostile.lead_clocks AS SELECT 666::bigint AS lead_id;
CREATE FUNCTION hostile.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1999-01-01Z'::timestamptz $$;
CREATE FUNCTION hostile.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1999-01-01Z'::timestamptz $$;
CREATE FUNCTION hostile.to_char(timestamp, text) RETURNS text LANGUAGE sql AS $$ SELECT 'hostile'::text $$;
CREATE FUNCTION hostile.timezone(text, timestamp) RETURNS timestamptz
LANGUAGE sql AS $$ SELECT '1999-01-01Z'::timestamptz $$;
CREATE FUNCTION hostile.never(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
CREATE OPERATOR hostile.<= (FUNCTION = hostile.never, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE OPERATOR hostile.< (FUNCTION = hostile.never, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE FUNCTION hostile.never(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
CREATE OPERATOR hostile.= (FUNCTION = hostile.never, LEFTARG = bigint, RIGHTARG = bigint);
CREATE DOMAIN hostile.timestamptz AS text;
CREATE DOMAIN hostile."interval" AS text;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;
"""

# Each a list of settings; the first is what the others are compared with.
SETTINGS: list[dict[str, str]] = [
    {},
    *({"TimeZone": zone} for zone in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
    *({"TimeZone": zone} for zone in ("Pacific/Kiritimati", "Asia/Kathmandu", "<+13:37>-13:37")),
    *({"DateStyle": style} for style in ("ISO, DMY", "SQL, MDY", "SQL, DMY", "German, YMD", "Postgres, MDY")),
    *({"IntervalStyle": style} for style in ("postgres_verbose", "sql_standard", "iso_8601")),
    *({"search_path": path} for path in ("", "hostile, pg_catalog", "pg_temp, hostile, lead_protection, pg_catalog")),
    *({"extra_float_digits": digits} for digits in ("-15", "3")),
    {"standard_conforming_strings": "off", "escape_string_warning": "off", "backslash_quote": "on"},
    {"bytea_output": "escape"},
    {"client_encoding": "LATIN1"},
    {"timezone_abbreviations": "Australia"},
    {"transform_null_equals": "on"},
    {"array_nulls": "off"},
    {"row_security": "off"},
    *({"lc_time": name, "lc_numeric": name, "lc_monetary": name} for name in ("C.UTF-8", "de_DE.UTF-8")),
    *({"plan_cache_mode": mode} for mode in ("force_generic_plan", "force_custom_plan")),
    *(
        {f"enable_{method}": "off"}
        for method in ("seqscan", "indexscan", "nestloop", "hashjoin", "mergejoin", "sort", "hashagg", "material")
    ),
    {"enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_bitmapscan": "off"},
    {"from_collapse_limit": "1", "join_collapse_limit": "1"},
    {"geqo_threshold": "2", "geqo_seed": "0.7"},
    {"work_mem": "64kB", "constraint_exclusion": "off"},
    {"default_transaction_read_only": "off", "statement_timeout": "1h", "synchronous_commit": "off"},
    {
        "parallel_setup_cost": "0",
        "parallel_tuple_cost": "0",
        "min_parallel_table_scan_size": "0",
        "min_parallel_index_scan_size": "0",
    },
    {"TimeZone": "Australia/Lord_Howe", "DateStyle": "SQL, DMY", "IntervalStyle": "iso_8601", "search_path": "hostile"},
]
# By day the first, the last, in which several come together, and each third of those between.
if not THOROUGH:
    SETTINGS = [SETTINGS[0], *SETTINGS[1:-1:3], SETTINGS[-1]]
JUST_IN_TIME = {"jit": "on", "jit_above_cost": "0"}
READERS = ("lead_protection_app", "lead_protection_operator", "lead_protection_monitor")
WRITERS = ("lead_protection_app", "lead_protection_operator")


@pytest.fixture
def world(db) -> Iterator[datetime]:
    """Leads in every position and, in the same transaction, which is rolled back, the instant now()."""
    db.execute(HOSTILE)
    # A method that is off costs so much that the planner has every query compiled, which takes seconds.
    db.execute("SET jit = off")
    with db.transaction(force_rollback=True):
        now = db.execute("SELECT now()").fetchone()[0].astimezone(UTC)
        lord_howe = insert_policy(db, "lord howe", time_zone="Australia/Lord_Howe", reminder_time="02:15")
        parallel = insert_policy(db, "parallel", rule="parallel", time_zone="America/New_York")
        noticed = insert_policy(db, "noticed", notice_required=True)

        def ago(days: float) -> datetime:
            return now - timedelta(days=days, microseconds=123456)

        for lead_id, days, policy_id in (
            (1, 100, None),
            (2, 200, lord_howe),
            (3, 50, parallel),
            (4, 300, noticed),
            (5, 300, None),
            (6, 249, None),
            (7, 120, parallel),
            (8, 249, lord_howe),
            (9, 30, None),
            (10, 249, None),
            (11, 249, None),
        ):
            insert_lead(db, lead_id, ago(days), policy_id=policy_id)
        insert_holds(db, 1, [(ago(80), ago(70.3)), (ago(75), ago(60)), (ago(10), None)])
        insert_holds(db, 2, [(ago(5), ago(-40))])
        insert_holds(db, 8, [(ago(1), None)])
        insert_activities(db, 3, [ago(40), (ago(20), "SYSTEM_NOTE")])
        insert_activities(db, 7, [ago(60), ago(10.7)])
        insert_extensions(db, 7, [(ago(9), 7)])
        insert_extensions(db, 1, [(ago(50), 12)])
        insert_sent(db, 6, [ago(1)])
        insert_history(db, 9, [(ago(30), 8, lord_howe, ago(90), None)])
        db.execute("UPDATE lead_protection.leads SET closed_at = %s WHERE id = 10", (ago(2),))
        yield now


def under(db: psycopg.Connection, settings: dict[str, str], role: str | None, work: Callable[[], list]) -> list | None:
    """What `work` returns under the settings and the role; None if this server has no such setting or value."""
    with db.transaction(force_rollback=True):
        # What a plan or a function's cache of plans still knew of other settings must not help.
        db.execute("DISCARD PLANS")
        try:
            with db.transaction():
                for name, value in settings.items():
                    db.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        except psycopg.errors.InvalidParameterValue:
            return None
        if role is not None:
            db.execute(f"SET LOCAL ROLE {role}")
        return work()


def in_binary(db: psycopg.Connection, query: str, *args) -> list[tuple]:
    """The rows, read past every setting that changes how a value is written; instants in UTC."""
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute(query, args).fetchall()
    return [tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row) for row in rows]


def differing(
    db: psycopg.Connection, work: Callable[[], list], all_settings: list[dict[str, str]], roles: tuple[str, ...]
) -> list:
    """Under which settings or roles the work does not return what it returns under the first settings.

    Begun anew if meanwhile another day has begun somewhere: what starts now then ends on another date.
    """
    today = local_dates()
    expected = under(db, all_settings[0], None, work)
    assert expected
    tried: list[tuple[dict[str, str], str | None]] = [(settings, None) for settings in all_settings[1:]]
    tried += [(settings, role) for role in roles for settings in (all_settings[0], all_settings[-1])]
    wrong = []
    for settings, role in tried:
        got = under(db, settings, role, work)
        if got is not None and got != expected:
            pairs = zip(expected, got, strict=False)
            wrong.append((settings, role, [(a, b) for a, b in pairs if not a == b][:2]))  # noqa: SIM201
    return wrong if local_dates() == today else differing(db, work, all_settings, roles)


def local_dates() -> list[date]:
    """The dates of this moment in the time zones of the policies."""
    return [
        datetime.now(ZoneInfo(zone)).date() for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
    ]


def shown(db: psycopg.Connection, now: datetime, explained: tuple[int, ...]) -> list:
    """All that is shown of the leads, with the explanation of some, at several instants."""
    looks = [now + timedelta(days=days) for days in (-200, -60, -9.5, 0, 3, 100)]
    rows = in_binary(db, "SELECT * FROM lead_protection.v_user_lead_protection ORDER BY lead_id")
    rows += in_binary(db, "SELECT * FROM lead_protection.forecast_protection(60)")
    for look in looks:
        rows += in_binary(db, "SELECT * FROM lead_protection.protection_as_of(%s) ORDER BY lead_id", look)
    for lead_id in explained:
        rows += in_binary(db, "SELECT * FROM lead_protection.explain_protection(%s)", lead_id)
        rows += in_binary(db, "SELECT lead_protection.explain_protection_json(%s)::pg_catalog.text", lead_id)
    return rows


def test_shown(db, world):
    """One transaction, so that now() is the same for all."""
    assert differing(db, lambda: shown(db, world, (1, 4, 7)), SETTINGS, READERS) == []


def test_shown_by_compiled_queries(db, world):
    """Compiling a query takes far longer than running it: one explanation will do."""
    assert differing(db, lambda: shown(db, world, (7,)), [{}, JUST_IN_TIME], ()) == []


ISO_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def equal_or_near(one, other) -> bool:
    """Compare two values; two instants may be almost 5 minutes apart."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs(one - other) < timedelta(minutes=5)
    return one == other


class Written(tuple):
    """A row whose instants, also those in ISO text, equal others that are less than 5 minutes away.

    Calls act at the instant at which they are made. No two time zones are so near to each other.
    """

    def __eq__(self, other):
        mine, theirs = self.flat(), other.flat()
        return len(mine) == len(theirs) and all(map(equal_or_near, mine, theirs))

    __hash__ = None

    def flat(self) -> list:
        """The values, with the instants in texts as values of their own."""
        values = []
        for value in self:
            if isinstance(value, str):
                values += ISO_UTC.split(value) + [datetime.fromisoformat(text) for text in ISO_UTC.findall(value)]
            else:
                values.append(value)
        return values


WRITTEN = (
    "SELECT * FROM lead_protection.leads ORDER BY id",
    "SELECT * FROM lead_protection.lead_history ORDER BY lead_id, valid_until",
    "SELECT * FROM lead_protection.lead_holds ORDER BY lead_id, start_at, id",
    "SELECT * FROM lead_protection.lead_activities ORDER BY lead_id, occurred_at",
    "SELECT * FROM lead_protection.lead_extensions ORDER BY lead_id, granted_at",
    "SELECT * FROM lead_protection.lead_reminders ORDER BY lead_id, window_date",
    "SELECT * FROM lead_protection.lead_expiries ORDER BY lead_id",
    "SELECT * FROM lead_protection.policy_assignments ORDER BY id",
    "SELECT id, name, version, rule, base_months, extension_days, grace_days, time_zone, reminder_time, notice_required"
    " FROM lead_protection.protection_policies ORDER BY id",
    "SELECT lead_id, event_type, user_id, occurred_at, actor_id, reason, state_before, state_after, expires_before,"
    " expires_after, details::text FROM lead_protection.protection_log ORDER BY lead_id, event_type, occurred_at",
    "SELECT aggregateid, type, payload::text FROM lead_protection.outbox_events"
    " ORDER BY aggregateid, type, payload ->> 'occurred_at'",
    "SELECT lead_id, user_id, policy_id, started_at, closed_at, base_expires_at, protection_expires_at, window_date,"
    " reminder_due_at, reminded_at, expired_at, idle_from FROM lead_protection.lead_clocks ORDER BY lead_id",
)


def written(db: psycopg.Connection, calls: list[tuple]) -> list[Written]:
    """All rows after the calls."""
    for call, *args in calls:
        placeholders = ", ".join(["%s"] * len(args))
        in_binary(db, f"SELECT * FROM lead_protection.{call}({placeholders})", *args)
    # Read as the superuser: the roles may not read all of it, and to write was what mattered.
    db.execute("RESET ROLE")
    db.execute("SET LOCAL search_path = pg_catalog")
    rows = [row for query in WRITTEN for row in in_binary(db, query)]
    return [Written(row) for row in rows]


def start_sequences_anew(db: psycopg.Connection) -> None:
    """Rolled-back calls have used up numbers; the next ones are to get the same."""
    db.execute(
        "SELECT pg_catalog.setval(s.oid, 1000) FROM pg_catalog.pg_class AS s"
        " WHERE s.relkind = 'S' AND s.relnamespace = 'lead_protection'::pg_catalog.regnamespace"
    )


def calls_of_an_application(now: datetime) -> list[tuple]:
    """Calls of all that an application may do to a lead."""

    def at(days: float) -> datetime:
        return now + timedelta(days=days)

    return [
        ("create_lead_hold", 3, 7, "waits", 1, None, None),
        ("create_lead_hold", 5 + 4, 7, "planned", 1, at(3), at(9)),
        ("create_lead_hold", 11, 7, "planned, too", 1, at(1), at(2)),
        ("release_lead_hold", 2, 7, 1),
        ("extend_lead", 9, 7, 20, "asked for", 2, 1, "request"),
        ("record_lead_activity", 7, 7, "QUALIFIED_CALL", at(-3.3), "call", 1),
        ("correct_lead_activity", 7, "call", "CUSTOMER_REACTION", at(-2.2), "was later", 1),
        ("record_lead_activity", 7, 7, "QUALIFIED_CALL", at(-1), "other", 1),
        ("delete_lead_activity", 7, "other", "was none", 1),
        ("backdate_lead", 7, 7, at(-130), "was earlier", "letter 12", 1),
        ("transfer_lead", 6, 7, 8, "left", 1),
        ("close_lead", 8, 7, "CONVERTED", "sold", 1),
        ("reopen_lead", 10, 7, "was not", 1),
        ("delete_lead", 5, 7, "double", 1),
    ]


def test_written(db, world):
    calls = [
        *calls_of_an_application(world),
        ("create_policy_version", "new", 1, "parallel", 3, 30, 5, "Australia/Lord_Howe", "02:30", True, 10),
        ("assign_user_policy", 9, 1, 1),
        ("set_default_policy", 2, 1),
        ("move_leads_to_policy", [3], 2, "new contract", 1),
        ("send_due_reminders", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], None),
        ("record_expiries", None, 100),
        ("record_reactivations", None, 100),
    ]

    def write() -> list:
        start_sequences_anew(db)
        return written(db, calls)

    assert differing(db, write, SETTINGS, ()) == []


def test_written_by_roles(db, world):
    def write() -> list:
        role = db.execute("SELECT CURRENT_USER").fetchone()[0]
        db.execute("RESET ROLE")
        start_sequences_anew(db)
        db.execute(f"SET LOCAL ROLE {role}")
        return written(db, calls_of_an_application(world))

    assert differing(db, write, [SETTINGS[0], SETTINGS[-1]], WRITERS) == []


def test_refused(db, world):
    """What a refusal says is a result, too."""
    start, end = world + timedelta(days=9), world + timedelta(days=3)
    calls = [
        ("create_lead_hold", 1, 7, "waits", 1, start, end),
        ("create_lead_hold", 3, 7, "waits", 1, start, None),
        ("record_lead_activity", 7, 7, "QUALIFIED_CALL", start, "call", 1),
        ("backdate_lead", 7, 7, start, "was earlier", "letter 12", 1),
        ("backdate_lead", 7, 7, end, "was earlier", "letter 12", 1),
        ("backdate_lead", 7, 7, world, "was earlier", "letter 12", 1),
        ("extend_lead", 10, 7, 20, "asked for", 2, 1, "request"),
        ("extend_lead", 5, 7, 20, "asked for", 2, 1, "request"),
        ("transfer_lead", 10, 7, 8, "left", 1),
        ("create_policy_version", "new", 1, "parallel", 0, 30, 5, "Nowhere/Land", "24:00", True, 10),
        ("explain_protection", 1, datetime(1800, 1, 1, tzinfo=UTC)),
    ]

    def refused() -> list[Written]:
        refusals = []
        for call, *args in calls:
            placeholders = ", ".join(["%s"] * len(args))
            with pytest.raises(psycopg.Error) as error, db.transaction():
                in_binary(db, f"SELECT * FROM lead_protection.{call}({placeholders})", *args)
            said = error.value.diag
            refusals.append(Written((said.sqlstate, said.message_primary, said.message_detail, said.message_hint)))
        assert {sqlstate[:2] for sqlstate, *_ in refusals} == {"LP"}
        return refusals

    assert differing(db, refused, SETTINGS, ()) == []
