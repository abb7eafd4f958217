"""What Locust counted, read from its CSV; pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TOTAL = "Aggregated"
_AT_STRIPE = "(at the local Stripe)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigures:
    """One kind of page; times are milliseconds until the whole answer has arrived."""

    name: str
    requests: int
    errors: int
    p50: int
    p95: int
    slowest: int
    per_second: float


def read_figures(lines: Iterable[str]) -> list[PageFigures]:
    """Return the figures of each kind of page of the site, and of all of them together at the end."""
    pages = [_read(row) for row in csv.DictReader(lines)]
    return [page for page in pages if not page.name.startswith(_AT_STRIPE)]


def total_of(pages: Sequence[PageFigures]) -> PageFigures:
    return next(page for page in pages if page.name == TOTAL)


def _read(row: dict[str, str]) -> PageFigures:
    return PageFigures(
        name=row["Name"],
        requests=int(row["Request Count"]),
        errors=int(row["Failure Count"]),
        p50=round(float(row["50%"])),
        p95=round(float(row["95%"])),
        slowest=round(float(row["Max Response Time"])),
        per_second=float(row["Requests/s"]),
    )
