"""The command line `lead-protection`: check, apply, status, help, statement, seal, export, schedule and more.

Exit status: 0 done (status: complete), 1 failed or refused (status: not complete), 2 called wrongly.
"""

import argparse
import json
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
import yoyo.exceptions
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lead_protection import __version__, check, installer, moving, preflight, router, script
from lead_protection.database import (
    ApplyLock,
    Progress,
    Refusal,
    ScriptError,
    UsageError,
    checked_conninfo,
    connect,
    describe,
    describe_error,
    one_row,
    painted,
)

ENVIRONMENT = "LEAD_PROTECTION_DATABASE_URL"

NO_PG_CRON = """
pg_cron jobs
  pg_cron is not in this database. If it is in another one of this server: --cron-database NAME.
  Otherwise let any scheduler run the commands of lead_protection.job_definitions with psql."""


# A command, by its arguments and the database that they name.
Command = Callable[[argparse.Namespace, str], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    args = _parser().parse_args(argv)
    try:
        run: Command | None = args.run
        if run is None:  # the one that needs no database
            return run_sql(args)
        if not args.database:
            raise UsageError(f"which database? Give --database URL or set {ENVIRONMENT}.")
        return run(args, checked_conninfo(args.database))
    except UsageError as error:
        return _fail(str(error), status=2)
    except (Refusal, ScriptError) as error:
        return _fail(str(error))
    except yoyo.exceptions.BadMigration as error:
        return _fail(f"yoyo cannot read a migration: {error}")
    except psycopg.errors.InsufficientPrivilege as error:
        return _fail(f"the database reported an error:\n{describe_error(error)}\n{_missing_right(args)}")
    except psycopg.Error as error:
        return _fail(f"the database reported an error:\n{describe_error(error)}")
    except BrokenPipeError:  # `... | head`: nobody reads on, and nothing may complain about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _fail("interrupted; the transaction at work was undone.", status=130)


def _missing_right(args: argparse.Namespace) -> str:
    """Say which role lacks a right, and what gives it."""
    role = conninfo_to_dict(checked_conninfo(args.database)).get("user") or "the role you connected as"
    group, does = {
        "run_status": ("lead_protection_monitor", "look at this installation"),
        "run_help": ("lead_protection_monitor", "ask for help"),
        "run_schedule": ("lead_protection_jobs", "schedule and run the jobs"),
        "run_statement": ("lead_protection_monitor", "read statements"),
        "run_report": ("lead_protection_monitor", "read the report"),
        "run_seal": ("lead_protection_monitor", "read the seals of the log"),
        "run_export": ("lead_protection_monitor", "export the log"),
    }.get(args.run.__name__, (None, None))
    if group is None:
        return f"  Role {role} may not do this: apply and rollback are for the owner of schema lead_protection."
    return (
        f"  Role {role} may not {does}. By a superuser or whoever administers that group:"
        f" GRANT {group} TO {role};\n"
        "  Or name another role in the URL. In the database that pg_cron lives in: GRANT USAGE ON SCHEMA cron, see"
        " lead-protection sql --roles."
    )


def _fail(message: str, status: int = 1) -> int:
    sys.stdout.flush()
    print(f"lead-protection: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lead-protection",
        description="Installs Lead Protection in a PostgreSQL database and looks after it.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=description, description=description)
        added.set_defaults(run=run)
        added.add_argument(
            "--database",
            metavar="URL",
            default=os.environ.get(ENVIRONMENT),
            help=f"libpq URL or conninfo string (default: ${ENVIRONMENT})",
        )
        return added

    checking = command("check", run_check, "Say whether tables of your own can be adopted; changes nothing.")
    checking.add_argument(
        "table", nargs="?", metavar="TABLE", help="with its schema (default: every table that bears one of our names)"
    )
    checking.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="such as user_column=owner_id")
    checking.add_argument(
        "--as", dest="kind", choices=check.KINDS, default="leads", help="what TABLE has (default: leads)"
    )
    apply = command("apply", run_apply, "Apply pending migrations and load sql/, in one transaction.")
    apply.add_argument("--dry-run", action="store_true", help="print the SQL that would run, and change nothing")
    apply.add_argument(
        "--lock-timeout",
        type=_lock_timeout,
        default="3s",
        metavar="TIME",
        help="how long to wait for a lock before all is undone and begun anew (default: %(default)s; 0: for ever)",
    )
    apply.add_argument(
        "--retries", type=_count, default=5, metavar="N", help="how often to begin anew (default: %(default)s)"
    )
    status = command(
        "status",
        run_status,
        "Show what is applied, what is wrong, how leads stand and how the jobs ran; changes nothing.",
    )
    helping = command("help", run_help, "Say what to do, from the runbook; changes nothing.")
    helping.add_argument("question", nargs="+", metavar="WORD", help="such as: no reminder was sent")
    helping.add_argument("--language", choices=("en", "de"), help="default: that of the question")
    statement = command(
        "statement", run_statement, "Write a statement of a lead, or of all leads of a user, to be handed over."
    )
    statement.add_argument("lead", nargs="?", type=_number, metavar="LEAD", help="the number of the lead")
    statement.add_argument("--as-of", metavar="INSTANT", help="as it stood then (default: now)")
    statement.add_argument("--user", type=_number, metavar="USER", help="all leads of this user, in the place of LEAD")
    statement.add_argument("--from", dest="from_at", metavar="INSTANT", help="of --user: since when")
    statement.add_argument("--until", dest="until_at", metavar="INSTANT", help="of --user: until before then")
    statement.add_argument(
        "--format", choices=("markdown", "html"), help="default: by the name of --output, otherwise markdown"
    )
    report = command("report", run_report, "Write a page of HTML that shows how leads, holds and reminders stand.")
    for added in (statement, report):
        added.add_argument("--language", default="de", metavar="LANGUAGE", help="de or en (default: %(default)s)")
        added.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    seal = command("seal", run_seal, "Print the newest seal of the log, to be kept outside of the database.")
    seal.add_argument("--number", type=_positive, metavar="N", help="of which seal (default: the newest)")
    export = command("export", run_export, "Write what verify.py checks without the database.")
    export.add_argument("leads", nargs="*", type=_number, metavar="LEAD", help="the numbers of leads")
    export.add_argument("--all", action="store_true", help="all leads, and every leaf and seal of the log")
    export.add_argument("--seal", type=_positive, metavar="N", help="up to which seal (default: the newest)")
    export.add_argument("--with-texts", action="store_true", help="with reasons and evidence, which may name people")
    export.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    rollback = command("rollback", run_rollback, "Drop the code and roll back migrations WITH THEIR DATA.")
    amount = rollback.add_mutually_exclusive_group()
    amount.add_argument("--steps", type=_positive, default=1, metavar="N", help="how many (default: 1)")
    amount.add_argument("--all", action="store_const", dest="steps", const=None, help="all of them")
    rollback.add_argument("--yes", action="store_true", help="do not ask")
    schedule = command("schedule", run_schedule, "Schedule the jobs with pg_cron.")
    schedule.set_defaults(function="schedule_jobs")
    unschedule = command("unschedule", run_schedule, "Remove our pg_cron jobs.")
    unschedule.set_defaults(function="unschedule_jobs")
    for added in (status, rollback, schedule, unschedule):
        added.add_argument(
            "--cron-database",
            metavar="NAME_OR_URL",
            help="where pg_cron lives, if elsewhere; a bare name: on the same server, as the same user",
        )
    routing = command("router", run_router, "Make a router, in a database of its own, and add nodes to it.")
    routing.add_argument("action", choices=("apply", "add-node", "repoint"), help="repoint: the node is elsewhere now")
    routing.add_argument("node", nargs="?", metavar="NAME", help="the name of a node")
    routing.add_argument("connection", nargs="?", metavar="CONNECTION", help="how the router's server reaches it")
    moving_slots = command(
        "move-slots",
        run_move_slots,
        "Move leads from one node of a router to another, while writes go on; without SLOT: say which node has which.",
    )
    moving_slots.add_argument("slots", nargs="*", type=_slots, metavar="SLOT", help="such as 5, or 0-15")
    moving_slots.add_argument("--to", metavar="NODE", help="the node that gets them")
    moving_slots.add_argument(
        "--batch-size", type=_positive, default=20, metavar="N", help="leads that move at once (default: %(default)s)"
    )
    sql_command = commands.add_parser(
        "sql",
        help="Print a psql script that installs or upgrades; needs no database.",
        description="Print a psql script that installs into an empty database and upgrades an older one.",
    )
    sql_command.set_defaults(run=None)
    sql_command.add_argument(
        "--roles", action="store_true", help="print the script that a superuser runs once beforehand instead"
    )
    sql_command.add_argument(
        "--drop", action="store_true", help="with --roles: the one that takes all of it back, after rollback --all"
    )
    return parser


def _lock_timeout(text: str) -> str:
    # A bare number would be milliseconds to PostgreSQL and seconds to everybody else.
    if not re.fullmatch(r"0|[1-9][0-9]*(ms|s|min)", text):
        raise argparse.ArgumentTypeError("a number with its unit is wanted (500ms, 3s, 1min), or 0")
    return text


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a number from 0 on is wanted")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 on is wanted")
    return int(text)


