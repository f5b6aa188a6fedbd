"""The log's written form, version 1, as docs/log-format.md says it: a second writing of it, which shares no code."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

FIELDS = (
    "lead_id",
    "log_number",
    "event_id",
    "event_type",
    "user_id",
    "actor_id",
    "occurred_at",
    "recorded_at",
    "state_before",
    "expires_before",
    "state_after",
    "expires_after",
    "session_role",
    "application_name",
    "chained_at",
)


def field(value: object) -> bytes:
    """Return a value as a field: its length in bytes, a colon, its bytes; null is a colon."""
    if value is None:
        return b":"
    if isinstance(value, datetime):
        # No float: microseconds are whole numbers.
        passed = (value.astimezone(UTC) - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        value = f"{passed % 2**64:016x}"
    text = value if isinstance(value, bytes) else str(value).encode()
    return b"%d:%b" % (len(text), text)


def typed(value: Any) -> bytes:
    """Return a JSON value as the word for its type and the field with its value."""
    if value is None:
        return b"null" + field(None)
    if isinstance(value, bool):
        return b"boolean" + field("true" if value else "false")
    if isinstance(value, str):
        return b"string" + field(value)
    if isinstance(value, dict):
        return b"object" + field(members(value))
    if isinstance(value, list):
        return b"array" + field(b"".join(typed(v) for v in value))
    return b"number" + field(format(value, "f") if isinstance(value, Decimal) else value)


def members(details: dict[str, Any]) -> bytes:
    """Return the members of a JSON object, shorter names first."""
    ordered = sorted(details.items(), key=lambda m: (len(m[0].encode()), m[0].encode()))
    return b"".join(field(name) + typed(value) for name, value in ordered)


def texts_hash(row: dict[str, Any]) -> str | None:
    """Return the commitment to the texts of a row."""
    if row["texts_hash"] is not None:
        return bytes(row["texts_hash"]).hex()
    if row["reason"] is None and "evidence" not in row["details"]:
        return None
    texts = field(row["reason"]) + field(row["details"].get("evidence"))
    return hashlib.sha256(bytes(row["texts_salt"]) + texts).hexdigest()


def row_hash(row: dict[str, Any], before: bytes | None) -> bytes:
    """Return the hash that a row must have, after a row with the given one."""
    form = field("lead-protection log 1")
    for name in FIELDS:
        form += field(row[name])
    form += field(texts_hash(row))
    form += field(members({k: v for k, v in row["details"].items() if k != "evidence"}))
    return hashlib.sha256((before or b"") + hashlib.sha256(form).digest()).digest()


def log_rows(db: psycopg.Connection[Any], lead_id: int | None = None) -> list[dict[str, Any]]:
    """Return log rows in the order of their chains, each with its leaf's hash; details with numbers as written."""
    with db.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT g.*, g.details::text AS details, f.row_hash FROM lead_protection.protection_log AS g"
            " LEFT JOIN lead_protection.log_leaves AS f USING (lead_id, log_number)"
            " WHERE g.lead_id = %(lead)s OR %(lead)s IS NULL ORDER BY g.lead_id, g.log_number",
            {"lead": lead_id},
        )
        rows = cursor.fetchall()
    for row in rows:
        row["details"] = json.loads(row["details"], parse_float=Decimal)
    return rows


def broken(rows: list[dict[str, Any]]) -> list[tuple[int, int | None]]:
    """Return lead and number of each row whose number or hash is not what it must be; each must be sealed."""
    wrong = []
    before: dict[str, Any] | None = None
    for row in rows:
        if before is not None and before["lead_id"] != row["lead_id"]:
            before = None
        number, previous = (before["log_number"], before["row_hash"]) if before else (0, None)
        if (row["log_number"], row["row_hash"]) != (number + 1, row_hash(row, previous)):
            wrong.append((row["lead_id"], row["log_number"]))
        before = row
    return wrong


def problems_of_log(db: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """What is wrong with a database's log, by its own word; none where there is no such function."""
    if db.execute("SELECT to_regprocedure('lead_protection.verify_protection_log(bigint)')").fetchone() == (None,):
        return []
    return db.execute("SELECT lead_id, log_number, problem FROM lead_protection.verify_protection_log()").fetchall()
