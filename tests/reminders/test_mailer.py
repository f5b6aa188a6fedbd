"""The worked mailer against a real mail server: what arrives, what is repeated, what is not sent any more."""

import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from helpers.facts import REMINDER_DUE, ago, events, insert_lead, insert_lead_of_age
from helpers.jobs import repeat_now
from helpers.mail import Mailbox, kill, register_mailer, run_mailer, start_mailer
from helpers.warnings import WARNING, insert_warned_policy

pytestmark = pytest.mark.slow("each test starts the mailer, and a mail server")

SENT = "SELECT lead_id, attempts, outcome, delivered_at IS NOT NULL FROM lead_protection.v_lead_reminders ORDER BY 1"
WAITING = "SELECT count(*) FROM lead_protection.event_deliveries WHERE status = 'pending'"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def due(db):
    """Three leads of users 7 and 8 whose reminder was just sent, and a mailer registered for it."""
    register_mailer(db)
    for lead_id, user_id in ((1, 7), (2, 7), (3, 8)):
        insert_lead_of_age(db, lead_id, REMINDER_DUE, user_id)
    db.execute("CALL lead_protection.run_protection_pipeline()")


def test_each_reminder_is_mailed_once_and_confirmed(db, due, database_url, mailbox):
    assert run_mailer(database_url, mailbox.address)[0] == 0
    assert db.execute(SENT).fetchall() == [(lead_id, 1, "delivered", True) for lead_id in (1, 2, 3)]
    ids = {f"<{row[0]}@example.com>" for row in db.execute("SELECT event_id FROM lead_protection.event_deliveries")}
    assert mailbox.ids() == dict.fromkeys(ids, 1)
    assert sorted(mail["To"] for mail in mailbox.mails) == [
        "user7@example.com",
        "user7@example.com",
        "user8@example.com",
    ]
    assert db.execute("SELECT DISTINCT status FROM lead_protection.event_deliveries").fetchall() == [("acknowledged",)]
    assert run_mailer(database_url, mailbox.address) == (0, "")
    assert len(mailbox.mails) == 3
    assert events(db, 1) == ["lead.protection.reminder", "lead.reminder.delivered"]


def test_the_mail_tells_the_lead_and_the_local_end(db, due, database_url, mailbox):
    run_mailer(database_url, mailbox.address, "--zone", "Europe/Berlin")
    (expected,) = db.execute(
        "SELECT to_char(protection_expires_at AT TIME ZONE 'Europe/Berlin', 'YYYY-MM-DD \"at\" HH24:MI')"
        " FROM lead_protection.v_user_lead_protection WHERE lead_id = 3"
    ).fetchone()
    (mail,) = [mail for mail in mailbox.mails if mail["To"] == "user8@example.com"]
    assert f"lead 3 ends on {expected} (Europe/Berlin)" in mail.get_payload()
    assert re.fullmatch(r"Lead 3: your protection ends on \d{4}-\d{2}-\d{2}", mail["Subject"])


def test_the_log_of_the_mailer_names_no_address(db, due, database_url, mailbox):
    mailbox.refuse["user8@example.com"] = "550 unknown"
    _, output = run_mailer(database_url, mailbox.address)
    assert "lead 1: mailed" in output and "lead 3: recipient refused: [550]" in output
    assert "@" not in output


def test_a_recipient_refused_for_good_is_tried_again_as_a_new_event_and_then_given_up(db, due, database_url, mailbox):
    mailbox.refuse["user8@example.com"] = "550 unknown"
    db.execute("SELECT lead_protection.configure_reminders(delivery_attempts => 3)")
    for _ in range(2):
        run_mailer(database_url, mailbox.address)
        repeat_now(db)
    assert db.execute(SENT).fetchall()[2] == (3, 3, "failed", False)
    run_mailer(database_url, mailbox.address)
    repeat_now(db)
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (3,)
    assert events(db, 3) == ["lead.protection.reminder"] * 3 + ["lead.reminder.failed"] * 3
    messages = db.execute("SELECT DISTINCT message_id FROM lead_protection.reminder_deliveries WHERE lead_id = 3")
    assert len(messages.fetchall()) == 3
    assert db.execute(WAITING).fetchone() == (0,)


