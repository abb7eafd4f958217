"""``python -m benchmarks.pages``: what each page of the admin costs with a million jobs.

Opens every list and page that the admin site offers, as a superuser, on the database of ``DATABASE_URL``;
without one, on a throw-away server that it fills first. Prints a table; nothing is written anywhere else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import django
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils.module_loading import import_string

from benchmarks.machine import describe_load, describe_machine, load_average
from reyes_estancias.postgres.server import throw_away_server

MOST_QUERIES, MOST_SQL_MS, MOST_KB = 12, 80.0, 150.0
SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")
NOT_PAGES = ("jsi18n", "logout", "autocomplete", "view_on_site", "password_change_done")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one page took; times in milliseconds, the median of the rounds."""

    address: str
    status: int
    queries: int
    sql_ms: float
    slowest_ms: float
    kb: float
    total_ms: float

    @property
    def is_within_bounds(self) -> bool:
        return self.queries <= MOST_QUERIES and self.sql_ms <= MOST_SQL_MS and self.kb <= MOST_KB


class Stopwatch:
    """Times the statements of a connection; it stands between Django and the driver.

    ``queries`` leaves out savepoints, which read nothing; their time counts.
    """

    def __init__(self) -> None:
        self.spent: list[float] = []
        self.queries = 0

    def __call__(self, execute: Callable[..., object], sql: str, *call: object) -> object:
        self.queries += not sql.startswith(SAVEPOINTS)
        started = time.perf_counter()
        try:
            return execute(sql, *call)
        finally:
            self.spent.append((time.perf_counter() - started) * 1000)


@contextmanager
def a_filled_site(*, jobs: int) -> Iterator[None]:
    """Set Django up on a database with so many jobs: a throw-away one, if ``DATABASE_URL`` names none."""
    with ExitStack() as stack:
        if not os.environ.get("DATABASE_URL"):
            tell("DATABASE_URL is not set: starting a Postgres of our own")
            server = stack.enter_context(throw_away_server())
            # The one database that an empty cluster has.
            os.environ["DATABASE_URL"] = replace(server, database="postgres").as_url()
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reyes_estancias.settings")
        django.setup()
        prepare(jobs)
        yield


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    with a_filled_site(jobs=options.count):
        loads = [load_average()]
        costs = list(measure(rounds=options.rounds))
        loads.append(load_average())
    print(describe_machine(), describe_load(loads), sep="\n")
    print(render(costs))
    broken = [cost.address for cost in costs if cost.status >= 500]
    if broken:
        raise SystemExit(f"These pages failed: {', '.join(broken)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make bench-pages ARGS=…", description=(__doc__ or "").partition("\n\n")[2]
    )
    parser.add_argument("--count", type=int, default=1_000_000, help="jobs, if none are there yet")
    parser.add_argument("--rounds", type=int, default=3, help="how often each page is opened (median)")
    return parser.parse_args(arguments)


def prepare(count: int) -> None:
    """Bring the database to the present schema; fill it unless it holds jobs already."""
    call_command("migrate", verbosity=0)
    if not apps.get_model("procrastinate.ProcrastinateJob").objects.exists():
        tell(f"seeding {count:,} jobs")
        call_command("seed_jobs", count=count, force=True, stdout=sys.stderr)


def measure(*, rounds: int) -> Iterator[Cost]:
    """Open every page; the first opening of each warms caches and does not count."""
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    with signed_in() as client:
        for address in addresses():
            tell(address)
            client.get(address)
            yield median([open_page(client, address) for _ in range(rounds)])


@contextmanager
def signed_in() -> Iterator[Client]:
    """Yield a browser whose user exists for the length of the block."""
    user = apps.get_model("auth.User").objects.create_superuser("bench-pages", password=None)
    client = Client()
    client.force_login(user)
    try:
        yield client
    finally:
        user.delete()


def open_page(client: Client, address: str) -> Cost:
    watch = Stopwatch()
    started = time.perf_counter()
    with connection.execute_wrapper(watch):
        response = client.get(address)
    total_ms = (time.perf_counter() - started) * 1000
    return Cost(
        address=address,
        status=response.status_code,
        queries=watch.queries,
        sql_ms=sum(watch.spent),
        slowest_ms=max(watch.spent, default=0.0),
        kb=len(response.content) / 1024,
        total_ms=total_ms,
    )


def median(costs: Sequence[Cost]) -> Cost:
    """Return the cost of the round that took the middle time."""
    middle = statistics.median_low([cost.total_ms for cost in costs])
    return next(cost for cost in costs if cost.total_ms == middle)


def addresses() -> Iterator[str]:
    """Return the pages of the admin site that need no argument, and one of each kind that needs an id."""
    (resolver,) = (
        each
        for each in get_resolver().url_patterns
        if isinstance(each, URLResolver) and each.namespace == "admin"
    )
    names = {pattern.name for pattern in patterns(resolver) if pattern.name and is_page(pattern)}
    yield from sorted(reverse(f"admin:{name}") for name in names)
    yield from job_lists()
    for model, page in admin.site._registry.items():
        row = page.get_queryset(_Anybody()).order_by("-pk").first()  # type: ignore[arg-type]
        if row is not None:
            yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])


def job_lists() -> Iterator[str]:
    """Return what people do most on the list of jobs: its tabs, a search, an older page."""
    jobs = reverse("admin:queue_jobs")
    tabs = import_string("procrastinate_tasks.queries.jobs.Tab")
    yield from (f"{jobs}?tab={tab.value}" for tab in tabs if tab.value)
    newest = apps.get_model("procrastinate.ProcrastinateJob").objects.order_by("-pk")
    for job_id in newest.values_list("pk", flat=True)[:1]:
        yield f"{jobs}?q={job_id}"
        yield f"{jobs}?before={job_id // 2}"
        yield reverse("admin:queue_job", args=[job_id])


class _Anybody:
    """A request of nobody, for querysets that do not look at it."""

    GET: dict[str, str] = {}  # noqa: RUF012 - read by nobody


def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from patterns(each)
        else:
            yield each


def is_page(pattern: URLPattern) -> bool:
    """Tell whether a GET without arguments shows something: forms to add rows are left out."""
    name = pattern.name or ""
    has_arguments = bool(pattern.pattern.converters) or "(?P<" in str(pattern.pattern)
    return not has_arguments and not name.endswith("_add") and name not in NOT_PAGES


def render(costs: Sequence[Cost]) -> str:
    """Return the table, the most expensive page first; a page over a bound is marked."""
    heading = f"{'queries':>7} {'SQL ms':>8} {'slowest':>8} {'HTML KB':>8} {'total ms':>9}   page"
    rows = [render_row(cost) for cost in sorted(costs, key=lambda cost: -cost.sql_ms)]
    bounds = f"! = more than {MOST_QUERIES} queries, {MOST_SQL_MS:.0f} ms of SQL or {MOST_KB:.0f} KB"
    return "\n".join([heading, *rows, bounds])


def render_row(cost: Cost) -> str:
    numbers = " ".join(
        (
            f"{cost.queries:>7}",
            f"{cost.sql_ms:>8.1f}",
            f"{cost.slowest_ms:>8.1f}",
            f"{cost.kb:>8.1f}",
            f"{cost.total_ms:>9.1f}",
        )
    )
    status = "" if cost.status == 200 else f"  ({cost.status})"
    return f"{numbers} {' ' if cost.is_within_bounds else '!'} {cost.address}{status}"


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
