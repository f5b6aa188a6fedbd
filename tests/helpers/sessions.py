"""Making several sessions meet."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
from psycopg.rows import tuple_row


def at_once(connections, work, *each) -> list:
    """Let all sessions work at the same moment, and return the answers.

    `work` is called with the connection and with its item of each further list.
    """
    barrier = Barrier(len(connections))

    def wait_and_work(*args):
        barrier.wait()
        return work(*args)

    with ThreadPoolExecutor(len(connections)) as pool:
        return list(pool.map(wait_and_work, connections, *each))


def execute_at_once(connections, statement) -> list:
    """Execute the statement on all connections at the same moment and return the first row of each answer."""

    def work(connection):
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None

    return at_once(connections, work)


def waits_for_a_lock(db, connection) -> bool:
    """True once the connection's statement waits for another session."""
    blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
    with db.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(blocked, (connection.info.backend_pid,)).fetchone()[0]


def interleave(db, wait_until, two, work_of_first, work_of_second, end="commit"):
    """Let the first do its work and keep its locks until the second waits for them; return its answer or error."""
    first, second = two
    work_of_first(first)

    def attempt():
        try:
            return work_of_second(second)
        except psycopg.Error as error:
            return error

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(attempt)
        wait_until(lambda: waits_for_a_lock(db, second), what="the second waits")
        getattr(first, end)()
        return answer.result(timeout=20)
