"""A real mail server for the tests, and the example mailer as a process."""

import asyncio
import email
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from port_for import select_random

from helpers.project import PROJECT

MAILER = PROJECT / "examples" / "mailer" / "mailer.py"


class Mailbox:
    """What an SMTP server on this machine accepted; can be told to misbehave.

    `refuse` maps an address to the reply it gets at RCPT; `on_data`, called with the mail once it is accepted and
    before the reply goes out, may return another reply.
    """

    def __init__(self) -> None:
        self.mails: list[email.message.Message] = []
        self.refuse: dict[str, str] = {}
        self.on_data: Callable[[email.message.Message], str | None] = lambda mail: None
        self.controller = Controller(self, hostname="127.0.0.1", port=select_random())

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list) -> str:
        """Answer RCPT TO."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail, then answer."""
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content)
        self.mails.append(mail)
        answer = await asyncio.to_thread(self.on_data, mail)
        return answer or "250 OK"

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.controller.port}"

    def ids(self) -> Counter[str]:
        """How often each Message-ID was accepted."""
        return Counter(mail["Message-ID"] for mail in self.mails)

    def __enter__(self) -> "Mailbox":
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()


def start_mailer(url: str, smtp: str, *options: str) -> subprocess.Popen:
    """Start the example mailer, with an address for every user, in a process of its own."""
    return subprocess.Popen(
        [
            *(sys.executable, str(MAILER), "--database", url, "--smtp", smtp, "--sender", "reminders@example.com"),
            *("--address-query", "SELECT 'user' || %s || '@example.com'", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_mailer(url: str, smtp: str, *options: str) -> tuple[int, str]:
    """Let the mailer work until nothing waits; returns exit status and output."""
    mailer = start_mailer(url, smtp, "--once", *options)
    try:
        output, _ = mailer.communicate(timeout=60)
    finally:
        mailer.kill()
    return mailer.returncode, output


def kill(process: subprocess.Popen) -> None:
    """Kill a process as a power cut would."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def register_mailer(db: psycopg.Connection, **settings: object) -> None:
    """Register the mailer, for reminders alone unless told; keywords as those of register_event_consumer."""
    db.execute(
        "SELECT lead_protection.register_event_consumer('mailer', %(types)s,"
        " attempt_limit => %(attempt_limit)s, retry_delay => %(retry_delay)s, wake_up => %(wake_up)s)",
        {"types": ["lead.protection.reminder"], "attempt_limit": 10, "retry_delay": "1 millisecond", "wake_up": False}
        | settings,
    )
