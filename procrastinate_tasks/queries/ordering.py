"""The orders of the job list: which a tab has, how each is found, and where a page of one ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import LiteralString

from django.utils.dateparse import parse_datetime

from procrastinate_tasks.queries.tabs import ANY, Tab

# Of a number that an id's column can hold, whatever its first.
_DIGITS = 19


class Sort(StrEnum):
    """The order of a list.

    ``DUE`` is by the time a job is due, ``PLACE`` as claims take the jobs of a queue: by priority, then by
    number. ``ENDED`` has the latest end first, ``LONGEST`` the run that took longest, or that takes so long.
    """

    NEWEST = "newest"
    OLDEST = "oldest"
    DUE = "due"
    DUE_LAST = "due-last"
    PLACE = "place"
    PLACE_LAST = "place-last"
    ENDED = "ended"
    ENDED_FIRST = "ended-first"
    MOST_ATTEMPTS = "most-attempts"
    FEWEST_ATTEMPTS = "fewest-attempts"
    LONGEST = "longest"
    SHORTEST = "shortest"


class Heading(StrEnum):
    """A column of the list."""

    JOB = "job"
    RELATED = "related"
    QUEUE = "queue"
    ATTEMPT = "attempt"
    WHEN = "when"
    RAN_FOR = "ran_for"


_NUMBER = {Heading.JOB: (Sort.NEWEST, Sort.OLDEST)}
_ATTEMPTS = {Heading.ATTEMPT: (Sort.MOST_ATTEMPTS, Sort.FEWEST_ATTEMPTS)}
_RUN = {Heading.RAN_FOR: (Sort.LONGEST, Sort.SHORTEST)}
_DUE_NOW = {Heading.QUEUE: (Sort.PLACE, Sort.PLACE_LAST), **_NUMBER}
_DUE_LATER = {Heading.WHEN: (Sort.DUE, Sort.DUE_LAST), **_NUMBER}
_AT_WORK = {**_NUMBER, **_ATTEMPTS, **_RUN}
_OVER = {**_NUMBER, Heading.WHEN: (Sort.ENDED, Sort.ENDED_FIRST), **_ATTEMPTS, **_RUN}

SORTS: Mapping[Tab, Mapping[Heading, tuple[Sort, Sort]]] = {
    Tab.ALL: {**_NUMBER, **_ATTEMPTS},
    Tab.ATTENTION: _NUMBER,
    Tab.READY: _DUE_NOW,
    Tab.SCHEDULED: _DUE_LATER,
    Tab.RETRYING: _DUE_LATER,
    Tab.BLOCKED: _DUE_NOW,
    Tab.PAUSED: _DUE_NOW,
    Tab.RUNNING: _AT_WORK,
    Tab.ORPHANED: _AT_WORK,
    Tab.FAILED: _OVER,
    Tab.SUCCEEDED: _OVER,
    Tab.CANCELLED: _NUMBER,
}


"""What a tab can be sorted by: what is asked for first, and its opposite. The first of all is usual."""


def choose_order(tab: Tab, wanted: Sort | None) -> Sort:
    """Return the wanted order where the tab has it, or the one people think of it in."""
    pairs = SORTS[tab].values()
    is_known = any(wanted in pair for pair in pairs)
    return wanted if wanted and is_known else next(iter(pairs))[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as a statement has it.

    ``key`` is what a job is sorted by, ``found`` the order in which its jobs are found, ``inner`` and
    ``outer`` that of the page; ``following`` is what comes after a row, ``first`` what comes at all. Without
    an index in that order ``is_within`` the newest jobs; ``is_by_end`` where the index is one of ends, which
    ``last_first`` turns round.
    """

    key: LiteralString
    found: LiteralString
    inner: LiteralString
    outer: LiteralString
    following: LiteralString
    first: LiteralString = ANY
    is_instant: bool = False
    is_within: bool = False
    is_by_end: bool = False
    last_first: LiteralString = ""


def _by_number(*, down: bool) -> Order:
    turn: LiteralString = " DESC" if down else ""
    sign: LiteralString = "<" if down else ">"
    return Order(
        key="job.id",
        found="job.id" + turn,
        inner="job.id" + turn,
        outer="page.id" + turn,
        following="job.id " + sign + " %(key_id)s::bigint",
    )


def _by_due_time(*, down: bool) -> Order:
    """Return the order by the time a job is due: also its first page is sought in the index of that order."""
    turn: LiteralString = " DESC" if down else ""
    found: LiteralString = "job.scheduled_at" + turn + ", job.id" + turn
    return Order(
        key="job.scheduled_at",
        found=found,
        inner=found,
        outer="page.sort_key" + turn + ", page.id" + turn,
        following="(job.scheduled_at, job.id) " + _after(down=down, is_instant=True),
        first="(job.scheduled_at, job.id) "
        + ("<= ('infinity', 9223372036854775807)" if down else "> (now(), 0)"),
        is_instant=True,
    )