def test_what_the_mail_server_cannot_take_now_comes_again_as_the_same_event(db, due, database_url, mailbox):
    answers = iter(["451 later", "451 later"])
    mailbox.on_data = lambda mail: next(answers, None)
    while db.execute(WAITING).fetchone() != (0,):
        assert run_mailer(database_url, mailbox.address)[0] == 0
    assert len(mailbox.mails) == 5 and sorted(mailbox.ids().values()) in ([1, 1, 3], [1, 2, 2])
    assert db.execute(SENT).fetchall() == [(lead_id, 1, "delivered", True) for lead_id in (1, 2, 3)]


def test_a_refusal_for_now_is_no_failure_of_the_reminder(db, due, database_url, mailbox):
    mailbox.refuse["user8@example.com"] = "450 mailbox busy"
    register_mailer(db, retry_delay="1 day")
    run_mailer(database_url, mailbox.address)
    assert db.execute(SENT).fetchall()[2] == (3, 1, None, False)
    waits = "SELECT status, error, available_at > now() FROM lead_protection.event_deliveries WHERE lead_id = 3"
    assert db.execute(waits).fetchone() == ("pending", "recipient refused for now: [450]", True)


def test_a_mail_server_that_is_down_costs_no_reminder(db, due, database_url, mailbox):
    register_mailer(db, retry_delay="1 day")
    assert run_mailer(database_url, "127.0.0.1:1")[0] == 0
    assert db.execute("SELECT DISTINCT error FROM lead_protection.event_deliveries").fetchall() == [
        ("mail server: ConnectionRefusedError",)
    ]
    db.execute("UPDATE lead_protection.event_deliveries SET available_at = now()")
    run_mailer(database_url, mailbox.address)
    assert db.execute(SENT).fetchall() == [(lead_id, 1, "delivered", True) for lead_id in (1, 2, 3)]


def test_a_reminder_that_makes_no_sense_any_more_is_not_mailed(db, due, database_url, mailbox):
    db.execute("SELECT lead_protection.close_lead(1, 7, 'LOST', 'x', 1)")
    db.execute("SELECT lead_protection.transfer_lead(2, 7, 8, 'x', 1)")
    db.execute("SELECT lead_protection.create_lead_hold(3, 8, 'x', 1)")
    status, output = run_mailer(database_url, mailbox.address)
    assert status == 0 and mailbox.mails == []
    assert all(
        f"lead {n}: not mailed, {why}" in output for n, why in ((1, "CLOSED"), (2, "TRANSFERRED"), (3, "ON_HOLD"))
    )
    skipped = "SELECT lead_id, why, retry_at IS NOT NULL FROM lead_protection.reminder_deliveries ORDER BY 1"
    assert db.execute(skipped).fetchall() == [(1, "CLOSED", False), (2, "TRANSFERRED", False), (3, "ON_HOLD", True)]
    assert db.execute(WAITING).fetchone() == (0,)


def test_killed_after_the_mail_server_said_yes_it_mails_again_with_the_same_id(db, due, database_url, mailbox):
    """The one point at which a mail goes out twice."""
    mailer: subprocess.Popen
    mailbox.on_data = lambda mail: kill(mailer)
    mailer = start_mailer(database_url, mailbox.address)
    assert mailer.wait(30) == -signal.SIGKILL
    assert len(mailbox.mails) == 1
    assert db.execute("SELECT count(*) FROM lead_protection.reminder_deliveries").fetchone() == (0,)

    mailbox.on_data = lambda mail: None
    assert run_mailer(database_url, mailbox.address)[0] == 0
    assert len(mailbox.mails) == 1, "the lease of the dead one still holds"
    db.execute("UPDATE lead_protection.event_deliveries SET available_at = now()")
    assert run_mailer(database_url, mailbox.address)[0] == 0
    assert sorted(mailbox.ids().values()) == [1, 1, 2]
    assert db.execute(SENT).fetchall() == [(lead_id, 1, "delivered", True) for lead_id in (1, 2, 3)]


def test_it_is_woken_and_ends_when_told(db, database_url, mailbox, wait_until):
    register_mailer(db, wake_up=True)
    mailer = start_mailer(database_url, mailbox.address, "--poll", "600")
    try:
        listens = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%claim_events%'"
        wait_until(lambda: db.execute(f"{listens} AND state = 'idle' AND pid <> pg_backend_pid()").fetchone())
        insert_lead_of_age(db, 1, REMINDER_DUE)
        db.execute("CALL lead_protection.run_protection_pipeline()")
        wait_until(lambda: db.execute(SENT).fetchall() == [(1, 1, "delivered", True)])
        mailer.send_signal(signal.SIGTERM)
        assert mailer.wait(10) == 0
    finally:
        mailer.kill()


