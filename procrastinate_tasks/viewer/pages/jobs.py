"""The list of jobs: tabs, filters, search, and what may be done with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from procrastinate_tasks.actions.permissions import HasPermissions, is_allowed
from procrastinate_tasks.actions.policies import JOB_ACTIONS, Action
from procrastinate_tasks.actions.reports import ACTION_LABELS
from procrastinate_tasks.database import ask_together
from procrastinate_tasks.formatting import MOST_COUNTED
from procrastinate_tasks.jobs.descriptions import Kind, described_tasks, descriptions_of, title_of
from procrastinate_tasks.queries.filters import JobFilter, local_time, read_filter, read_whole, understand
from procrastinate_tasks.queries.jobs import (
    SORTED_WITHIN,
    WINDOW,
    Count,
    JobPage,
    JobQuery,
    counts_of_tabs,
    jobs_in_order,
    newest_jobs,
)
from procrastinate_tasks.queries.ordering import SORTS, Heading, Sort, choose_order
from procrastinate_tasks.queries.queues import list_tasks
from procrastinate_tasks.queries.tabs import TAB_LABELS, Tab
from procrastinate_tasks.queues.pauses import PAUSES
from procrastinate_tasks.viewer.forms import new_token
from procrastinate_tasks.viewer.job_rows import show_rows
from procrastinate_tasks.viewer.rendering import QueryTookTooLong, render_page, statement_timeout

KIND_LABELS: Mapping[Kind, str | Promise] = {
    Kind.MONEY: gettext_lazy("Money"),
    Kind.MAIL: gettext_lazy("E-mail"),
    Kind.CALENDAR: gettext_lazy("Calendar"),
    Kind.OTHER: gettext_lazy("Other"),
}
PERIOD_LABELS: Mapping[str, str | Promise] = {
    "1h": gettext_lazy("the last hour"),
    "24h": gettext_lazy("the last 24 hours"),
    "7d": gettext_lazy("the last 7 days"),
    "30d": gettext_lazy("the last 30 days"),
}
_EMPTY: Mapping[Tab, str | Promise] = {
    Tab.ALL: gettext_lazy("There are no jobs yet. The first appears here as soon as it is deferred."),
    Tab.ATTENTION: gettext_lazy("Nothing needs attention: no job has failed, and none has lost its worker."),
    Tab.READY: gettext_lazy("No job waits for a worker: what falls due starts at once."),
    Tab.SCHEDULED: gettext_lazy("No job is scheduled for later."),
    Tab.RETRYING: gettext_lazy("No job waits for a retry: whatever was tried has ended."),
    Tab.BLOCKED: gettext_lazy("No job waits for another one's lock."),
    Tab.PAUSED: gettext_lazy("No job is held back by a paused queue."),
    Tab.RUNNING: gettext_lazy("No job is running at this moment."),
    Tab.ORPHANED: gettext_lazy("No job has lost its worker."),
    Tab.FAILED: gettext_lazy("No failed job is kept."),
    Tab.SUCCEEDED: gettext_lazy("No succeeded job is kept: they are pruned after a while."),
    Tab.CANCELLED: gettext_lazy("No job was cancelled or aborted."),
}


_SORT_LABELS: Mapping[Sort, str | Promise] = {
    Sort.NEWEST: gettext_lazy("the newest first"),
    Sort.OLDEST: gettext_lazy("the oldest first"),
    Sort.DUE: gettext_lazy("by the time they are due"),
    Sort.DUE_LAST: gettext_lazy("by the time they are due, the last first"),
    Sort.PLACE: gettext_lazy("by priority and place in the queue"),
    Sort.PLACE_LAST: gettext_lazy("by priority and place in the queue, the last first"),
    Sort.ENDED: gettext_lazy("the last to end first"),
    Sort.ENDED_FIRST: gettext_lazy("the first to end first"),
    Sort.MOST_ATTEMPTS: gettext_lazy("the most attempts first"),
    Sort.FEWEST_ATTEMPTS: gettext_lazy("the fewest attempts first"),
    Sort.LONGEST: gettext_lazy("the longest run first"),
    Sort.SHORTEST: gettext_lazy("the shortest run first"),
}
_HEADINGS: Mapping[Heading, str | Promise] = {
    Heading.JOB: gettext_lazy("Job"),
    Heading.RELATED: gettext_lazy("Related"),
    Heading.QUEUE: gettext_lazy("Queue"),
    Heading.ATTEMPT: gettext_lazy("Attempt"),
    Heading.WHEN: gettext_lazy("When"),
    Heading.RAN_FOR: gettext_lazy("Ran for"),
}
# Of a pair, those whose values grow from the top to the bottom; the others fall.
_GROWING = frozenset(
    {Sort.OLDEST, Sort.DUE, Sort.PLACE, Sort.ENDED_FIRST, Sort.FEWEST_ATTEMPTS, Sort.SHORTEST}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading of the list: ``url`` sorts by it, or the other way round, in the order that ``words`` tell.

    ``aria_sort`` is set where the list is sorted by it.
    """

    label: str
    url: str = ""
    words: str = ""
    aria_sort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabLink:
    label: str
    url: str
    count: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str
    label: str
    is_chosen: bool


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    chosen = read_filter(request.GET)
    context = {"title": _("Jobs"), **_form(chosen), **_what_may_be_done(request.user, chosen)}
    try:
        with statement_timeout():
            found = _find(request, chosen, site_name=site.name)
    except QueryTookTooLong:
        found = {"took_too_long": True}
    return render_page(request, site, "jobs.html", context | found)


