"""The job list's questions: a page of jobs by keyset, and capped counts of each tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, LiteralString

from procrastinate_tasks.conf import plain_orphaned_after
from procrastinate_tasks.database import Question, ask, fetch_row, fetch_rows, statement
from procrastinate_tasks.formatting import MOST_COUNTED
from procrastinate_tasks.jobs.arguments import arguments_to_show
from procrastinate_tasks.jobs.states import JobState, job_state
from procrastinate_tasks.queries.ordering import (
    Order,
    Sort,
    choose_order,
    order_of,
    read_key,
    read_number,
    write_key,
)
from procrastinate_tasks.queries.tabs import ANY, BLOCKED, GROUP_OF, GROUPS, Group, Tab

ROWS_PER_PAGE = 50

WINDOW = 50_000
"""How many jobs, found by an index, a page looks at for what no index can tell."""

_WINDOW_OF_A_COUNT = 2_000
"""The same for each tab's count."""

SORTED_WITHIN = 2_000
"""How many of the newest jobs that match are put in an order that no index has, or ends are looked at."""

_LOOKED_AT = """
-- A part of other statements: what of a filter only a look at each job can tell.
    (%(lock)s::text IS NULL OR job.lock = %(lock)s OR job.queueing_lock = %(lock)s)
    AND (%(attempts)s::integer IS NULL OR job.attempts >= %(attempts)s)
"""

