"""A mailer for reminders and early warnings: a worked consumer of events, to copy and change.

It claims `lead.protection.reminder` events, asks the database whether each still makes sense, mails it, and confirms
the delivery and acknowledges the event in one transaction. It may be killed at any point: an event that was not
acknowledged comes again, and its mail has the same Message-ID as before. A `lead.protection.warning` is mailed to its
audience and acknowledged: nothing hangs on whether it arrives.

    mailer.py --database postgresql://crm_mailer@/crm --smtp localhost:25 --sender reminders@example.com \
        --address-query "SELECT email FROM crm.users WHERE id = %s" \
        --audience manager "SELECT email FROM crm.users WHERE id = (SELECT manager FROM crm.users WHERE id = %s)"

Several may run at once, under one consumer name. Exit status: 0 after SIGTERM, SIGINT or --once; 1 if the database is
lost with --once; 2 for wrong arguments.
"""

import argparse
import logging
import random
import signal
import smtplib
import sys
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import namedtuple_row

log = logging.getLogger("mailer")

# Its rows are named tuples, made when a query is answered.
Database = psycopg.Connection[Any]

SUBJECT = "Lead {lead_id}: your protection ends on {day}"
TEXT = """Your protection of lead {lead_id} ends on {day} at {time} ({zone}).

What counts until then is in your CRM. If nothing happens, the lead is free from that moment on.
"""

WARNING = "lead.protection.warning"
WARNING_SUBJECT = "Lead {lead_id}: the protection of user {user_id} ends on {day}"
WARNING_TEXT = """The protection of lead {lead_id} for user {user_id} ends on {day} at {time} ({zone}).

This is no reminder: it comes {days_before} days before that day, for whoever is to know of it early ({audience}).
"""


class PutOffError(Exception):
    """The mail server cannot take it now."""


class UndeliverableError(Exception):
    """It will never arrive there."""