def _slots(text: str) -> range:
    if not (found := re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)):
        raise argparse.ArgumentTypeError("a slot is wanted, or a range such as 0-15")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise argparse.ArgumentTypeError("a number is wanted")
    return int(text)


def run_check(args: argparse.Namespace, conninfo: str) -> int:
    """Say whether tables of the company's own can be adopted."""
    with connect(conninfo, own_path=False) as connection:
        print(f"lead-protection {__version__}: check in {describe(connection)}")
        fit = check.check_tables(connection, installer.find_home(), args.table, args.kind, args.arguments)
    print("\nFit to be adopted." if fit else "\nNot yet: see the problems above.", flush=True)
    return 0 if fit else 1


def run_apply(args: argparse.Namespace, conninfo: str) -> int:
    """Apply pending migrations and load sql/, or print what would be run."""
    home = installer.find_home()
    if args.dry_run:
        with connect(conninfo, read_only=True) as connection:
            print(f"-- lead-protection {__version__}: apply --dry-run to {describe(connection)}")
            installer.print_plan(connection, home)
        return 0
    with connect(conninfo) as connection:
        print(f"lead-protection {__version__}: apply to {describe(connection)}", flush=True)
        with ApplyLock(conninfo) as lock:
            installer.apply(
                connection,
                home,
                Progress(connection),
                lock,
                conninfo=conninfo,
                lock_timeout=args.lock_timeout,
                retries=args.retries,
            )
    print("Done.", flush=True)
    return 0


