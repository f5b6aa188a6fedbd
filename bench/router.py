"""What a router costs: CPU and time of a call on the node, and through the router, by 1, 2 and 4 nodes.

Needs PL/Proxy. Databases of one server stand for nodes: what is measured is the work for each call and not how much
several machines do at once. CPU is that of the backends, from /proc.

    .venv/bin/python bench/router.py [--calls 2000]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

PROJECT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")
HOLD = "SELECT hold_id FROM lead_protection.create_lead_hold(%(lead)s, 7, 'PRICE_APPROVAL', 9)"
RELEASE = "SELECT hold_id FROM lead_protection.release_lead_hold(%(lead)s, 7, 9)"
CALLS = {
    "a hold made and released": [HOLD, RELEASE],
    "a lead's log": ["SELECT count(*) FROM lead_protection.lead_log(%(lead)s)"],
    "a lead in the view": ["SELECT state FROM lead_protection.v_user_lead_protection WHERE lead_id = %(lead)s"],
    "a user's leads in the view": ["SELECT count(*) FROM lead_protection.v_user_lead_protection WHERE user_id = 7"],
}


def run(*command: str) -> str:
    """Run a program of the project."""
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.strip()


def cpu(pids: list[int]) -> float:
    """The seconds of CPU that processes have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(field[11]) + int(field[12]) for field in fields) / TICK


def measure(
    connection: psycopg.Connection, server: str, calls: list[str], leads: list[int], number: int
) -> list[float]:
    """Milliseconds of time and of CPU for each round of calls: in this backend, and in those of nodes."""
    for lead in leads[:200]:
        for call in calls:
            connection.execute(call, {"lead": lead}).fetchall()
    with psycopg.connect(server, autocommit=True) as other:
        backends = [pid for (pid,) in other.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name IN ('lead-protection-router', 'postgres_fdw')"
        )]  # fmt: skip
    here = [connection.info.backend_pid]
    there = [pid for pid in backends if pid not in here]
    before, begun = (cpu(here), cpu(there)), time.monotonic()
    for nth in range(number):
        for call in calls:
            connection.execute(call, {"lead": leads[nth % len(leads)]}).fetchall()
    spent = time.monotonic() - begun
    return [1000 * each / number for each in (spent, cpu(here) - before[0], cpu(there) - before[1])]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    args = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="lead-protection-router-")
    try:
        run("scripts/private-postgres", "start", "--fast", directory)
        url = {
            name: run("scripts/private-postgres", "url", directory, name)
            for name in ("postgres", "n0", "n1", "n2", "n3", "router")
        }
        host = psycopg.conninfo.conninfo_to_dict(url["n0"])["host"]
        with psycopg.connect(url["postgres"], autocommit=True) as connection:
            connection.execute("CREATE DATABASE n0")
            run(sys.executable, "-m", "lead_protection", "apply", "--database", url["n0"])
            for name in ("n1", "n2", "n3"):
                connection.execute(f"CREATE DATABASE {name} TEMPLATE n0")
            print("| call | nodes | ms, node | ms, router | ratio | CPU ms, node | CPU ms, router + node |")
            print("|---|---|---|---|---|---|---|")
            for number in (4, 2, 1):
                connection.execute("DROP DATABASE IF EXISTS router WITH (FORCE)")
                for nth in range(4):
                    connection.execute(f"DROP DATABASE IF EXISTS m{nth} WITH (FORCE)")
                connection.execute("CREATE DATABASE router")
                for nth in range(number):
                    connection.execute(f"CREATE DATABASE m{nth} TEMPLATE n{nth}")
                    run(sys.executable, "-m", "lead_protection", "router", "add-node", f"m{nth}",
                        f"host={host} user=postgres dbname=m{nth}", "--database", url["router"])  # fmt: skip
                with psycopg.connect(url["router"], autocommit=True) as router:
                    leads = [
                        router.execute(
                            "SELECT lead_id FROM lead_protection.protect_lead(7, 9, %s)", [f"bench-{nth}"]
                        ).fetchone()[0]
                        for nth in range(200)
                    ]
                    ((home,),) = router.execute("SELECT min(node_name) FROM lead_protection_router.nodes").fetchall()
                    ours = [
                        lead for lead in leads
                        if router.execute("SELECT lead_protection_router.node_of(%s)", [lead]).fetchone() == (home,)
                    ]  # fmt: skip
                    with psycopg.connect(url["n0"].replace("/n0", f"/{home}"), autocommit=True) as node:
                        for name, calls in CALLS.items():
                            pairs = [
                                (measure(node, url["postgres"], calls, ours, args.calls // 5),
                                 measure(router, url["postgres"], calls, leads, args.calls // 5))
                                for _ in range(5)
                            ]  # fmt: skip
                            alone = [statistics.median(pair[0][i] for pair in pairs) for i in range(3)]
                            routed = [statistics.median(pair[1][i] for pair in pairs) for i in range(3)]
                            print(
                                f"| {name} | {number} | {alone[0]:.2f} | {routed[0]:.2f} | {routed[0] / alone[0]:.2f}"
                                f" | {alone[1]:.2f} | {routed[1]:.2f} + {routed[2]:.2f} |",
                                flush=True,
                            )
    finally:
        run("scripts/private-postgres", "stop", "--remove", directory)


if __name__ == "__main__":
    main()
