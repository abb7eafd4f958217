"""``python -m tests.workers.deploys``: rolling deploys on a server of its own, a report, a verdict."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.workers.deploys.checkouts import make_checkouts
from tests.workers.deploys.rolling import Rolled, Roller
from tests.workers.deploys.verdict import judge, write_report
from tests.workers.postgres import ROOT, Server, own_server
from tests.workers.storm.fleet import LEDGER


def main() -> None:
    """Rolls as often as asked; exits with 1 when a promise was broken. The report is written in any case."""
    arguments = _read_arguments()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="deploys-") as name, own_server() as server:
        directory = Path(name)
        rolled = roll(
            server, directory, deploys=arguments.deploys, kills=arguments.kills, seed=arguments.seed
        )
        verdict = judge(server, directory / LEDGER)
        report = write_report(
            server=server,
            rolled=rolled,
            verdict=verdict,
            ledger=directory / LEDGER,
            command=f"make deploys DEPLOYS={arguments.deploys} ARGS='--seed {arguments.seed}'",
            machine=[f"machine: {os.cpu_count()} cores", f"load average before: {load:.1f}"],
        )
    arguments.report.write_text(report, encoding="utf-8")
    sys.stdout.write(report)
    sys.exit(1 if verdict.complaints else 0)


def roll(server: Server, directory: Path, *, deploys: int, kills: int, seed: int) -> Rolled:
    """Rolls to and fro, and lets both releases work until nothing is left."""
    older, newer = make_checkouts(directory, database_url=server.url)
    with ExitStack() as stack:
        roller = Roller(server, directory=directory, seed=seed, stack=stack)
        outgoing, incoming = older, newer
        with older.client(), newer.client():  # web processes of both releases order all the while
            for number in range(1, deploys + 1):
                roller.roll(outgoing, incoming, kills=kills)
                outgoing, incoming = incoming, outgoing
                if number % 10 == 0:
                    sys.stderr.write(f"{number} deploys, {len(roller.rolled.kills)} kills\n")
        roller.finish(older, newer, within=60)
    return roller.rolled


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.deploys", description=__doc__)
    parser.add_argument("--deploys", type=int, default=300)
    parser.add_argument("--kills", type=int, default=5, help="in each deploy")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311 - told, to be repeated
    parser.add_argument("--report", type=Path, default=ROOT / "docs/deploys.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