_MOST_ARGUMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """What the list is asked for; None and empty mean anything.

    ``ids`` and ``arguments``, the values that an argument may have, find a job by either; of arguments there
    are three at most. ``until_id`` itself is left out. ``lock`` is the whole text of a lock or a queueing
    lock. ``fault`` finds the jobs that it struck: a fingerprint, or one and an exception, as in
    ``1f2e:shop.Broken``; ``error`` those that an error struck in which it is. The last end of a job, if it
    was retried since or not, was within ``ended_within`` or after ``ended_from`` and until ``ended_to``.
    """

    tab: Tab = Tab.ALL
    task: str = ""
    tasks: tuple[str, ...] | None = None
    queue: str = ""
    ids: tuple[int, ...] | None = None
    since_id: int | None = None
    until_id: int | None = None
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lock: str = ""
    min_attempts: int = 0
    fault: str = ""
    sort: Sort | None = None
    error: str = ""
    ended_within: timedelta | None = None
    ended_from: datetime | None = None
    ended_to: datetime | None = None

    @property
    def order(self) -> Sort:
        return choose_order(self.tab, self.sort)

    @property
    def has_an_end(self) -> bool:
        return bool(self.ended_within or self.ended_from or self.ended_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job of the list, at ``now`` by the database's clock.

    ``changed_at`` is its last event, ``twin_id`` the waiting job that has its queueing lock.
    """

    id: int
    task_name: str
    queue_name: str
    state: JobState
    status: str
    attempts: int
    args: Mapping[str, object] = field(repr=False)
    priority: int
    lock: str | None
    queueing_lock: str | None
    worker_id: int | None
    twin_id: int | None
    worker_is_alive: bool
    abort_requested: bool
    now: datetime
    scheduled_at: datetime | None
    created_at: datetime | None
    started_at: datetime | None
    changed_at: datetime | None
    last_outcome: str
    last_exception: str
    last_message: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Rows, newest first, or in another order.

    ``looked_until`` is set where the search stopped at ``WINDOW`` jobs, ``next_key`` where rows follow by
    another order than the newest. These ``is_within`` the newest ``SORTED_WITHIN`` jobs, of more that match;
    or the search ``has_stopped`` at so many ends, and goes on from ``next_key``.
    """

    rows: tuple[JobRow, ...]
    has_newer: bool
    has_older: bool
    looked_until: int | None = None
    next_key: str = ""
    is_within: bool = False
    has_stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number of jobs; ``is_capped`` where there may be more."""

    number: int
    is_capped: bool


def list_in_order(query: JobQuery, *, key: str = "") -> JobPage:
    """Return the jobs after ``key`` in the order of the query: the first, where it is none or makes no sense.

    Only so many as ``WINDOW`` are looked at for what no index can tell.
    """
    if query.order is Sort.NEWEST:
        page = list_jobs(query, before=read_number(key))
        last = page.looked_until or (page.rows[-1].id if page.rows else None)
        return replace(page, next_key=str(last) if page.has_older and last else "")
    return ask(jobs_in_order(query, key=key))


def jobs_in_order(query: JobQuery, *, key: str = "") -> Question[JobPage]:
    """Ask for the jobs after ``key`` in an order of the query's that is not the newest first."""
    order = order_of(query.tab, query.order)
    found_key = read_key(key, order)
    parameters = _parameters(query) | {
        "before": None,
        "after": None,
        "window": SORTED_WITHIN if order.is_within or order.is_by_end else WINDOW,
        "limit": ROWS_PER_PAGE + 1,
        "key": found_key[0] if found_key else None,
        "key_id": found_key[1] if found_key else None,
    }
    is_following = found_key is not None
    return Question(
        sql=_compose("queries/list_jobs", query.tab, order=order, is_following=is_following),
        read=partial(_read_in_order, query, order, parameters),
        parameters=parameters,
    )


def _read_in_order(
    query: JobQuery, order: Order, parameters: dict[str, object], found: list[dict[str, Any]]
) -> JobPage:
    rows = [_row(row) for row in found]
    shown, has_more = tuple(rows[:ROWS_PER_PAGE]), len(rows) > ROWS_PER_PAGE
    end_of_search = "" if has_more or not order.is_by_end else _last_end(query, order, parameters)
    return JobPage(
        rows=shown,
        has_newer=parameters["key"] is not None,
        has_older=has_more or bool(end_of_search),
        next_key=write_key(shown[-1].key, shown[-1].id) if has_more else end_of_search,
        is_within=order.is_within and _are_more_than(SORTED_WITHIN, query, parameters),
        has_stopped=bool(end_of_search),
    )


def _last_end(query: JobQuery, order: Order, parameters: dict[str, object]) -> str:
    """Return the last end that a page looked at, where there may be more behind it."""
    is_following = parameters["key"] is not None
    sql = _compose("queries/window_of_ends", query.tab, order=order, is_following=is_following)
    last = next(iter(fetch_rows(sql, **parameters)), None)
    return write_key(last["key"], last["job_id"]) if last and last["ends"] >= SORTED_WITHIN else ""


def _are_more_than(most: int, query: JobQuery, parameters: dict[str, object]) -> bool:
    sql = _compose("queries/window_of_jobs", query.tab)
    return int(fetch_row(sql, **parameters | {"window": most + 1})["jobs"]) > most


def list_jobs(query: JobQuery, *, before: int | None = None, after: int | None = None) -> JobPage:
    """Return the page of jobs older than ``before`` or newer than ``after``; the newest without either."""
    return ask(newest_jobs(query, before=before, after=after))


def newest_jobs(query: JobQuery, *, before: int | None = None, after: int | None = None) -> Question[JobPage]:
    """Ask for a page of jobs, the newest first."""
    parameters = _parameters(query) | {
        "before": before,
        "after": after,
        "window": WINDOW,
        "limit": ROWS_PER_PAGE + 1,
    }
    return Question(
        sql=_compose("queries/list_jobs", query.tab, is_upwards=after is not None),
        read=partial(_read_newest, query, parameters),
        parameters=parameters,
    )


def _read_newest(query: JobQuery, parameters: dict[str, object], rows: list[dict[str, Any]]) -> JobPage:
    found = [_row(row) for row in rows]
    has_more = len(found) > ROWS_PER_PAGE
    if parameters["after"] is not None:
        return JobPage(rows=tuple(found[-ROWS_PER_PAGE:]), has_newer=has_more, has_older=True)
    looked_until = None if has_more else _looked_until(query, parameters)
    return JobPage(
        rows=tuple(found[:ROWS_PER_PAGE]),
        has_newer=parameters["before"] is not None,
        has_older=has_more or looked_until is not None,
        looked_until=looked_until,
    )


def counts_of_tabs(query: JobQuery) -> Question[dict[Tab, Count]]:
    """Ask for the jobs of each tab that the rest of the query lets through, up to ``MOST_COUNTED``.

    A filter that no index serves is counted among each tab's newest jobs only.
    """
    takes_a_look = bool(query.lock or query.min_attempts)
    most = _WINDOW_OF_A_COUNT if takes_a_look else MOST_COUNTED
    branches: list[LiteralString] = [
        _compose_count(name, group, newest_first=takes_a_look) for name, group in GROUPS.items()
    ]
    return Question(
        sql="(" + ") UNION ALL (".join(branches) + ")",
        read=partial(_read_counts, most),
        parameters=_parameters(query) | {"window": most + 1},
    )


def _read_counts(most: int, rows: list[dict[str, Any]]) -> dict[Tab, Count]:
    counts: dict[Tab, Count] = {}
    for row in rows:
        is_capped = row["seen"] > most
        for tab, number in zip(GROUPS[row["group"]].parts, row["parts"], strict=True):
            counts[tab] = Count(number=min(number, most), is_capped=is_capped)
    failed, orphaned = counts[Tab.FAILED], counts[Tab.ORPHANED]
    counts[Tab.ATTENTION] = Count(
        number=min(failed.number + orphaned.number, MOST_COUNTED),
        is_capped=failed.is_capped or orphaned.is_capped,
    )
    return counts


def list_ids(query: JobQuery, *, limit: int) -> list[int]:
    """Return the ids of the jobs that a query lets through, the oldest first; of more, any of them."""
    row = fetch_row(_compose("queries/ids_of_jobs", query.tab), **_parameters(query), limit=limit)
    ids: list[int] = row["ids"]
    return ids


def _looked_until(query: JobQuery, parameters: dict[str, object]) -> int | None:
    if not _needs_a_look(query):
        return None
    window = fetch_row(_compose("queries/window_of_jobs", query.tab), **parameters)
    oldest: int | None = window["oldest_id"] if window["jobs"] >= WINDOW else None
    return oldest


def _needs_a_look(query: JobQuery) -> bool:
    return bool(query.lock or query.min_attempts or GROUP_OF[query.tab].parts[query.tab] != ANY)


def _parameters(query: JobQuery) -> dict[str, object]:
    fingerprint, _colon, exception_class = query.fault.partition(":")
    return {
        "fingerprint": fingerprint if query.fault else None,
        "exception_class": exception_class or None,
        "task": query.task or None,
        "tasks": None if query.tasks is None else list(query.tasks),
        "queue": query.queue or None,
        "ids": list(query.ids or ()) if query.ids is not None or query.arguments else None,
        "since_id": query.since_id,
        "until_id": query.until_id,
        **_argument_parameters(query.arguments),
        "error": query.error or None,
        "by_end": query.has_an_end,
        "ended_within": query.ended_within,
        "ended_from": query.ended_from,
        "ended_to": query.ended_to,
        "lock": query.lock or None,
        "attempts": query.min_attempts or None,
        "orphaned_after": plain_orphaned_after(),
    }


def _argument_parameters(arguments: Mapping[str, Sequence[str]]) -> dict[str, object]:
    given = [*arguments.items(), *[(None, ())] * _MOST_ARGUMENTS][:_MOST_ARGUMENTS]
    parameters: dict[str, object] = {}
    for number, (name, values) in enumerate(given, start=1):
        parameters |= {f"argument_{number}": name, f"values_{number}": list(values)}
    return parameters


def job_id_at(moment: datetime) -> int:
    """Return the id from which on jobs were deferred at ``moment`` or later."""
    return _job_id(moment=moment)


def job_id_since(ago: timedelta) -> int:
    """Return the id from which on jobs were deferred so long ago or later, by the database's clock."""
    return _job_id(ago=ago)


def _job_id(*, moment: datetime | None = None, ago: timedelta | None = None) -> int:
    job_id: int = fetch_row(statement("queries/job_id_at"), moment=moment, ago=ago)["job_id"]
    return job_id


def _compose(
    name: str,
    tab: Tab,
    *,
    is_upwards: bool = False,
    order: Order | None = None,
    is_following: bool = False,
) -> LiteralString:
    group = GROUP_OF[tab]
    order = order or order_of(tab, Sort.OLDEST if is_upwards else Sort.NEWEST)
    following = order.following if is_following else order.first
    found = "queries/found_by_end" if order.is_by_end else "queries/found_jobs"
    sql = (
        statement(name)
        .replace("{found}", statement(found))
        .replace("{in_tab}", group.parts[tab])
        .replace("{following}", ANY if order.is_within else following)
        .replace("{following_within}", following if order.is_within else ANY)
        .replace("{key}", order.key)
        .replace("{found_order}", order.found)
        .replace("{last_first}", order.last_first)
        .replace("{page_order}", "page.id DESC" if is_upwards else order.outer)
        .replace("{order}", order.inner)
    )
    return _with_parts(sql, group)


def _compose_count(name: LiteralString, group: Group, *, newest_first: bool) -> LiteralString:
    counts: list[LiteralString] = [
        "count(*) FILTER (WHERE " + condition + " AND {looked_at})" for condition in group.parts.values()
    ]
    sql = (
        statement("queries/count_jobs")
        .replace("{group}", "'" + name + "'")
        .replace("{parts}", ", ".join(counts))
        .replace("{joined}", group.joined)
        .replace("{newest_first}", "ORDER BY job.id DESC" if newest_first else "")
    )
    return _with_parts(sql, group)


def _with_parts(sql: LiteralString, group: Group) -> LiteralString:
    return (
        sql.replace("{in_group}", group.condition)
        .replace("{filtered}", statement("queries/filtered"))
        .replace("{ends}", group.ends)
        .replace("{looked_at}", _LOOKED_AT)
        .replace("{blocked}", BLOCKED)
    )


def _row(row: dict[str, Any]) -> JobRow:
    state = job_state(
        status=row["status"],
        attempts=row["attempts"],
        is_due=row.pop("is_due"),
        is_blocked=row.pop("is_blocked"),
        is_paused=row.pop("is_paused"),
        worker_is_alive=row["worker_is_alive"],
    )
    args = arguments_to_show(row.pop("args"))  # Django's connection leaves JSON as text
    return JobRow(**row, args=args, state=state)