# --- What is found ----------------------------------------------------------------------------------------


def _find(request: HttpRequest, chosen: JobFilter, *, site_name: str) -> dict[str, object]:
    understood = understand(chosen)
    before, after = read_whole(request.GET.get("before", "")), read_whole(request.GET.get("after", ""))
    query = understood.query
    wanted = (
        newest_jobs(query, before=before, after=after)
        if query.order is Sort.NEWEST
        else jobs_in_order(query, key=request.GET.get("next", ""))
    )
    page, counts, (_now, pauses) = ask_together(wanted, counts_of_tabs(query), PAUSES)
    descriptions = descriptions_of(page.rows)
    rows = show_rows(
        page.rows, descriptions, user=request.user, back=request.get_full_path(), site_name=site_name
    )
    return {
        "rows": rows,
        "pauses": pauses,
        "now": page.rows[0].now if page.rows else None,
        "tabs": _tabs(chosen, counts),
        "meaning": understood.meaning,
        "problems": understood.problems,
        "columns": _columns(chosen, query),
        "sort": query.order.value,
        "order": str(_SORT_LABELS[query.order]),
        "is_within": page.is_within,
        "sorted_within": number_format(SORTED_WITHIN, force_grouping=True),
        **(_pager(chosen, page) if query.order is Sort.NEWEST else _pager_in_order(chosen, page)),
        **_emptiness(chosen, understood.query, page),
    }


def _tabs(chosen: JobFilter, counts: Mapping[Tab, Count]) -> tuple[TabLink, ...]:
    return tuple(
        TabLink(
            label=str(label),
            url=chosen.address(tab=tab.value, sort=_kept_sort(chosen, tab)) or "?",
            count=_count_in_words(counts[tab]) if tab in counts else "",
            is_current=tab.value == chosen.tab,
        )
        for tab, label in TAB_LABELS.items()
    )


def _kept_sort(chosen: JobFilter, tab: Tab) -> str:
    """Return the chosen order where another tab has it too."""
    wanted = Sort(chosen.sort) if chosen.sort else None
    return chosen.sort if choose_order(tab, wanted) is wanted else ""


def _count_in_words(count: Count) -> str:
    """Return a count as it is known; of one that is not nearly known nothing is told."""
    if count.is_capped and not count.number:
        return ""
    return number_format(count.number, force_grouping=True) + ("+" if count.is_capped else "")