def run_router(args: argparse.Namespace, conninfo: str) -> int:
    """Make a router, or add a node to it."""
    if (args.action == "apply") != (args.connection is None):
        raise UsageError("add-node and repoint have a NAME and a CONNECTION, apply has none.")
    if args.node and not re.fullmatch(r"[a-z][a-z0-9_]{0,19}", args.node):
        raise UsageError("the name of a node is 1 to 20 small letters, digits and _, a letter first.")
    home = installer.find_home()
    with connect(conninfo) as connection:
        print(f"lead-protection {__version__}: router {args.action} in {describe(connection)}", flush=True)
        progress = Progress(connection)
        if args.action == "apply":
            router.apply(connection, home, progress)
        else:
            change = router.add_node if args.action == "add-node" else router.repoint
            change(connection, home, progress, args.node, router.checked_node(args.connection))
    print("Done.", flush=True)
    return 0


def run_sql(args: argparse.Namespace) -> int:
    """Print the script for those who have only psql; no database is asked."""
    home = installer.find_home()
    if args.drop and not args.roles:
        raise UsageError("--drop goes with --roles. To drop the schema: lead-protection rollback --all.")
    if args.roles:
        name = "drop_roles.sql" if args.drop else "roles.sql"
        print((home / "sql" / name).read_text(encoding="utf-8"), end="")
    else:
        print(script.install_script(home), end="")
    sys.stdout.flush()
    return 0


