"""A database that goes to another server: restored to an instant, switched over by logical replication, promoted.

`make moved-house` runs it.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.facts import PROTECTED, REMINDER_DUE, drift, insert_lead_of_age
from helpers.load import Load
from helpers.log_form import problems_of_log
from helpers.mail import Mailbox, register_mailer, run_mailer, start_mailer
from helpers.moved import live_in, load_sample, look
from helpers.pages import RUNBOOK, named, sections
from helpers.project import PROJECT, left_to, poll, run_program
from helpers.seals import checkpoint, export, problems, verified
from helpers.server import server_directory
from helpers.standby import Cluster, as_owner, cluster, configure, standby_of

pytestmark = [
    pytest.mark.slow("servers of its own, and minutes of pg_cron"),
    left_to("moved-house"),
]

REMINDED = "SELECT lead_id, window_date FROM lead_protection.lead_reminders ORDER BY 1, 2"
RUNS = "SELECT count(*) FROM lead_protection.job_runs"
WRITE_ON = "SELECT created FROM lead_protection.create_lead_hold(150, {}, 'x', 1)"


def proves_itself(db: psycopg.Connection) -> None:
    """Cache, log and seals."""
    assert drift(db) == []
    assert problems_of_log(db) == []
    assert db.execute("SELECT * FROM lead_protection.verify_protection_log()").fetchall() == []
    assert problems(verified(export(db), checkpoint(db))) == []


# --- to a point in time ---


def knows_its_setting(db: psycopg.Connection) -> bool:
    """Whether this pg_cron can be told to begin nothing (since 1.5)."""
    return db.execute("SELECT FROM pg_settings WHERE name = 'cron.launch_active_jobs'").rowcount == 1


@pytest.fixture
def archived(cron) -> Iterator[tuple[Cluster, Path]]:
    """A server with pg_cron, whose jobs run each minute, that archives its log; and where to."""
    with cluster() as primary:
        archive = primary.home / "archive"
        as_owner("mkdir", archive)
        primary.configure(archive_mode="on", archive_command=f"cp %p {archive}/%f")
        primary.stop()
        primary.start()
        run_ok("apply", "--database", primary.url())
        with primary.connect() as db:
            load_sample(db)
            live_in(db)
            db.execute("CREATE EXTENSION pg_cron")
            run_ok("schedule", "--database", primary.url())
            db.execute("SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job")
        yield primary, archive


def at_rest(db: psycopg.Connection) -> tuple[datetime, tuple]:
    """An instant at which nobody committed, and all rows then: pg_cron works beside us."""
    while True:
        shown_at = datetime.now(UTC)
        before = look(db, shown_at)
        (instant,) = db.execute("SELECT clock_timestamp()").fetchone()
        if look(db, shown_at) == before:
            return instant, (shown_at, before)


def archive_all(db: psycopg.Connection) -> None:
    """Wait until all that was written is in the archive."""
    (segment,) = db.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    there = "SELECT last_archived_wal >= %s FROM pg_stat_archiver"
    poll(lambda: db.execute(there, (segment,)).fetchone() == (True,), timeout=60, what="it is archived")


@pytest.mark.parametrize("guard", ["cron.launch_active_jobs", "shared_preload_libraries", None])
def test_a_restore_to_an_instant_has_its_rows_and_runs_nothing_before_it_is_paused(archived, guard):
    """As the runbook says. Without its guard, pg_cron begins the jobs by itself: that is what the guard is for."""
    primary, archive = archived
    with ExitStack() as stack, server_directory() as directory:
        db = stack.enter_context(primary.connect())
        if guard == "cron.launch_active_jobs" and not knows_its_setting(db):
            pytest.skip("this pg_cron does not know the setting")
        primary.base_backup(directory)
        insert_lead_of_age(db, 5001, REMINDER_DUE)
        db.execute("CALL lead_protection.run_protection_pipeline()")
        insert_lead_of_age(db, 5002, REMINDER_DUE)
        instant, (shown_at, before) = at_rest(db)
        reminded = db.execute(REMINDED).fetchall()

        # What the backup will not know.
        db.execute("SELECT lead_protection.create_lead_hold(5001, 7, 'later', 1)")
        db.execute("CALL lead_protection.run_protection_pipeline()")
        assert (5002,) in db.execute("SELECT lead_id FROM lead_protection.lead_reminders").fetchall()
        archive_all(db)
        db.close()
        primary.kill()

        home = Path(directory)
        as_owner("touch", home / "data" / "recovery.signal")
        configure(
            home,
            archive_mode="off",
            restore_command=f"cp {archive}/%f %p",
            recovery_target_time=instant.isoformat(),
            recovery_target_action="promote",
            # Where the jobs are led, by the name that the old one has.
            unix_socket_directories=f"{home}/socket,{primary.sockets}",
            **({guard.replace(".", "__"): "off" if "launch" in guard else ""} if guard else {}),
        )
        restored = Cluster(directory)
        db = stack.enter_context(restored.connect())
        poll(lambda: db.execute("SELECT pg_is_in_recovery()").fetchone() == (False,), timeout=60)
        if not guard:
            began = partial(db.execute, f"SELECT ({RUNS}) > {len(before[0]['job_runs'])}")
            poll(lambda: began().fetchone() == (True,), timeout=90, what="pg_cron begins a job by itself")
            return
        # Longer than pg_cron would have waited.
        (minute,) = db.execute("SELECT date_trunc('minute', now()) + INTERVAL '65 seconds'").fetchone()
        poll(lambda: db.execute("SELECT now() > %s", (minute,)).fetchone() == (True,), timeout=70)
        *rows, numbers = look(db, shown_at)
        assert tuple(rows) == before[:2]
        # After recovery a sequence may be some numbers ahead, and never behind.
        assert all(now >= then for (_, now), (_, then) in zip(numbers, before[2], strict=True) if then)
        assert db.execute(REMINDED).fetchall() == reminded
        proves_itself(db)

        page = named(sections(RUNBOOK)["After a failover or a restore"])
        parameters = {":'reason'": "'restored'", ":actor_id": "901"}
        pause = re.sub(r":'reason'|:actor_id", lambda found: parameters[found[0]], page["paused"].text)
        assert db.execute(pause).fetchone()[0] is True
        assert 5002 in [row[0] for row in db.execute(page["would-go-out"].text.replace("LIMIT 50", ""))]
        db.close()
        configure(home, **{guard.replace(".", "__"): "on" if "launch" in guard else "pg_cron"})
        restored.stop()
        restored.start()
        db = stack.enter_context(restored.connect())
        skipped = (
            "SELECT count(*) > 0 FROM lead_protection.job_runs"
            " WHERE outcome = 'skipped' AND result ->> 'waiting' LIKE 'paused by 901%' AND job_name LIKE '%reminders'"
        )
        poll(lambda: db.execute(skipped).fetchone() == (True,), timeout=130, what="pg_cron's run has left at once")
        assert db.execute(REMINDED).fetchall() == reminded

        db.execute("SELECT lead_protection.resume_protection(901)")
        db.execute("CALL lead_protection.run_nightly_maintenance()")
        sent = "SELECT count(*) FROM lead_protection.lead_reminders WHERE lead_id = 5002"
        # pg_cron's own run may be at work: then ours leaves at once.
        poll(
            lambda: db.execute("CALL lead_protection.run_protection_pipeline()") and db.execute(sent).fetchone() == (1,)
        )
        proves_itself(db)


# --- by logical replication ---


def shell_of(page: str, heading: str) -> list[str]:
    """The blocks of shell commands below a heading, as a reader runs them."""
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    below = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```bash\n(.*?)^```$", below, re.MULTILINE | re.DOTALL)


def test_a_switchover_by_logical_replication_goes_on_where_it_was(server):
    """The commands are those of docs/installing.md."""
    prepare, numbers, drop = shell_of("installing.md", "Moving to another server")
    with cluster() as old, cluster() as new, Mailbox() as mailbox, ExitStack() as stack:
        env = server.env | {"OLD": old.url(), "NEW": new.url()}

        def run(commands: str) -> None:
            done = run_program(["bash", "-euo", "pipefail", "-c", commands], env=env)
            assert done.returncode == 0, done.stdout + done.stderr

        run_ok("apply", "--database", old.url())
        db = stack.enter_context(old.connect())
        load_sample(db)
        live_in(db)
        register_mailer(db)
        run(prepare)
        # What follows an adopted table deletes from the one table without a key.
        db.execute("DELETE FROM lead_protection.adoption_notes")
        moved = stack.enter_context(new.connect())

        # Life goes on while the rows are copied: rows are changed and deleted, too.
        for lead_id in range(5001, 5031):
            insert_lead_of_age(db, lead_id, REMINDER_DUE)
        db.execute("CALL lead_protection.run_protection_pipeline(batch_size => 7)")
        assert run_mailer(old.url(), mailbox.address)[0] == 0
        db.execute("SELECT lead_protection.hold_leads('move', 'x', 1, ARRAY[5001, 5002, 5003])")
        insert_lead_of_age(db, 5031, REMINDER_DUE)
        db.execute("CALL lead_protection.run_protection_pipeline()")
        # Somebody has taken events and not acknowledged them.
        taken = db.execute("SELECT id, lease_token FROM lead_protection.claim_events('crm', 3)").fetchall()
        db.execute("SELECT lead_protection.pause_protection('moving', 901)")
        here = "SELECT paused_at IS NOT NULL FROM lead_protection.settings"
        poll(lambda: moved.execute(here).fetchone() == (True,), timeout=120, what="the pause has come")
        ready = "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"
        poll(lambda: moved.execute(ready).fetchone() == (True,), timeout=120, what="all tables are copied")
        run(numbers)
        run(drop)

        at = datetime.now(UTC)
        assert look(moved, at) == look(db, at)
        # Of a lead on hold the dates go on with the time; all of them, as of one instant, are in look().
        md5 = "SELECT md5(string_agg(v::text, chr(10) ORDER BY lead_id)), count(*)"
        md5 += " FROM lead_protection.v_user_lead_protection AS v WHERE NOT on_hold"
        assert moved.execute(md5).fetchone() == db.execute(md5).fetchone()
        proves_itself(moved)
        assert "0 pending" in run_ok("apply", "--database", new.url())
        run_ok("status", "--database", new.url())
        db.close()
        old.stop()

        moved.execute("SELECT lead_protection.resume_protection(901)")
        reminded = moved.execute(REMINDED).fetchall()
        moved.execute("CALL lead_protection.run_protection_pipeline()")
        moved.execute("CALL lead_protection.run_nightly_maintenance()")
        assert moved.execute(REMINDED).fetchall() == reminded, "nothing is sent once more"
        (user,) = moved.execute("SELECT user_id FROM lead_protection.leads WHERE id = 150").fetchone()
        assert moved.execute(WRITE_ON.format(user)).fetchone() == (True,)
        ((lead_id, created),) = moved.execute(
            "SELECT lead_id, changed FROM lead_protection.protect_lead(7, 1, 'first on the new one')"
        )
        assert created and lead_id > 0
        numbers_in_order = (
            'SELECT min(sequence_number) FILTER (WHERE "timestamp" > %(at)s)'
            ' > max(sequence_number) FILTER (WHERE "timestamp" <= %(at)s) FROM lead_protection.outbox_events'
        )
        assert moved.execute(numbers_in_order, {"at": at}).fetchone() == (True,)
        # The lease of the old one holds, and those that nobody took come once.
        acknowledged = moved.execute(
            "SELECT bool_and(changed) FROM lead_protection.acknowledge_events('crm', %s, %s)",
            (taken[0][1], [each[0] for each in taken]),
        ).fetchone()
        assert acknowledged == (True,)
        again = {row[0] for row in moved.execute("SELECT id FROM lead_protection.claim_events('crm', 10000)")}
        assert again and not again & {each[0] for each in taken}
        assert run_mailer(new.url(), mailbox.address)[0] == 0
        asked = moved.execute(
            "SELECT format('<%s@example.com>', event_id) FROM lead_protection.event_deliveries"
            " WHERE consumer_name = 'mailer'"
        ).fetchall()
        assert sorted(mailbox.ids().elements()) == sorted(row[0] for row in asked), "each was mailed once"
        proves_itself(moved)


# --- a standby is promoted under load ---


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_standby_is_promoted_under_load(synchronous):
    """Of what was committed a synchronous one has all; an asynchronous one may lack the last, and nothing between."""
    committed: list[int] = []
    made_holds: list[int] = []
    next_lead = iter(range(10_000, 10**9))

    def bring_leads(db: psycopg.Connection) -> None:
        lead_id = next(next_lead)
        insert_lead_of_age(db, lead_id, REMINDER_DUE, user_id=lead_id % 10)
        committed.append(lead_id)

    def make_holds(db: psycopg.Connection) -> None:
        ((hold_id,),) = db.execute("SELECT hold_id FROM lead_protection.create_lead_hold(1, 7, 'x', 1)")
        made_holds.append(hold_id)
        db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")

    def run_pipeline(db: psycopg.Connection) -> None:
        db.execute("CALL lead_protection.run_protection_pipeline(batch_size => 5)")

    def consume(db: psycopg.Connection) -> None:
        db.execute(
            "SELECT lead_protection.acknowledge_events('crm', c.lease_token, array_agg(c.id))"
            " FROM lead_protection.claim_events('crm', 20, '3 seconds') AS c GROUP BY c.lease_token"
        )

    options = ("--poll", "0.05", "--batch-size", "5", "--lease", "3 seconds")
    with cluster() as primary, ExitStack() as stack:
        run_ok("apply", "--database", primary.url())
        with primary.connect() as db:
            insert_lead_of_age(db, 1, PROTECTED)
            register_mailer(db, attempt_limit=1000)
            db.execute("SELECT lead_protection.register_event_consumer('crm')")
            standby = stack.enter_context(standby_of(primary))
            if synchronous:
                db.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                db.execute("SELECT pg_reload_conf()")
                is_sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
                poll(lambda: db.execute(is_sync).fetchone() == (1,), timeout=30, what="it is synchronous")
        mailbox = stack.enter_context(Mailbox())
        mailer = start_mailer(primary.url(), mailbox.address, *options)
        stack.callback(lambda: mailer.kill())  # whichever it is then
        loads = [Load(primary.url(), work) for work in (bring_leads, make_holds, consume, run_pipeline)]
        for load in loads:
            stack.callback(load.stopping.set)
        # At some moment in the middle of it.
        poll(lambda: len(mailbox.mails) > 100, timeout=120, what="there is work on all ends")
        primary.kill()
        answered, holds = list(committed), list(made_holds)
        sent_before = len(mailbox.mails)
        mailer.kill()
        with standby.connect() as db:
            db.execute("ALTER SYSTEM RESET synchronous_standby_names")
            db.execute("SELECT pg_promote()")
            reminders_taken_along = db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone()[0]
        mailer = start_mailer(standby.url(), mailbox.address, *options)
        for load in loads:
            load.url = standby.url()
        poll(lambda: len(committed) > len(answered) + 50, timeout=60, what="calls go on at the new primary")
        for load in loads[:2]:
            load.stop()
        with standby.connect() as db:
            due = "SELECT count(*) FROM lead_protection.v_user_lead_protection WHERE state = 'REMINDER_DUE'"
            poll(lambda: db.execute(due).fetchone() == (0,), timeout=120, what="all are reminded")
            # A run's last event is that of its seal.
            loads[3].stop()
            left = "SELECT count(*) FROM lead_protection.event_deliveries WHERE status = 'pending'"
            poll(lambda: db.execute(left).fetchone() == (0,), timeout=120, what="all events are taken")
            loads[2].stop()
            mailer.kill()

            def column(query: str) -> list:
                return [row[0] for row in db.execute(query)]

            leads = set(column("SELECT id FROM lead_protection.leads WHERE id >= 10000"))
            lost = [lead_id for lead_id in answered if lead_id not in leads]
            lost_holds = set(holds) - set(column("SELECT id FROM lead_protection.lead_holds"))
            assert lost == answered[len(answered) - len(lost) :], "what is lost is the last"
            mails = [mail["Message-ID"] for mail in mailbox.mails]
            known = set(column("SELECT format('<%s@example.com>', id) FROM lead_protection.outbox_events"))
            unknown = {each for each in mails if each not in known}
            if synchronous:
                assert (lost, lost_holds, unknown) == ([], set(), set())
            reminded = column("SELECT lead_id FROM lead_protection.lead_reminders ORDER BY 1")
            assert reminded == sorted(leads), "one reminder for each lead"
            assert reminded == column(
                "SELECT lead_id FROM lead_protection.protection_log"
                " WHERE event_type = 'lead.protection.reminder' ORDER BY 1"
            )
            asked = set(
                column(
                    "SELECT format('<%s@example.com>', id) FROM lead_protection.outbox_events"
                    " WHERE type = 'lead.protection.reminder'"
                )
            )
            assert set(mails) - unknown == asked, "each was mailed"
            assert column("SELECT DISTINCT status FROM lead_protection.event_deliveries") == ["acknowledged"]
            proves_itself(db)
    print(
        f"{'synchronous' if synchronous else 'asynchronous'}: {len(answered)} leads and {len(holds)} holds committed,"
        f" {sent_before} mails and {reminders_taken_along} reminders before, lost {len(lost)} leads,"
        f" {len(lost_holds)} holds; {len(unknown)} mails of reminders that were forgotten,"
        f" {len(mails) - len(set(mails))} mails repeated"
    )