def _by_end(*, down: bool) -> Order:
    """Return the order by the last end, which an index of events has."""
    turn: LiteralString = " DESC" if down else ""
    opposite: LiteralString = "" if down else " DESC"
    return Order(
        key="ending.at",
        found="ended.at" + turn + ", ended.job_id" + turn,
        inner="job.sort_key" + turn + ", job.id" + turn,
        outer="page.sort_key" + turn + ", page.id" + turn,
        following="(ended.at, ended.job_id) " + _after(down=down, is_instant=True),
        is_instant=True,
        is_by_end=True,
        last_first="ended.at" + opposite + ", ended.job_id" + opposite,
    )


def _within(key: LiteralString, *, down: bool) -> Order:
    """Return the order of the newest jobs by a whole number that no index has."""
    turn: LiteralString = " DESC" if down else ""
    return Order(
        key=key,
        found="job.id DESC",
        inner="job.sort_key" + turn + ", job.id" + turn,
        outer="page.sort_key" + turn + ", page.id" + turn,
        following="(job.sort_key, job.id) " + _after(down=down, is_instant=False),
        is_within=True,
    )


def _after(*, down: bool, is_instant: bool) -> LiteralString:
    sign: LiteralString = "<" if down else ">"
    kind: LiteralString = "timestamptz" if is_instant else "bigint"
    return sign + " (%(key)s::" + kind + ", %(key_id)s::bigint)"


def _by_place(*, first: bool) -> Order:
    """Return the order of claims, or its opposite, each in two directions at once."""
    priority: LiteralString = ".priority DESC" if first else ".priority"
    number: LiteralString = ".id" if first else ".id DESC"
    found: LiteralString = "job" + priority + ", job" + number
    signs: tuple[LiteralString, LiteralString] = ("<", ">") if first else (">", "<")
    return Order(
        key="job.priority",
        found=found,
        inner=found,
        outer="page" + priority + ", page" + number,
        following="job.priority " + signs[0] + "= %(key)s::bigint"
        " AND (job.priority " + signs[0] + " %(key)s::bigint OR job.id " + signs[1] + " %(key_id)s::bigint)",
    )


# In microseconds, as whole numbers are compared alike wherever they are written. A run that has not ended
# grows: those that are at work are ordered by when they began.
_RAN_FOR: LiteralString = """
(
    SELECT 1000000 * coalesce(extract(
        epoch FROM max(at) FILTER (WHERE type <> 'scheduled') - max(at) FILTER (WHERE type = 'started')
    ), 0)
    FROM procrastinate_events
    WHERE job_id = job.id
)::bigint
"""
_HAS_RUN_SINCE: LiteralString = """
(
    SELECT coalesce(extract(epoch FROM max(at) FILTER (WHERE type = 'started')), 9000000000) * -1000000
    FROM procrastinate_events
    WHERE job_id = job.id
)::bigint
"""


_ORDERS: Mapping[Sort, Order] = {
    Sort.NEWEST: _by_number(down=True),
    Sort.OLDEST: _by_number(down=False),
    Sort.DUE: _by_due_time(down=False),
    Sort.DUE_LAST: _by_due_time(down=True),
    Sort.PLACE: _by_place(first=True),
    Sort.PLACE_LAST: _by_place(first=False),
    Sort.ENDED: _by_end(down=True),
    Sort.ENDED_FIRST: _by_end(down=False),
    Sort.MOST_ATTEMPTS: _within("job.attempts", down=True),
    Sort.FEWEST_ATTEMPTS: _within("job.attempts", down=False),
    Sort.LONGEST: _within(_RAN_FOR, down=True),
    Sort.SHORTEST: _within(_RAN_FOR, down=False),
}


_ORDERS_AT_WORK: Mapping[Sort, Order] = {
    Sort.LONGEST: _within(_HAS_RUN_SINCE, down=True),
    Sort.SHORTEST: _within(_HAS_RUN_SINCE, down=False),
}


def order_of(tab: Tab, sort: Sort) -> Order:
    """Return how a tab is put in an order that it has."""
    at_work = _ORDERS_AT_WORK.get(sort) if tab in (Tab.RUNNING, Tab.ORPHANED) else None
    return at_work or _ORDERS[sort]


def write_key(value: object, job_id: int) -> str:
    """Return where a page ended, as an address says it."""
    return f"{value}~{job_id}"


def read_key(text: str, order: Order) -> tuple[str, int] | None:
    """Read where a page ended, which an address says: anything may be in it."""
    written, _tilde, number = text.partition("~")
    value = _read_instant(written) if order.is_instant else _read_whole(written)
    return (value, int(number)) if value and _is_whole(number) else None


def _read_whole(text: str) -> str | None:
    return text if _is_whole(text.removeprefix("-")) else None


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < _DIGITS


def _read_instant(text: str) -> str | None:
    """Read an instant in a zone, and write it as Postgres takes all of them."""
    if text in ("infinity", "-infinity"):
        return text
    try:
        found = parse_datetime(text)
        return found.astimezone(UTC).isoformat() if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def read_number(text: str) -> int | None:
    """Read an id; None if it is none."""
    return int(text) if _is_whole(text) else None