def run_statement(args: argparse.Namespace, conninfo: str) -> int:
    """Write what the database tells of a lead, or of a user."""
    period = (args.from_at, args.until_at)
    if (args.lead is None) == (args.user is None):
        raise UsageError("of what? Give the number of a lead, or --user USER --from INSTANT --until INSTANT.")
    if args.user is not None and (None in period or args.as_of is not None):
        raise UsageError("a statement of a user has a period: give --from INSTANT and --until INSTANT, and no --as-of.")
    if args.lead is not None and period != (None, None):
        raise UsageError("--from and --until are for --user; a statement of a lead may have --as-of INSTANT.")
    page_format = args.format or ("html" if args.output and args.output.suffix in (".html", ".htm") else "markdown")
    if args.lead is not None:
        return _write_page(
            args,
            conninfo,
            "SELECT lead_protection.protection_statement("
            "%s, coalesce(%s::timestamptz, pg_catalog.now()), %s::text, %s::text)",
            [args.lead, args.as_of, args.language, page_format],
        )
    return _write_page(
        args,
        conninfo,
        "SELECT lead_protection.statement_of_user(%s, %s::timestamptz, %s::timestamptz, %s::text, %s::text)",
        [args.user, *period, args.language, page_format],
    )


def run_report(args: argparse.Namespace, conninfo: str) -> int:
    """Write the page that shows how it stands."""
    return _write_page(args, conninfo, "SELECT lead_protection.protection_report(%s::text)", [args.language])


def run_seal(args: argparse.Namespace, conninfo: str) -> int:
    """Print a checkpoint."""
    with connect(conninfo, read_only=True) as connection, _our_refusals():
        (checkpoint,) = one_row(connection, "SELECT lead_protection.seal_checkpoint(%s::bigint)", [args.number])
    print(checkpoint, end="", flush=True)
    return 0


def run_export(args: argparse.Namespace, conninfo: str) -> int:
    """Write an export, line by line: it may be larger than the memory."""
    if bool(args.leads) == args.all:
        raise UsageError("of what? Give the numbers of leads, or --all.")
    query = "SELECT lead_protection.export_log(%s::bigint[], %s::bigint, %s)"
    parameters = [None if args.all else args.leads, args.seal, args.with_texts]
    with connect(conninfo, read_only=True) as connection, _our_refusals(), connection.transaction():
        lines = connection.cursor("export_log")
        lines.itersize = 1000
        lines.execute(query, parameters)
        if args.output is None:
            for (line,) in lines:
                print(line)
            sys.stdout.flush()
            return 0
        try:
            with args.output.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for (line,) in lines)
        except OSError as error:
            raise Refusal(f"cannot write {args.output}: {error.strerror}") from None
    print(f"Written: {args.output}", flush=True)
    return 0


def run_move_slots(args: argparse.Namespace, conninfo: str) -> int:
    """Move the leads of slots, or say which node has which."""
    if bool(args.slots) != bool(args.to):
        raise UsageError("which, and where? Give slots and --to NODE; neither: to be told which node has which.")
    if not args.slots:
        for name, count, slots in moving.slots_by_node(conninfo):
            print(f"{name}: {count} slots {slots}")
        return 0
    with moving.mover(conninfo, lambda text: print(text, flush=True)) as mover, _our_refusals():
        moved = mover.move(sorted({slot for some in args.slots for slot in some}), args.to, args.batch_size)
    print(f"Done: {moved} leads moved.", flush=True)
    return 0