class Mailer:
    """Takes reminders and warnings from the database to the mail server, until it is told to stop."""

    def __init__(self, options: argparse.Namespace):
        """Work as the command line says: see arguments()."""
        self.options = options
        self.stopping = False
        self.smtp: smtplib.SMTP | None = None

    def run(self) -> None:
        """Work until told to stop, or with --once until nothing waits; whatever breaks is opened anew."""
        pause = 0.2
        while not self.stopping:
            try:
                with psycopg.connect(self.options.database, autocommit=True, row_factory=namedtuple_row) as db:
                    db.execute("LISTEN lead_protection_events")
                    while not self.stopping:
                        found = self.handle_batch(db)
                        pause = 0.2
                        if not found and self.options.once:
                            return
                        if not found:
                            self.wait(db)
            except psycopg.OperationalError as error:
                if self.options.once:
                    raise
                log.warning("database: %s", type(error).__name__)
                self.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(pause * 2, 30)

    def handle_batch(self, db: Database) -> bool:
        """Handle the events that wait now; False if there are none."""
        claimed = db.execute(
            "SELECT id, type, payload, lease_token FROM lead_protection.claim_events(%s, %s, %s)",
            [self.options.consumer, self.options.batch_size, self.options.lease],
        ).fetchall()
        for event in claimed:
            # What is left when it is told to stop comes again when the lease has run out.
            if not self.stopping and event.type == WARNING:
                self.handle_warning(db, event)
            elif not self.stopping:
                self.handle(db, event)
        return bool(claimed)

    def handle(self, db: Database, event: Any) -> None:
        """Mail one reminder. No transaction is open while the mail server is talked to."""
        reminder = [event.payload[key] for key in ("lead_id", "user_id", "window_date")]
        message_id = f"<{event.id}@{self.options.domain}>"
        (asked,) = db.execute(
            "SELECT deliver, why FROM lead_protection.start_reminder_delivery(%s, %s, %s, %s)", [*reminder, message_id]
        )
        if not asked.deliver:
            log.info("lead %s: not mailed, %s", reminder[0], asked.why)
            self.acknowledge(db, event)
            return
        try:
            self.mail(db, event, self.options.address_query, message_id, SUBJECT, TEXT)
        except PutOffError as error:
            self.postpone(db, event, str(error))
        except UndeliverableError as error:
            self.give_up(db, event, reminder, message_id, str(error))
        else:
            with db.transaction():
                db.execute(
                    "SELECT lead_protection.report_reminder_delivery(%s, %s, %s, %s, 'delivered')",
                    [*reminder, message_id],
                )
                self.acknowledge(db, event)
            log.info("lead %s: mailed", reminder[0])

    def handle_warning(self, db: Database, event: Any) -> None:
        """Mail one early warning to its audience; one that is too late, or that nobody is to get, is passed over."""
        lead_id, audience = event.payload["lead_id"], event.payload["audience"]
        query = self.options.audience.get(audience)
        if query is None:
            log.info("lead %s: not mailed, nobody said who %s is", lead_id, audience)
        elif datetime.fromisoformat(event.payload["protection_expires_at"]) <= datetime.now(UTC):
            log.info("lead %s: not mailed, EXPIRED", lead_id)
        else:
            try:
                message_id = f"<{event.id}@{self.options.domain}>"
                self.mail(db, event, query, message_id, WARNING_SUBJECT, WARNING_TEXT)
            except PutOffError as error:
                self.postpone(db, event, str(error))
                return
            except UndeliverableError as error:
                log.warning("lead %s: warning of %s, %s", lead_id, audience, error)
            else:
                log.info("lead %s: %s warned", lead_id, audience)
        self.acknowledge(db, event)

    def mail(self, db: Database, event: Any, query: str, message_id: str, subject: str, text: str) -> None:
        """Mail it to the address that the query gives.

        Raises:
            PutOffError: the mail server cannot take it now.
            UndeliverableError: there is no such address, or it is refused for good.
        """
        address = db.execute(query, [event.payload["user_id"]]).fetchone()
        if not address or not address[0]:
            raise UndeliverableError("recipient refused: no address")
        try:
            self.send(address[0], message_id, event.payload, subject, text)
        except smtplib.SMTPRecipientsRefused as refused:
            codes = [code for code, _ in refused.recipients.values()]
            if any(code < 500 for code in codes):
                raise PutOffError(f"recipient refused for now: {codes}") from refused
            raise UndeliverableError(f"recipient refused: {codes}") from refused
        except smtplib.SMTPResponseException as refused:
            answer = f"mail server answered {refused.smtp_code}"
            if refused.smtp_code < 500 or isinstance(refused, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
                raise PutOffError(answer) from refused
            raise UndeliverableError(answer) from refused
        except ValueError as error:
            raise UndeliverableError("the address is none") from error
        except (OSError, smtplib.SMTPException) as error:
            raise PutOffError(f"mail server: {type(error).__name__}") from error

    def send(self, address: str, message_id: str, payload: dict[str, Any], subject: str, text: str) -> None:
        """Hand one mail to the mail server; it is its once this returns."""
        expires = datetime.fromisoformat(payload["protection_expires_at"]).astimezone(ZoneInfo(self.options.zone))
        words = {
            **{key: payload.get(key) for key in ("lead_id", "user_id", "days_before", "audience")},
            "day": expires.strftime("%Y-%m-%d"),
            "time": expires.strftime("%H:%M"),
            "zone": self.options.zone,
        }
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Message-ID"] = self.options.sender, address, message_id
        mail["Subject"] = subject.format(**words)
        mail.set_content(text.format(**words))
        try:
            if self.smtp is None:
                host, _, port = self.options.smtp.partition(":")
                self.smtp = smtplib.SMTP(host, int(port or 25), timeout=30)
            self.smtp.send_message(mail)
        except smtplib.SMTPRecipientsRefused:
            raise
        except (OSError, smtplib.SMTPException):
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """Forget the connection to the mail server; the next mail opens another."""
        if self.smtp is not None:
            self.smtp.close()
            self.smtp = None

    def acknowledge(self, db: Database, event: Any) -> None:
        """Say that the event is handled."""
        db.execute(
            "SELECT lead_protection.acknowledge_events(%s, %s, %s)",
            [self.options.consumer, event.lease_token, [event.id]],
        )

    def postpone(self, db: Database, event: Any, error: str) -> None:
        """Have the same event again later: the mail server could not take it now."""
        log.warning("lead %s: %s", event.payload["lead_id"], error)
        db.execute(
            "SELECT lead_protection.fail_events(%s, %s, %s, %s)",
            [self.options.consumer, event.lease_token, [event.id], error],
        )

    def give_up(self, db: Database, event: Any, reminder: list[Any], message_id: str, error: str) -> None:
        """Report a mail that cannot arrive; the pipeline sends the reminder again, as another event."""
        log.warning("lead %s: %s", reminder[0], error)
        with db.transaction():
            db.execute(
                "SELECT lead_protection.report_reminder_delivery(%s, %s, %s, %s, 'failed', %s)",
                [*reminder, message_id, error],
            )
            self.acknowledge(db, event)

    def wait(self, db: Database) -> None:
        """Wait for a wake-up, --poll seconds at most: a lost one only costs time."""
        self.hang_up()
        deadline = time.monotonic() + self.options.poll
        # In short waits, so that a signal is not kept waiting.
        while not self.stopping and time.monotonic() < deadline:
            if any(True for _ in db.notifies(timeout=min(0.5, self.options.poll), stop_after=1)):
                return

    def sleep(self, seconds: float) -> None:
        """Sleep, but not through a signal to stop."""
        deadline = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < deadline:
            time.sleep(0.1)

    def stop(self, *_: object) -> None:
        """Finish the mail at hand, then end."""
        self.stopping = True


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--database", required=True, help="libpq URL; the role is a member of lead_protection_consumer")
    add("--address-query", required=True, help="SQL that gives the address of user %%s; may read your tables")
    audience_help = "SQL that gives the address of an audience of early warnings, for user %%s (user: --address-query)"
    add("--audience", nargs=2, metavar=("AUDIENCE", "SQL"), action="append", default=[], help=audience_help)
    add("--smtp", default="localhost:25", help="host:port of the mail server (%(default)s)")
    add("--sender", required=True, help="address that the mails come from")
    add("--domain", help="right side of the Message-IDs (default: that of the sender)")
    add("--consumer", default="mailer", help="name it is registered under (%(default)s)")
    add("--zone", default="Europe/Berlin", help="time zone of the dates in the mails (%(default)s)")
    add("--batch-size", type=int, default=20, help="events claimed at once (%(default)s)")
    add("--lease", default="5 minutes", help="time in which a batch is surely mailed (%(default)s)")
    add("--poll", type=float, default=30, help="seconds between looks without a wake-up (%(default)s)")
    add("--once", action="store_true", help="end when nothing waits any more")
    options = parser.parse_args()
    options.domain = options.domain or options.sender.rpartition("@")[2]
    options.audience = {"user": options.address_query, **dict(options.audience)}
    return options


def main() -> int:
    """Run until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    mailer = Mailer(arguments())
    signal.signal(signal.SIGTERM, mailer.stop)
    signal.signal(signal.SIGINT, mailer.stop)
    mailer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
