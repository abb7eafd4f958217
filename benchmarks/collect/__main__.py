"""``python -m benchmarks.collect``: thousands of due balances, two workers, and all that can go wrong.

Calls to the local Stripe are answered badly, workers are killed, no webhook arrives, and Stripe may allow
only so many calls a second. In the end the bank statement says who was charged, and how often.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from benchmarks.collect.report import BEGIN, BEGIN_OF_LIMIT, Run, broken_promises, render
from benchmarks.collect.trouble import Kills, Strikes
from benchmarks.database import SERVER_OPTIONS
from benchmarks.drill.desk import Desk
from benchmarks.drill.verdict import judge, read_stays
from benchmarks.due_stays import Stay, StayWriter, make_home
from benchmarks.load.site import create_database, manage, production_environment
from benchmarks.machine import describe_machine, describe_versions, load_average
from benchmarks.patience import wait_until
from benchmarks.processes import ROOT, WorkerProcess
from benchmarks.report import replace_results
from reyes_estancias.local_stripe.control import Control
from reyes_estancias.local_stripe.launcher import start_sandbox
from reyes_estancias.postgres.server import throw_away_server

REPORT = ROOT / "docs" / "collections.md"
LOGS = ROOT / ".local" / "collect"
WORKERS = 2
_BATCH = 200
# The last of them are left alone: with nobody else to be struck, all faults would meet them.
_STRUCK_SHARE = 0.95
_PATIENCE_SECONDS = 3 * 3600.0
_WORKER = ("manage.py", "procrastinate", "worker", "--processes", "1", "--concurrency", "4")

_PAID = "SELECT count(*) FROM payments_payment WHERE status = 'paid'"
_UNDER_WAY = """
SELECT (SELECT count(*) FROM payments_payment WHERE status = 'pending')
    + (SELECT count(*) FROM payments_paymentattempt
        WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open'))
    + (SELECT count(*) FROM procrastinate_jobs
        WHERE status = 'doing' AND task_name = 'payments.tasks.charge_balance_for_booking')
"""
# From an attempt's beginning until its money was booked: the longest, and how many took over two minutes.
_KNOWN_AFTER = """
SELECT coalesce(max(seconds), 0), count(*) FILTER (WHERE seconds > 120)
FROM (
    SELECT extract(epoch FROM transfer.posted_at - attempt.created_at)::float8 AS seconds
    FROM payments_ledgertransfer transfer
    JOIN payments_paymentattempt attempt ON attempt.stripe_intent_id = transfer.source_id
    WHERE transfer.source_type = 'payment_intent'
) AS known
"""
# How long those waited that come before charges: what watches over money, what guests wait for.
_OTHERS = """
SELECT count(*), coalesce(percentile_cont(0.95) WITHIN GROUP (
    ORDER BY extract(epoch FROM attempt.started_at - event.at)), 0)::float8
FROM procrastinate_tasks_jobattempt attempt
JOIN procrastinate_jobs job ON job.id = attempt.job_id
JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'deferred'
WHERE job.priority > 10 AND attempt.attempt = 1 AND job.scheduled_at IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The running house: its database, its Stripe, and the variables of its processes."""

    control: Control
    environment: dict[str, str]
    desk: Desk
    database: dict[str, str]

    def start_worker(self, number: int) -> WorkerProcess:
        return WorkerProcess(
            [sys.executable, *_WORKER], environment=self.environment, log=LOGS / f"worker-{number}.log"
        )


def main() -> int:
    options = read_options(sys.argv[1:])
    LOGS.mkdir(parents=True, exist_ok=True)
    for log in LOGS.iterdir():
        log.unlink()
    with running_house() as house:
        run = collect(house, options)
    report = render(run)
    sys.stdout.write(f"{report}\n")
    promises = list(broken_promises(run))
    for promise in promises:
        tell(f"BROKEN: {promise}")
    if options.is_written:
        document = REPORT.read_text(encoding="utf-8")
        begin = BEGIN_OF_LIMIT if options.calls_a_second else BEGIN
        REPORT.write_text(replace_results(document, report, begin=begin), encoding="utf-8")
    return 1 if promises else 0


@contextmanager
def running_house() -> Iterator[House]:
    """A Postgres and a local Stripe of its own, that sends no webhook."""
    with ExitStack() as stack:
        address = stack.enter_context(throw_away_server(options=SERVER_OPTIONS))
        stripe = start_sandbox(state=LOGS / "stripe.jsonl")
        stack.callback(stripe.stop)
        database = create_database(address)
        environment = production_environment(address, base_url="https://reyes.example", stripe=stripe)
        manage(environment, "migrate", "--no-input", "--verbosity=0")
        desk = Desk(address.as_url())
        stack.callback(desk.close)
        yield House(control=stripe.control, environment=environment, desk=desk, database=database)


def collect(house: House, options: argparse.Namespace) -> Run:
    """Let all balances be due at once, and trouble begin; return what was seen once all is at rest."""
    tell(f"writing {options.balances:,} stays")
    stays = write_stays(house, options.balances)
    house.control.change_settings(calls_a_second=options.calls_a_second)
    tell("two workers begin")
    before, begun = load_average(), time.monotonic()
    strikes = Strikes(house.control, each=options.faults, rng=random.Random(options.seed))  # noqa: S311
    with Kills(house.start_worker, count=WORKERS, every=options.kill_every, seed=options.seed) as kills:
        while (paid := house.desk.value(_PAID)) < options.balances * _STRUCK_SHARE:
            strikes.keep_up_with(paid)
            time.sleep(0.5)
        busy_seconds = time.monotonic() - begun
        strikes.stop()
        kills.stop_killing()
        tell(f"{paid:,} are paid, {strikes.struck:,} faults struck; waiting for the rest")
        wait_until(lambda: house.desk.value(_UNDER_WAY) == 0, what="rest", within=_PATIENCE_SECONDS)
        seconds = time.monotonic() - begun
    others, lateness = house.desk.rows(_OTHERS)[0]
    longest_attempt, known_late = house.desk.rows(_KNOWN_AFTER)[0]
    return Run(
        command=options.command,
        machine=[
            describe_machine(),
            describe_versions({}),
            f"two workers, 4 jobs at a time each, and the local Stripe on this one machine; load average"
            f" before {before:.1f}, after {load_average():.1f}",
        ],
        verdict=judge(stays, read_stays(house.desk), house.control.statement()),
        balances=options.balances,
        strikes=strikes.struck,
        kills=kills.killed,
        calls_a_second=options.calls_a_second,
        refused=sum(each.status == 429 and not each.fault for each in house.control.requests()),
        busy_seconds=busy_seconds,
        seconds=seconds,
        longest_attempt=longest_attempt,
        known_late=known_late,
        others=others,
        others_lateness=lateness,
        broken_invariants=broken_invariants(house),
    )


def write_stays(house: House, count: int) -> list[Stay]:
    with psycopg.connect(**house.database, autocommit=True) as connection:  # type: ignore[arg-type]
        writer = StayWriter(house.control, make_home(connection, slug="casa-simulacro"))
        stays: list[Stay] = []
        while len(stays) < count:
            stays += writer.write(connection, writer.saved_cards(min(_BATCH, count - len(stays))))
        return stays


def broken_invariants(house: House) -> list[str]:
    """Ask the house's own command, which fails when one does not hold."""
    check = subprocess.run(
        [sys.executable, "manage.py", "check_invariants", "--json"],
        cwd=ROOT,
        env=house.environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    return [each["name"] for each in json.loads(check.stdout) if not each["holds"]]


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make collect ARGS=…", description=(__doc__ or "").partition(": ")[2]
    )
    parser.add_argument("--balances", type=int, default=10_000, help="due at once (default: 10000)")
    parser.add_argument("--faults", type=float, default=1.0, help="for each balance (default: 1)")
    parser.add_argument(
        "--kill-every", type=float, default=20.0, help="seconds, on average (default: 20; 0: never)"
    )
    parser.add_argument(
        "--calls-a-second", type=int, default=0, help="that Stripe allows (default: as many as one likes)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed, other faults and kills (default: 1)"
    )
    parser.add_argument("--dry", dest="is_written", action="store_false", help="write no file")
    options = parser.parse_args(arguments)
    options.command = " ".join(["make collect", *([f'ARGS="{" ".join(arguments)}"'] if arguments else [])])
    return options


def tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
