"""``python -m benchmarks.load``: 200 guests and 20 slow clients on the site, while a worker charges."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from benchmarks.due_stays import CHARGE_TASK, StayWriter, make_home
from benchmarks.load.figures import read_figures
from benchmarks.load.report import BEGIN, Run, broken_promises, render
from benchmarks.load.site import Site, running_site
from benchmarks.load.slow_clients import OPENINGS, slow_clients
from benchmarks.machine import describe_machine, describe_versions, load_average
from benchmarks.patience import DidNotHappen, wait_until
from benchmarks.processes import ROOT
from benchmarks.report import replace_results
from reyes_estancias.gunicorn_conf import threads
from reyes_estancias.local_stripe.statement import Movement

REPORT = ROOT / "docs" / "load.md"
LOGS = ROOT / ".local" / "load"
HOMES = 40
RAMP_SECONDS = 10
CHARGES_A_SECOND = 2

_UNFINISHED = """
SELECT count(*) FROM payments_payment payment JOIN bookings_booking booking ON booking.id = payment.booking_id
JOIN bookings_quote quote ON quote.id = booking.quote_id
WHERE quote.home_id = %(home)s AND payment.status <> 'paid'
"""
_CONFIRMED = """
SELECT count(*) FROM bookings_booking booking JOIN bookings_quote quote ON quote.id = booking.quote_id
WHERE quote.home_id <> %(home)s AND booking.status = 'confirmed'
"""
_LATENESS = """
SELECT coalesce(percentile_cont(0.95) WITHIN GROUP (
    ORDER BY extract(epoch FROM attempt.started_at - job.scheduled_at)), 0)::float8
FROM procrastinate_tasks_jobattempt attempt JOIN procrastinate_jobs job ON job.id = attempt.job_id
WHERE attempt.task_name = %(task)s AND attempt.attempt = 1
    AND job.scheduled_at < now() AND job.args ->> 'booking_id' IN (
        SELECT booking.id::text FROM bookings_booking booking
        JOIN bookings_quote quote ON quote.id = booking.quote_id WHERE quote.home_id = %(home)s)
