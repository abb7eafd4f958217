"""The job list's filter: as its address holds it, as it asks the database, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from procrastinate_tasks.jobs.descriptions import JobSearch, Kind, described_tasks, find_jobs_meant
from procrastinate_tasks.queries.failures import find_struck_by
from procrastinate_tasks.queries.jobs import JobQuery, job_id_at, job_id_since
from procrastinate_tasks.queries.ordering import Sort
from procrastinate_tasks.queries.queues import list_tasks
from procrastinate_tasks.queries.tabs import TAB_LABELS, Tab

PERIODS: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


_LARGEST_ATTEMPTS = 2**31 - 1


_LONGEST_TEXT = 300

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(9000, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What the list's address says, as text; what it does not know of is left out.

    ``about`` names an object by the argument that does, as in ``booking_id:4521``; ``fault`` what struck the
    jobs, by its fingerprint, as in ``1f2e`` or ``1f2e:shop.Broken``. ``since`` and ``until`` are days, which
    are whole, or instants, as in ``2026-11-29T10:05``; so are ``ended_from`` and ``ended_to``, between which
    a job ended last, whether it was retried since or not, or within ``ended``.
    """

    tab: str = ""
    q: str = ""
    task: str = ""
    queue: str = ""
    kind: str = ""
    period: str = ""
    since: str = ""
    until: str = ""
    lock: str = ""
    attempts: str = ""
    about: str = ""
    fault: str = ""
    ended: str = ""
    ended_from: str = ""
    ended_to: str = ""
    sort: str = ""

    def address(self, **changes: object) -> str:
        """Return the query string of the same filter with some of it changed, ``""`` if all is empty."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | changes
        text = urlencode({name: value for name, value in values.items() if value not in ("", None)})
        return f"?{text}" if text else ""

    def snapshot(self) -> dict[str, str]:
        """Return what is chosen, to be kept; in which order it was looked at is no part of it."""
        names = (field.name for field in fields(self) if field.name != "sort")
        return {name: value for name in names if (value := getattr(self, name))}

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the tab is chosen."""
        return self != JobFilter(tab=self.tab, sort=self.sort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A filter as a query, what its search was taken for, and what of it made no sense."""

    query: JobQuery
    meaning: str = ""
    problems: tuple[str, ...] = ()


def read_filter(parameters: Mapping[str, str]) -> JobFilter:
    """Read a filter from an address; unknown tabs, kinds and periods count as none."""
    values = {
        field.name: parameters.get(field.name, "").strip()[:_LONGEST_TEXT].replace("\x00", "")
        for field in fields(JobFilter)
    }
    found = JobFilter(**values)
    return replace(
        found,
        tab=found.tab if found.tab in set(Tab) else "",
        kind=found.kind if found.kind in set(Kind) else "",
        period=found.period if found.period in PERIODS else "",
        ended=found.ended if found.ended in PERIODS else "",
        sort=found.sort if found.sort in set(Sort) else "",
    )


def understand(chosen: JobFilter) -> Understood:
    """Turn a filter into a query; what cannot be read is told and left out.

    Jobs do not know when they were deferred: a time becomes the id of the first one since, by one statement.
    """
    problems: list[str] = []
    query = JobQuery(
        tab=Tab(chosen.tab),
        task=chosen.task,
        tasks=_tasks_of(chosen.kind),
        queue=chosen.queue,
        fault=chosen.fault,
        sort=Sort(chosen.sort) if chosen.sort else None,
        lock=chosen.lock,
        min_attempts=_read_attempts(chosen.attempts, problems),
        since_id=_since_id(chosen, problems),
        until_id=_id_at(_read_end(chosen.until, problems)),
        ended_within=PERIODS.get(chosen.ended),
        ended_from=_read_start(chosen.ended_from, problems),
        ended_to=_read_end(chosen.ended_to, problems),
    )
    meanings = [_("the fault %(fault)s") % {"fault": chosen.fault}] if chosen.fault else []
    if chosen.about:
        query, about = _narrow_to_object(query, chosen.about)
        meanings.append(about)
    if chosen.q:
        query, searched = _search(query, chosen.q)
        meanings.append(searched)
    return Understood(query=query, meaning="; ".join(filter(None, meanings)), problems=tuple(problems))


def _narrow_to_object(query: JobQuery, about: str) -> tuple[JobQuery, str]:
    """Narrow a query to one object's jobs, by an argument that the project has named, and has an index on."""
    argument, _separator, value = about.partition(":")
    if argument not in {task.related_argument for task in described_tasks().values()} - {""}:
        return query, ""
    return replace(query, arguments={argument: (value,)}), f"{argument} = {value}"


# --- Searching --------------------------------------------------------------------------------------------


def _search(query: JobQuery, term: str) -> tuple[JobQuery, str]:
    """Narrow a query by a term: what the project knows, a job, a task's name, an error, or else a lock."""
    meant = find_jobs_meant(term)
    job_id = read_whole(term)
    job_ids = () if job_id is None else (job_id,)
    if meant is not None:
        return _meant(query, meant, job_ids)
    if job_ids:
        return replace(query, ids=job_ids), _("job %(id)s") % {"id": term}
    tasks = tuple(name for name in _task_names() if term.casefold() in name.casefold())
    if tasks:
        return replace(query, tasks=_both(query.tasks, tasks)), _("tasks: %(names)s") % {
            "names": ", ".join(tasks)
        }
    struck = find_struck_by(term)
    if struck == "fingerprint":
        return replace(query, fault=term), _("the fault %(fault)s") % {"fault": term}
    if struck == "error":
        return replace(query, error=term), _("errors with “%(text)s”") % {"text": term}
    return replace(query, lock=term), _("the lock “%(lock)s”") % {"lock": term}


def _meant(query: JobQuery, meant: JobSearch, job_ids: tuple[int, ...]) -> tuple[JobQuery, str]:
    return replace(query, ids=(*job_ids, *meant.job_ids), arguments=meant.arguments), meant.label


def _both(first: tuple[str, ...] | None, second: tuple[str, ...]) -> tuple[str, ...]:
    return second if first is None else tuple(name for name in second if name in first)


def _task_names() -> Iterable[str]:
    return (task.name for task in list_tasks())


def _tasks_of(kind: str) -> tuple[str, ...] | None:
    if not kind:
        return None
    return tuple(sorted(name for name, task in described_tasks().items() if task.kind == kind))


# --- Reading values ---------------------------------------------------------------------------------------


def _read_attempts(text: str, problems: list[str]) -> int:
    if not text:
        return 0
    attempts = read_whole(text, most=_LARGEST_ATTEMPTS)
    if attempts is None:
        problems.append(_("“%(text)s” is no number of attempts.") % {"text": text})
    return attempts or 0


def _since_id(chosen: JobFilter, problems: list[str]) -> int | None:
    if chosen.period:
        return job_id_since(PERIODS[chosen.period])
    return _id_at(_read_start(chosen.since, problems))


def _id_at(moment: datetime | None) -> int | None:
    return job_id_at(moment) if moment else None


def _read_start(text: str, problems: list[str]) -> datetime | None:
    """Read an instant, or the first of a day."""
    day = read_day(text)
    return start_of(day) if day else _read_instant(text, problems)


def _read_end(text: str, problems: list[str]) -> datetime | None:
    """Read an instant, or the end of a day."""
    day = read_day(text)
    return start_of(day + timedelta(days=1)) if day else _read_instant(text, problems)


def _read_instant(text: str, problems: list[str]) -> datetime | None:
    instant = read_instant(text)
    if text and instant is None:
        problems.append(_("“%(text)s” is no date or time.") % {"text": text})
    return instant


def read_instant(text: str) -> datetime | None:
    """Read an instant such as ``2026-11-29T10:05``, in the project's zone unless it names another."""
    try:
        found = parse_datetime(text)
        if found is None or not _FIRST_DAY <= found.date() <= _LAST_DAY:
            return None
        return found if timezone.is_aware(found) else timezone.make_aware(found)
    except (ValueError, OverflowError):
        return None


def read_day(text: str) -> date | None:
    """Read a day such as ``2026-11-29``; None if it is none, or so far off that no clock tells it."""
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day is not None and _FIRST_DAY <= day <= _LAST_DAY else None


def local_time(text: str, *, is_end: bool = False) -> str:
    """Return a time of a filter as a field for local times takes it; nothing of one that cannot be read."""
    read = _read_end if is_end else _read_start
    instant = read(text, [])
    return timezone.localtime(instant).strftime("%Y-%m-%dT%H:%M") if instant else ""


def start_of(day: date) -> datetime:
    """Return a day's first moment in the project's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


LARGEST_ID = 2**63 - 1


_LONGEST = 40


def read_whole(text: str, *, most: int = LARGEST_ID) -> int | None:
    """Read a whole number that is not negative; None if it is none, ``most`` if it is larger."""
    if not (text.isascii() and text.isdecimal()):
        return None
    # Python refuses to read thousands of digits.
    return min(int(text), most) if len(text) <= _LONGEST else most


class ShortText(forms.CharField):
    """Text that may be missing; what is too long is cut, so that nothing is refused."""

    def __init__(self, *, most: int) -> None:
        super().__init__(required=False)
        self.most = most

    def clean(self, value: Any) -> str:
        text: str = super().clean(str(value or "")[: self.most].replace("\x00", ""))
        return text


_FILTER_LABELS: Mapping[str, str | Promise] = {
    "tab": gettext_lazy("State"),
    "q": gettext_lazy("Search"),
    "task": gettext_lazy("Task"),
    "queue": gettext_lazy("Queue"),
    "kind": gettext_lazy("About"),
    "period": gettext_lazy("Deferred in"),
    "since": gettext_lazy("From"),
    "until": gettext_lazy("To, inclusive"),
    "lock": gettext_lazy("Lock, its whole text"),
    "attempts": gettext_lazy("Attempts, at least"),
    "about": gettext_lazy("About"),
    "fault": gettext_lazy("Fault"),
    "ended": gettext_lazy("Ended in"),
    "ended_from": gettext_lazy("Ended from"),
    "ended_to": gettext_lazy("Ended until"),
}


def describe_filter(snapshot: Mapping[str, str]) -> str:
    """Return a kept filter in words: ``State: Failed · Queue: payments``."""
    words = {
        name: str(TAB_LABELS[Tab(value)]) if name == "tab" and value in set(Tab) else value
        for name, value in snapshot.items()
    }
    parts = [f"{_FILTER_LABELS.get(name, name)}: {value}" for name, value in words.items()]
    return " · ".join(parts) or _("all jobs")


def filter_in_words(chosen: JobFilter) -> str:
    return describe_filter(chosen.snapshot())
