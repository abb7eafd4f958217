"""``python -m benchmarks``: this project's worker beside its peers, in one run.

Prints a table; all but a quick or partial run also writes it into ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.database import BenchServer, bench_server
from benchmarks.machine import describe_load, describe_machine, describe_versions, load_average
from benchmarks.measurements import (
    blocked,
    claim,
    cost,
    deferring,
    drain,
    footprint,
    pickup,
    pinned,
    scaling,
    waiting,
)
from benchmarks.peer import Peer, PeerUnavailable
from benchmarks.peers.celery_redis import open_celery_redis
from benchmarks.peers.ours import open_ours
from benchmarks.peers.pgqueuer import open_pgqueuer
from benchmarks.peers.plain_procrastinate import open_plain_procrastinate
from benchmarks.report import Run, render, replace_results
from benchmarks.rounds import Measurement, run_rounds
from benchmarks.scale import FULL, QUICK, USUAL

README = Path(__file__).parent / "README.md"
MEASUREMENTS: dict[str, Measurement] = {
    "drain": drain.measure,
    "waiting": waiting.measure,
    "pickup": pickup.measure,
    "cost": cost.measure,
    "footprint": footprint.measure,
    "deferring": deferring.measure,
    "scaling": scaling.measure,
    "pinned": pinned.measure,
    "blocked": blocked.measure,
    "claim": claim.measure,
}


@dataclass
class Field:
    """Who takes part."""

    peers: list[Peer] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        tell("starting Postgres and preparing the peers")
        field = open_field(stack, server=stack.enter_context(bench_server()), folder=folder, options=options)
        loads = [load_average()]
        measurements = [MEASUREMENTS[name] for name in options.only or MEASUREMENTS]
        samples = run_rounds(
            field.peers,
            measurements,
            scale=options.scale,
            tell=tell,
            after_round=lambda: loads.append(load_average()),
        )
        report = render(
            Run(
                peers=[peer.name for peer in field.peers],
                samples=samples,
                command=" ".join(["make bench", *([f'ARGS="{" ".join(arguments)}"'] if arguments else [])]),
                machine=[describe_machine(), describe_versions(field.versions), describe_load(loads)],
                left_out=field.left_out,
            )
        )
    print(report)
    if options.scale is not QUICK and not options.only:
        README.write_text(replace_results(README.read_text(encoding="utf-8"), report), encoding="utf-8")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=…", description=(__doc__ or "").partition("\n\n")[2]
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        dest="scale",
        action="store_const",
        const=QUICK,
        default=USUAL,
        help="under two minutes, a hint only",
    )
    size.add_argument(
        "--full",
        dest="scale",
        action="store_const",
        const=FULL,
        help="more rounds, and claims beside a long history",
    )
    parser.add_argument("--processes", type=int, default=1, help="child processes of this project's worker")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, help="these measurements only")
    return parser.parse_args(arguments)


def open_field(stack: ExitStack, *, server: BenchServer, folder: Path, options: argparse.Namespace) -> Field:
    """Prepare every peer that this machine can run."""
    field = Field(versions={"Postgres": server.version})
    field.peers.append(stack.enter_context(open_ours(server, folder=folder, processes=options.processes)))
    field.peers.append(stack.enter_context(open_plain_procrastinate(server, folder=folder)))
    try:
        celery = stack.enter_context(open_celery_redis(folder=folder))
    except PeerUnavailable as reason:
        field.left_out.append(str(reason))
    else:
        field.peers.append(celery)
        field.versions |= celery.versions()
    try:
        field.peers.append(stack.enter_context(open_pgqueuer(server, folder=folder)))
    except PeerUnavailable as reason:
        field.left_out.append(str(reason))
    return field


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