"""
_CONNECTIONS = """
SELECT CASE
    WHEN application_name LIKE 'queue child%%' THEN 'jobs'
    WHEN application_name LIKE 'worker %%' THEN 'worker'
    ELSE 'web and schedule' END
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'load'
"""


class ConnectionCount(threading.Thread):
    """Counts the sessions a few times a second."""

    def __init__(self, site: Site) -> None:
        super().__init__(name="connections", daemon=True)
        self._site = site
        self._is_over = threading.Event()
        self.most: Counter[str] = Counter()
        self.most_at_once = 0

    def run(self) -> None:
        with self._site.connect() as connection:
            while not self._is_over.wait(0.25):
                seen = Counter(kind for (kind,) in connection.execute(_CONNECTIONS))
                self.most |= seen
                self.most_at_once = max(self.most_at_once, seen.total())

    def stop(self) -> None:
        self._is_over.set()
        self.join()


def main() -> int:
    options = read_options(sys.argv[1:])
    LOGS.mkdir(parents=True, exist_ok=True)
    for log in LOGS.iterdir():
        log.unlink()
    with tempfile.TemporaryDirectory(prefix="reyes-load-") as folder:
        tell("starting the site")
        with running_site(
            folder=LOGS, homes=HOMES, web_concurrency=options.web_concurrency, latency_ms=options.latency_ms
        ) as site:
            run = let_guests_in(site, options, csv=Path(folder) / "locust")
    report = render(run)
    sys.stdout.write(f"{report}\n")
    promises = list(broken_promises(run))
    for promise in promises:
        tell(f"BROKEN: {promise}")
    if options.is_written:
        document = REPORT.read_text(encoding="utf-8")
        REPORT.write_text(replace_results(document, report, begin=BEGIN), encoding="utf-8")
    return 1 if promises else 0


def let_guests_in(site: Site, options: argparse.Namespace, *, csv: Path) -> Run:
    """Let the balances fall due and the guests come, and return what was seen."""
    due = (options.seconds + RAMP_SECONDS) * CHARGES_A_SECOND
    count = ConnectionCount(site)
    with site.connect() as connection:
        home = make_home(connection, slug="casa-vencida")
        writer = StayWriter(site.stripe.control, home)
        cards = writer.saved_cards(due)
        before = load_average()
        writer.write(connection, cards, pause=timedelta(seconds=1 / CHARGES_A_SECOND))
        count.start()
        tell(f"{options.guests} guests come; {due} balances fall due meanwhile")
        with slow_clients(site.port, [*OPENINGS.values()], count=options.slow_clients):
            run_locust(site, options, csv=csv)
        web_megabytes, worker_megabytes = site.megabytes()
        wait_for_charges(site, home)
        count.stop()
        charges = Counter(
            line.customer for line in site.stripe.control.statement() if line.kind is Movement.CHARGE
        )
        customers = [card.customer for card in cards]
        asked = {"home": home, "task": CHARGE_TASK}
        bookings, lateness = (read_value(connection, query, asked) for query in (_CONFIRMED, _LATENESS))
    return Run(
        command=options.command,
        machine=[
            describe_machine(),
            describe_versions({}),
            f"everything on this one machine, Locust too; web: {options.web_concurrency} × {threads} threads;"
            " one worker, 4 jobs at a time;"
            f" the local Stripe takes {options.latency_ms} ms for each answer;"
            f" load average before {before:.1f}, after {load_average():.1f}",
        ],
        guests=options.guests,
        slow_clients=options.slow_clients,
        seconds=options.seconds,
        pages=read_figures(csv.with_name("locust_stats.csv").read_text().splitlines()),
        bookings=bookings,
        due=due,
        charged=sum(customer in charges for customer in customers),
        charged_twice=sum(charges[customer] > 1 for customer in customers),
        lateness_p95=lateness,
        connections=dict(count.most),
        connections_at_once=count.most_at_once,
        web_megabytes=web_megabytes,
        worker_megabytes=worker_megabytes,
    )


def read_value(connection: psycopg.Connection, query: LiteralString, params: Mapping[str, Any]) -> Any:
    row = connection.execute(query, params).fetchone()
    return row and row[0]


def wait_for_charges(site: Site, home: int) -> None:
    with site.connect() as connection:

        def is_done() -> bool:
            return bool(read_value(connection, _UNFINISHED, {"home": home}) == 0)

        try:
            wait_until(is_done, what="the charge of every balance", within=120)
        except DidNotHappen as fault:
            tell(str(fault))


def run_locust(site: Site, options: argparse.Namespace, *, csv: Path) -> None:
    """Let the guests come over ten seconds, then count for as long as was asked."""
    command = [
        str(options.locust),
        "--locustfile=benchmarks/load/guests.py",
        "--headless",
        f"--host={site.base_url}",
        f"--users={options.guests}",
        f"--spawn-rate={options.guests / RAMP_SECONDS:g}",
        f"--run-time={options.seconds + RAMP_SECONDS}s",
        "--reset-stats",
        f"--csv={csv}",
        "--exit-code-on-error=0",
        "--stop-timeout=30",
        "--loglevel=WARNING",
        "--only-summary",
    ]
    with (LOGS / "locust.log").open("wb") as log:
        environment = {**os.environ, "LOAD_HOMES": str(HOMES)}
        subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=True)  # noqa: S603


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make load ARGS=…", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--locust", type=Path, required=True, help="the locust program (make gives it)")
    parser.add_argument("--guests", type=int, default=200, help="at once (default: 200)")
    parser.add_argument("--seconds", type=int, default=60, help="counted after they have come (default: 60)")
    parser.add_argument("--slow-clients", type=int, default=20, help="beside them (default: 20)")
    parser.add_argument("--web-concurrency", type=int, default=2, help="gunicorn processes (default: 2)")
    parser.add_argument("--latency-ms", type=int, default=300, help="of the local Stripe (default: 300)")
    parser.add_argument("--dry", dest="is_written", action="store_false", help="write no file")
    options = parser.parse_args(arguments)
    shown = [argument for argument in arguments if not argument.startswith("--locust=")]
    options.command = " ".join(["make load", *([f'ARGS="{" ".join(shown)}"'] if shown else [])])
    return options


def tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