@contextmanager
def _our_refusals() -> Iterator[None]:
    """Tell what a function of ours refuses in its own words, and what is not there as what to do."""
    try:
        yield
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
        raise Refusal("Lead Protection of this version is not installed in this database: run apply.") from None
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith("LP"):
            raise
        diag = error.diag
        raise Refusal(
            f"{diag.message_primary} ({error.sqlstate})\n  {diag.message_detail}\n  {diag.message_hint}"
        ) from None


def _write_page(args: argparse.Namespace, conninfo: str, query: LiteralString, parameters: Sequence[object]) -> int:
    """Write a page that the database makes to the file that was named, or print it."""
    with connect(conninfo, read_only=True) as connection:
        # An instant without a zone is one of the people who read the page.
        zone = _policy_zone(connection)
        connection.execute("SELECT pg_catalog.set_config('TimeZone', %s, false)", [zone or "UTC"])
        with _our_refusals():
            (page,) = one_row(connection, query, parameters)
    if args.output is None:
        print(page, end="", flush=True)
        return 0
    try:
        args.output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"cannot write {args.output}: {error.strerror}") from None
    print(f"Written: {args.output}", flush=True)
    return 0


def run_rollback(args: argparse.Namespace, conninfo: str) -> int:
    """Drop the code and roll migrations back, newest first."""
    home = installer.find_home()
    with connect(conninfo) as connection:
        print(f"lead-protection {__version__}: rollback in {describe(connection)}", flush=True)
        # The lock as such, to wait for an apply that is at work; rollback() takes it once more by itself.
        with ApplyLock(conninfo):
            chosen = installer.choose_for_rollback(installer.read_state(connection, home), args.steps)
        if not chosen:
            print("Nothing is applied.", flush=True)
            return 0
        installer.refuse_to_leave_adopted_tables(connection)
        with _cron_connection(args, conninfo, connection) as cron:
            _refuse_to_leave_jobs(cron, connection.info.dbname)
        if not args.yes:
            _confirm(f"Roll back {', '.join(m.id for m in chosen)}? Their tables and rows are lost.")
        installer.rollback(connection, home, Progress(connection), chosen)
    print(
        "Done. The views and functions are gone too: `lead-protection apply` brings back the code and the"
        " tables,\nbut not the data that was in them.",
        flush=True,
    )
    return 0


def _refuse_to_leave_jobs(cron: psycopg.Connection, dbname: str) -> None:
    """Refuse to drop what pg_cron would go on to call, as far as this role sees its jobs."""
    if not cron.execute("SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'").fetchall():
        print(
            "pg_cron is not here. If it has our jobs in another database, first: lead-protection unschedule"
            " --cron-database NAME",
            flush=True,
        )
        return
    if cron.execute("SELECT pg_catalog.has_schema_privilege('cron', 'USAGE')").fetchone() != (True,):
        print("pg_cron does not show its jobs to this role.", flush=True)
        return
    rows = cron.execute(
        "SELECT DISTINCT username FROM cron.job WHERE database = %s AND command LIKE '%%lead_protection.%%' ORDER BY 1",
        [dbname],
    ).fetchall()
    if rows:
        roles = ", ".join(str(role) for (role,) in rows)
        here = "" if cron.info.dbname == dbname else f" --cron-database {cron.info.dbname}"
        raise Refusal(
            f"pg_cron has jobs that call what would be dropped, of {roles}. As the role that scheduled them:\n"
            f"  lead-protection unschedule{here}"
        )


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("rollback destroys data, and there is no terminal to ask on: give --yes.")
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refusal("nothing was changed.")