def _pager(chosen: JobFilter, page: JobPage) -> dict[str, object]:
    oldest = page.looked_until or (page.rows[-1].id if page.rows else None)
    return {
        "newest_url": chosen.address() or "?",
        "newer_url": chosen.address(after=page.rows[0].id) if page.has_newer and page.rows else "",
        "older_url": chosen.address(before=oldest) if page.has_older and oldest else "",
        "stopped_looking": page.looked_until is not None,
        "window": number_format(WINDOW, force_grouping=True),
        "most_counted": number_format(MOST_COUNTED, force_grouping=True),
    }


def _pager_in_order(chosen: JobFilter, page: JobPage) -> dict[str, object]:
    """Lead on by the order of the list; back to its beginning in one step."""
    return {
        "newest_url": chosen.address() or "?",
        "is_in_order": True,
        "has_stopped": page.has_stopped,
        "first_url": (chosen.address() or "?") if page.has_newer else "",
        "older_url": chosen.address(next=page.next_key) if page.next_key else "",
        "most_counted": number_format(MOST_COUNTED, force_grouping=True),
    }


def _columns(chosen: JobFilter, query: JobQuery) -> tuple[Column, ...]:
    pairs = SORTS[query.tab]
    return tuple(
        _column(str(label), pairs[heading], chosen, query.order)
        if heading in pairs
        else Column(label=str(label))
        for heading, label in _HEADINGS.items()
    )


def _column(label: str, pair: tuple[Sort, Sort], chosen: JobFilter, current: Sort) -> Column:
    """Lead to the order that is asked for first, or to the opposite of the one there is."""
    wanted = pair[1] if current is pair[0] else pair[0]
    return Column(
        label=label,
        url=chosen.address(sort=wanted.value),
        words=str(_SORT_LABELS[wanted]),
        aria_sort=("ascending" if current in _GROWING else "descending") if current in pair else "",
    )


def _emptiness(chosen: JobFilter, query: JobQuery, page: JobPage) -> dict[str, object]:
    if page.rows:
        return {}
    if chosen.is_narrow:
        return {"nothing_matches": True}
    return {"empty": str(_EMPTY[query.tab])}


# --- What can be chosen -----------------------------------------------------------------------------------


def _form(chosen: JobFilter) -> dict[str, object]:
    tasks = list_tasks()
    named = {task.name: title_of(task.name) for task in tasks}
    labels = {name: title if title == name else f"{title} ({name})" for name, title in named.items()}
    labels.setdefault(chosen.task, chosen.task)
    queues = dict.fromkeys(sorted({task.queue for task in tasks} | ({chosen.queue} - {""})))
    has_kinds = any(task.kind is not Kind.OTHER for task in described_tasks().values())
    return {
        "chosen": chosen,
        "tasks": _choices(labels, chosen.task),
        "queues": _choices({queue: queue for queue in queues}, chosen.queue),
        "kinds": _choices({kind.value: label for kind, label in KIND_LABELS.items()}, chosen.kind)
        if has_kinds
        else (),
        "periods": _choices(PERIOD_LABELS, chosen.period),
        "ended": _choices(PERIOD_LABELS, chosen.ended),
        **{name: local_time(getattr(chosen, name)) for name in ("ended_from", "ended_to")},
        "since": local_time(chosen.since),
        "until": local_time(chosen.until, is_end=True),
        "clear_url": JobFilter(tab=chosen.tab, sort=chosen.sort).address() or "?",
        "more_is_chosen": replace(chosen, tab="", q="", about="", fault="", sort="") != JobFilter(),
    }


def _choices(labels: Mapping[str, str | Promise], chosen: str) -> Sequence[Choice]:
    found = [
        Choice(value=value, label=str(label), is_chosen=value == chosen)
        for value, label in labels.items()
        if value
    ]
    return sorted(found, key=lambda choice: choice.label.casefold()) if labels is not PERIOD_LABELS else found


def _what_may_be_done(user: HasPermissions, chosen: JobFilter) -> dict[str, object]:
    allowed = [action for action in JOB_ACTIONS if is_allowed(user, action)]
    return {
        "actions": [(action.value, ACTION_LABELS[action]) for action in allowed],
        "may_bulk": bool(allowed)
        and is_allowed(user, Action.START_BULK)
        and replace(chosen, sort="") != JobFilter(),
        "bulk_query": chosen.address(),
        "token": new_token(),
    }