def test_it_survives_the_loss_of_its_connection(db, database_url, mailbox, wait_until):
    register_mailer(db)
    mailer = start_mailer(database_url, mailbox.address, "--poll", "0.1")
    try:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%claim_events%'"
        others += " AND pid <> pg_backend_pid()"
        wait_until(lambda: db.execute(f"SELECT 1 {others}").fetchone())
        assert db.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall() == [(True,)]
        insert_lead_of_age(db, 1, REMINDER_DUE)
        db.execute("CALL lead_protection.run_protection_pipeline()")
        wait_until(lambda: db.execute(SENT).fetchall() == [(1, 1, "delivered", True)])
    finally:
        mailer.kill()


def test_an_address_that_is_none_is_a_failed_delivery(db, due, database_url, mailbox):
    query = r"SELECT CASE %s::bigint WHEN 8 THEN E'a\nBcc: b@example.com' END"
    run_mailer(database_url, mailbox.address, "--address-query", query)
    assert mailbox.mails == []
    failed = db.execute("SELECT lead_id, outcome, why FROM lead_protection.v_lead_reminders ORDER BY 1").fetchall()
    assert failed == [
        (1, "failed", "recipient refused: no address"),
        (2, "failed", "recipient refused: no address"),
        (3, "failed", "the address is none"),
    ]


# --- early warnings ---

MANAGERS = ("--audience", "manager", "SELECT 'manager-of-' || %s || '@example.com'")


@pytest.fixture
def warned(db):
    """Lead 1 of user 7, 17 days before its end: three audiences were just warned."""
    register_mailer(db, types=["lead.protection.reminder", WARNING])
    audiences = [(17, "user"), (17, "manager"), (17, "back_office")]
    insert_lead(db, 1, ago(54), policy_id=insert_warned_policy(db, audiences, rule="parallel"))
    db.execute("CALL lead_protection.run_protection_pipeline()")


def test_each_audience_gets_its_own_warning_once(db, warned, database_url, mailbox):
    status, output = run_mailer(database_url, mailbox.address, *MANAGERS)
    assert status == 0
    assert sorted(mail["To"] for mail in mailbox.mails) == ["manager-of-7@example.com", "user7@example.com"]
    assert "lead 1: not mailed, nobody said who back_office is" in output
    (day,) = db.execute("SELECT window_date::text FROM lead_protection.lead_clocks").fetchone()
    for mail in mailbox.mails:
        assert mail["Subject"] == f"Lead 1: the protection of user 7 ends on {day}"
        assert "17 days before that day" in mail.get_payload()
    assert db.execute(WAITING).fetchone() == (0,)
    assert run_mailer(database_url, mailbox.address, *MANAGERS) == (0, "")
    assert events(db) == [WARNING] * 3, "nothing is reported of a warning"


def test_a_warning_whose_address_is_refused_is_given_up_and_one_that_must_wait_comes_again(
    db, warned, database_url, mailbox
):
    mailbox.refuse["user7@example.com"] = "550 unknown"
    mailbox.refuse["manager-of-7@example.com"] = "450 later"
    _, output = run_mailer(database_url, mailbox.address, *MANAGERS)
    assert "lead 1: recipient refused for now: [450]" in output and not mailbox.mails
    del mailbox.refuse["manager-of-7@example.com"]
    _, output = run_mailer(database_url, mailbox.address, *MANAGERS)
    assert "lead 1: manager warned" in output
    assert "lead 1: warning of user, recipient refused: [550]" in output
    assert [mail["To"] for mail in mailbox.mails] == ["manager-of-7@example.com"]
    assert db.execute(WAITING).fetchone() == (0,) and events(db) == [WARNING] * 3


def test_a_warning_that_waited_until_the_end_is_not_mailed(db, warned, database_url, mailbox):
    db.execute("ALTER TABLE lead_protection.outbox_events DISABLE TRIGGER refuse_change")
    db.execute(
        "UPDATE lead_protection.outbox_events SET payload = payload"
        " || jsonb_build_object('protection_expires_at', lead_protection.instant_text(now()))"
        " WHERE aggregatetype = 'lead'"
    )
    _, output = run_mailer(database_url, mailbox.address, *MANAGERS)
    assert output.count("lead 1: not mailed, EXPIRED") == 2 and not mailbox.mails