def run_schedule(args: argparse.Namespace, conninfo: str) -> int:
    """Schedule or unschedule the jobs, in this database or from the separate one that pg_cron lives in."""
    function = sql.Identifier("lead_protection", args.function)
    with connect(conninfo) as connection:
        print(f"lead-protection {__version__}: {args.function} for {describe(connection)}", flush=True)
        progress = Progress(connection)
        try:
            if args.cron_database is None:
                cursor = connection.execute(sql.SQL("SELECT * FROM {}()").format(function))
                progress.print_notices()
                _print_table(cursor)
                return 0
            function = sql.Identifier("lead_protection", f"{args.function}_sql")
            (script_for_cron,) = one_row(connection, sql.SQL("SELECT {}()").format(function))
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
            raise Refusal("Lead Protection is not installed in this database: run apply first.") from None

    with connect(_cron_conninfo(args.cron_database, conninfo)) as cron:
        print(f"Cron {describe(cron)}", flush=True)
        progress = Progress(cron)
        with cron.transaction():
            cursor = cron.execute(script_for_cron)
            while cursor.nextset():  # the last statement shows the jobs
                pass
        progress.print_notices()
        _print_table(cursor)
    return 0


def _cron_conninfo(cron_database: str, conninfo: str) -> str:
    if "://" in cron_database or "=" in cron_database:
        return checked_conninfo(cron_database)
    return make_conninfo("", **conninfo_to_dict(conninfo) | {"dbname": cron_database})


@contextmanager
def _cron_connection(
    args: argparse.Namespace, conninfo: str, connection: psycopg.Connection
) -> Iterator[psycopg.Connection]:
    """Lead to the database that pg_cron lives in, on a connection that cannot write; `connection` if none is named."""
    if args.cron_database is None:
        yield connection
        return
    with connect(_cron_conninfo(args.cron_database, conninfo), read_only=True) as cron:
        yield cron


def run_status(args: argparse.Namespace, conninfo: str) -> int:
    """Show everything an operator asks first, on a connection that cannot write."""
    with connect(conninfo, read_only=True) as connection:
        print(f"lead-protection {__version__}: status of {describe(connection)}")
        state = installer.read_state(connection, installer.find_home())

        zone = _policy_zone(connection)
        if zone:
            print(f"Times are in {zone}, the zone of the default policy.")
        else:
            print("Times are in UTC: no default policy is to be seen.")

        print("\nMigrations")
        print(f"  {len(state.applied)} applied")
        for migration in state.changed:
            print(f"  {migration.id:<50} CHANGED SINCE IT WAS APPLIED")
        for migration in state.pending:
            print(f"  {migration.id:<50} pending")
        for migration_id in state.unknown:
            print(f"  {migration_id:<50} applied by a newer version")
        print(f"  {'sql/':<50} {state.code}")
        with _cron_connection(args, conninfo, connection) as cron:
            for session in (connection, cron):
                session.execute("SELECT pg_catalog.set_config('TimeZone', %s, false)", [zone or "UTC"])
            preflight.show(connection, cron, state)
            if not state.applied:
                print("\nNot installed: run apply.")
                return 1
            _show_health(connection)
            _section(
                connection,
                "Leads",
                "SELECT state, count(*) AS leads, count(*) FILTER (WHERE on_hold) AS on_hold"
                " FROM lead_protection.v_user_lead_protection GROUP BY state ORDER BY state",
            )
            _section(
                connection,
                "Last run of each job",
                "SELECT DISTINCT ON (job_name) job_name, date_trunc('second', started_at)::timestamp AS started_at,"
                " date_trunc('second', finished_at)::timestamp AS finished_at, outcome, result, error"
                " FROM lead_protection.job_runs AS r ORDER BY job_name, r.started_at DESC",
            )
            _show_cron_jobs(connection, cron)
        if not state.complete:
            print("\nNot complete: run apply.", flush=True)
    return 0 if state.complete else 1


