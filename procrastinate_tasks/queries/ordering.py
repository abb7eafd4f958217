"""The orders of the job list, and where a page of one ends: by number, by time, by place in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import LiteralString

from django.utils.dateparse import parse_datetime

# Of a number that an id's column can hold, whatever its first.
_DIGITS = 19


class Sort(StrEnum):
    """The order of a list: ``DUE`` by the time a job is due, ``PLACE`` as claims take the jobs of a queue."""

    NEWEST = "newest"
    DUE = "due"
    PLACE = "place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order, as the inner and the outer query have it, and what comes after a row of it."""

    inner: LiteralString
    outer: LiteralString
    following: LiteralString


ORDERS: Mapping[Sort, Order] = {
    Sort.DUE: Order(
        inner="job.scheduled_at, job.id",
        outer="page.due_order, page.id",
        following="(job.scheduled_at, job.id) > (%(key)s::timestamptz, %(key_id)s::bigint)",
    ),
    Sort.PLACE: Order(
        inner="job.priority DESC, job.id",
        outer="page.priority DESC, page.id",
        following="job.priority <= %(key)s::integer"
        " AND (job.priority < %(key)s::integer OR job.id > %(key_id)s::bigint)",
    ),
}


def write_key(value: object, job_id: int) -> str:
    """Return where a page ended, as an address says it."""
    return f"{value}~{job_id}"


def read_key(text: str, sort: Sort) -> tuple[str, int] | None:
    """Read where a page ended, which an address says: anything may be in it."""
    value, _tilde, number = text.partition("~")
    if not (number.isascii() and number.isdecimal() and len(number) < _DIGITS):
        return None
    if sort is Sort.PLACE:
        digits = value.removeprefix("-")
        return (value, int(number)) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
    return (value, int(number)) if value in ("infinity", "-infinity") or _is_instant(value) else None


def _is_instant(text: str) -> bool:
    try:
        return parse_datetime(text) is not None
    except ValueError:
        return False


def read_number(text: str) -> int | None:
    """Read an id; None if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else None
