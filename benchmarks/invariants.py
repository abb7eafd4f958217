"""``python -m benchmarks.invariants``: what it costs to check all invariants beside a million bookings.

On the database of ``DATABASE_URL``; without one, on a throw-away server that it fills first. Prints a table
and writes nothing. Other work on the machine lengthens the seconds that pass, hardly those of the processor.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string

from benchmarks.machine import describe_load, describe_machine, load_average
from reyes_estancias.postgres.server import throw_away_server

_SERVER = {"shared_buffers": "256MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one invariant took: of the clock, and of the one process that answered."""

    name: str
    holds: bool
    elapsed: float
    processor: float


def main(arguments: Sequence[str]) -> None:
    options = _parse(arguments)
    with ExitStack() as stack:
        if not os.environ.get("DATABASE_URL"):
            server = stack.enter_context(throw_away_server(options=_SERVER))
            os.environ["DATABASE_URL"] = replace(server, database="postgres").as_url()
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reyes_estancias.settings")
        django.setup()
        _prepare(options.count)
        loads = [load_average()]
        costs = _measure()
        loads.append(load_average())
    print(describe_machine(), describe_load(loads), sep="\n")
    print(render(costs))
    if broken := [cost.name for cost in costs if not cost.holds]:
        raise SystemExit(f"These do not hold: {', '.join(broken)}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-invariants ARGS=…")
    parser.add_argument("--count", type=int, default=1_000_000, help="bookings, if there are none yet")
    return parser.parse_args(arguments)


def _prepare(count: int) -> None:
    call_command("migrate", verbosity=0)
    if not import_string("bookings.models.Booking").objects.exists():
        print(f"writing {count:,} bookings", file=sys.stderr, flush=True)
        import_string("benchmarks.past_stays.write_past_stays")(count)


def _measure() -> list[Cost]:
    """Ask all twice, and tell of the second time: the first warms the server's memory."""
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    list(_ask_all(pid))
    return list(_ask_all(pid))


def _ask_all(pid: int) -> Iterator[Cost]:
    """Of those that share a first look, the first has the processor's time for it."""
    begun = _processor_seconds(pid)
    for verdict in import_string("payments.invariants.checking.check")(now=timezone.now()):
        until = _processor_seconds(pid)
        yield Cost(verdict.invariant.name, verdict.holds, verdict.seconds, until - begun)
        begun = until


def _processor_seconds(pid: int) -> float:
    """Return how long a process has been computing; the fields follow its name, which ends with a bracket."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def render(costs: Sequence[Cost]) -> str:
    """Return the table, in the order of the catalogue, and the sums."""
    rows = [f"{each.name:<5} {each.elapsed:>8.2f} {each.processor:>10.2f}" for each in costs]
    elapsed, processor = sum(each.elapsed for each in costs), sum(each.processor for each in costs)
    return "\n".join(["       seconds  processor", *rows, f"all   {elapsed:>8.2f} {processor:>10.2f}"])


if __name__ == "__main__":
    main(sys.argv[1:])