def run_help(args: argparse.Namespace, conninfo: str) -> int:
    """Print the section of the runbook that answers a question, and the titles of others."""
    with connect(conninfo, read_only=True) as connection:
        try:
            rows = connection.execute(
                "SELECT section, step, run_as, words, sql FROM lead_protection.help(%s, %s)",
                [" ".join(args.question), args.language],
            ).fetchall()
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
            raise Refusal("the help is in the database, and this one has none: run apply first.") from None
    for section, step, run_as, words, code in rows:
        if step is None:
            print(f"\n{painted(section, 1)}\n{_filled(words, '  ')}")
        elif step == 0:
            print(f"{painted(section, 1)}\n{_filled(words, '  ')}")
        else:
            print(f"\n{_filled(words or '', '     ', first=f'{step:>3}. ')}")
        if code:
            print(f"     -- {run_as}\n{textwrap.indent(code, '     ')}")
    sys.stdout.flush()
    return 0


def _filled(text: str, indent: str, first: str | None = None) -> str:
    """Return paragraphs that fit a terminal, each line indented; the first line by `first`."""
    paragraphs = [
        textwrap.fill(line, 100, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        for line in text.splitlines() or [""]
    ]
    filled = "\n".join(paragraphs) or indent
    return filled if first is None else first + filled[len(indent) :]


def _policy_zone(connection: psycopg.Connection) -> str | None:
    """Return the time zone of the default policy; None where there is none, or none that this role may see."""
    query = "SELECT time_zone FROM lead_protection.protection_policies WHERE is_default"
    try:
        row = connection.execute(query).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return None
    return row[0] if row else None


def _show_health(connection: psycopg.Connection) -> None:
    """Print how things stand, in colour on a terminal unless NO_COLOR is set, and where to read on."""
    print("\nHealth")
    try:
        rows = connection.execute("SELECT check_name, status, found, runbook FROM lead_protection.health").fetchall()
    except psycopg.errors.UndefinedTable:
        print("  not there: run apply")
        return
    except psycopg.Error as error:
        print(describe_error(error))
        return
    colours = {"ok": 32, "warn": 33, "critical": 31}
    width = max(len(row[0]) for row in rows)
    for check_name, status, found, runbook in rows:
        shown = painted(f"{status:<8}", colours.get(status))
        print(f"  {shown}  {check_name:<{width}}  {found}{'' if status == 'ok' else f' -> runbook: {runbook}'}")


def _show_cron_jobs(connection: psycopg.Connection, cron: psycopg.Connection) -> None:
    """Print pg_cron's jobs of our names; `cron` is a connection to the database that pg_cron may be in."""
    if not cron.execute("SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'").fetchall():
        print(NO_PG_CRON)
        return
    names = [row[0] for row in connection.execute("SELECT job_name FROM lead_protection.job_definitions")]
    _section(
        cron,
        "pg_cron jobs",
        "SELECT jobname, schedule, database, username, active, command FROM cron.job"
        " WHERE jobname = ANY(%s) ORDER BY jobname",
        [names],
        none="none: run schedule",
    )


def _section(
    connection: psycopg.Connection,
    title: str,
    query: str,
    parameters: Sequence[object] | None = None,
    none: str = "none",
) -> None:
    """Print a query's rows; a missing view or right is part of the picture, not the end of it."""
    print(f"\n{title}")
    try:
        _print_table(connection.execute(query, parameters), none)
    except psycopg.errors.UndefinedTable:
        print("  not there: run apply")
    except psycopg.Error as error:
        print(describe_error(error))


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):  # of jsonb, which is shown as psql shows it
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _print_table(cursor: psycopg.Cursor, none: str = "none") -> None:
    names = [column.name for column in cursor.description or ()]
    rows = [[_plain(value) for value in row] for row in cursor]
    if not rows:
        print(f"  {none}")
        return
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in [names, ["-" * width for width in widths], *rows]:
        print("  " + "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())
    sys.stdout.flush()
