"""The report of the load test as Markdown, and what it must show; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.load.figures import TOTAL, PageFigures, total_of

BEGIN = "<!-- results: written by make load -->"
P95_MILLISECONDS = 300
CONNECTION_LIMIT = 20  # the smallest plan of the platforms that the Procfile is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One load test, ready to be told.

    Attributes:
        slow_clients: connections that sent a byte now and then meanwhile.
        bookings: bookings made and paid by the guests.
        due, charged, charged_twice: the balances that fell due meanwhile, and what the bank statement says.
        lateness_p95: seconds from the instant a charge was due until it began, for 95 of 100.
        connections: the most that were seen at once, by kind of process.
    """

    command: str
    machine: Sequence[str]
    guests: int
    slow_clients: int
    seconds: int
    pages: Sequence[PageFigures]
    bookings: int
    due: int
    charged: int
    charged_twice: int
    lateness_p95: float
    connections: dict[str, int]
    connections_at_once: int
    web_megabytes: float
    worker_megabytes: float


def broken_promises(run: Run) -> Iterator[str]:
    """Say what was promised and did not hold."""
    total = total_of(run.pages)
    if total.errors:
        yield f"{total.errors} requests failed"
    if total.p95 > P95_MILLISECONDS:
        yield f"one request in 20 took {total.p95} ms or more, {P95_MILLISECONDS} ms are promised"
    if run.connections_at_once > CONNECTION_LIMIT:
        yield f"{run.connections_at_once} connections were open at once, {CONNECTION_LIMIT} are allowed"
    if run.charged != run.due or run.charged_twice:
        yield f"of {run.due} balances {run.charged} were charged, {run.charged_twice} twice"
    if not run.bookings:
        yield "no guest got to a confirmed booking"


def render(run: Run) -> str:
    """Return the report: command, machine, pages, and what went on beside them."""
    guests = f"{run.guests} guests for {run.seconds} s, {run.slow_clients} slow clients beside them"
    titles = "| page | requests | a second | errors | p50 | p95 | slowest |"
    return "\n".join(
        [
            f"`{run.command}`: {guests}",
            "",
            *(f"- {line}" for line in run.machine),
            "",
            titles,
            f"| --- |{' --: |' * 6}",
            *map(_line, run.pages),
            "",
            "| beside them |  |",
            "| --- | --: |",
            *(f"| {label} | {value} |" for label, value in _beside(run)),
        ]
    )


def _line(page: PageFigures) -> str:
    name = "**all**" if page.name == TOTAL else page.name
    counts = f"{page.requests:,} | {page.per_second:.1f} | {page.errors}"
    return f"| {name} | {counts} | {page.p50} ms | {page.p95} ms | {page.slowest} ms |"


def _beside(run: Run) -> list[tuple[str, str]]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(run.connections.items()))
    return [
        ("bookings made and paid", f"{run.bookings}"),
        ("balances that fell due", f"{run.due}"),
        ("of them charged, and charged twice", f"{run.charged}, {run.charged_twice}"),
        ("charges begun after they were due, p95", f"{run.lateness_p95:.2f} s"),
        ("connections at once, of 20", f"{run.connections_at_once} (most of each: {kinds})"),
        ("memory of web / worker", f"{run.web_megabytes:.0f} / {run.worker_megabytes:.0f} MB"),
    ]
