"""The dashboard's charts: what ended in the last 24 hours, and how long jobs waited and ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from procrastinate_tasks.formatting import count_in_words, duration_in_words, list_in_words
from procrastinate_tasks.jobs.descriptions import title_of
from procrastinate_tasks.queries.history import HOUR, DayOfRuns, TaskHour
from procrastinate_tasks.viewer.charts import (
    Chart,
    Drawing,
    Mark,
    Panel,
    Series,
    bars,
    hours_between,
    lines,
    place_in,
)

_TALL = 90
_LOW = 45
_SPARK = 24
_SLOTS_PER_HOUR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A task's 24 hours in one row; ``drawing`` shows its runs an hour."""

    name: str
    title: str
    runs: int
    failed: int
    retried: int
    wait_typical: timedelta | None
    wait_worst: timedelta | None
    run_typical: timedelta | None
    run_worst: timedelta | None
    drawing: Drawing


def throughput_chart(day: DayOfRuns, releases: Mapping[str, datetime]) -> Chart:
    """Draw how many attempts succeeded and failed in each five minutes."""
    succeeded = bars([slot.succeeded for slot in day.slots], height=_TALL)
    failed = bars([slot.failed for slot in day.slots], height=_LOW)
    marks = {name: at for name, at in releases.items() if day.from_at <= at <= day.until}
    totals = {
        "succeeded": count_in_words(sum(slot.succeeded for slot in day.slots), most=10**9),
        "failed": count_in_words(sum(slot.failed for slot in day.slots), most=10**9),
        "retried": count_in_words(sum(slot.retried for slot in day.slots), most=10**9),
    }
    summary = _("In 24 h %(succeeded)s runs succeeded, %(failed)s failed for good, %(retried)s were retried.")
    return Chart(
        key="throughput",
        title=_("What ended, in each five minutes"),
        summary=summary % totals,
        panels=(
            _panel(
                pgettext("several jobs", "Succeeded"), succeeded, looks=("good",), top=_per_slot(succeeded)
            ),
            _panel(_("Failed for good"), failed, looks=("bad",), top=_per_slot(failed)),
        ),
        ticks=hours_between(day.from_at, day.until, every=6),
        marks=tuple(
            Mark(x=place_in((at - day.from_at) / (day.until - day.from_at)), label=name)
            for name, at in marks.items()
        ),
        headings=(
            _("From"),
            pgettext("several jobs", "Succeeded"),
            _("Failed for good"),
            pgettext("several jobs", "Retried"),
        ),
        rows=tuple(_rows_by_hour(day)),
        note=_releases_in_words(marks),
    )


def _releases_in_words(marks: Mapping[str, datetime]) -> str:
    if not marks:
        return ""
    told = [f"{name} ({timezone.localtime(at):%H:%M})" for name, at in sorted(marks.items(), key=_at)]
    return _("Vertical lines: first worker of release %(releases)s.") % {"releases": list_in_words(told)}


def _at(mark: tuple[str, datetime]) -> datetime:
    return mark[1]


def _per_slot(drawing: Drawing) -> str:
    return _("%(count)s per 5 min") % {"count": count_in_words(round(drawing.top), most=10**9)}


def _rows_by_hour(day: DayOfRuns) -> list[tuple[str, ...]]:
    rows = []
    for start in range(0, len(day.slots), _SLOTS_PER_HOUR):
        hour = day.slots[start : start + _SLOTS_PER_HOUR]
        counts = (
            sum(slot.succeeded for slot in hour),
            sum(slot.failed for slot in hour),
            sum(slot.retried for slot in hour),
        )
        at = day.from_at + HOUR * (start // _SLOTS_PER_HOUR)
        rows.append((_clock(at), *(count_in_words(count, most=10**9) for count in counts)))
    return rows


def _clock(at: datetime) -> str:
    return f"{timezone.localtime(at):%H:%M}"


# --- How long jobs of a task waited and ran ---------------------------------------------------------------


def duration_charts(day: DayOfRuns, task_name: str) -> tuple[Chart, Chart]:
    """Draw how long the jobs of one task waited, and how long they ran, by hours."""
    hours = day.tasks[task_name]
    title = title_of(task_name)
    return (
        _duration_chart(
            day,
            key="wait",
            title=_("How long its jobs waited: %(task)s") % {"task": title},
            hours=hours,
            typical=lambda hour: hour.wait_typical,
            worst=lambda hour: hour.wait_worst,
        ),
        _duration_chart(
            day,
            key="run",
            title=_("How long its runs took: %(task)s") % {"task": title},
            hours=hours,
            typical=lambda hour: hour.run_typical,
            worst=lambda hour: hour.run_worst,
        ),
    )


Pick = Callable[[TaskHour], timedelta | None]


def _duration_chart(
    day: DayOfRuns, *, key: str, title: str, hours: Sequence[TaskHour], typical: Pick, worst: Pick
) -> Chart:
    drawing = lines([[_seconds(pick(hour)) for hour in hours] for pick in (worst, typical)], height=_TALL)
    known = [value for hour in hours if (value := worst(hour)) is not None]
    summary = _("The slowest 95th percentile of five minutes was %(worst)s.")
    return Chart(
        key=key,
        title=title,
        summary=summary % {"worst": duration_in_words(max(known))} if known else _("Nothing was measured."),
        panels=(
            _panel(
                _("Seconds"),
                drawing,
                looks=("worst", "typical"),
                labels=(
                    _("95th percentile, the slowest five minutes"),
                    _("median, the mean of five minutes"),
                ),
                top=duration_in_words(timedelta(seconds=drawing.top)),
            ),
        ),
        ticks=hours_between(day.from_at, day.until, every=6),
        headings=(_("From"), _("Runs"), _("Median"), _("95th percentile")),
        rows=tuple(
            (
                _clock(day.from_at + HOUR * place),
                count_in_words(hour.runs, most=10**9),
                duration_in_words(typical(hour)),
                duration_in_words(worst(hour)),
            )
            for place, hour in enumerate(hours)
        ),
    )


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _panel(
    label: str, drawing: Drawing, *, looks: Sequence[str], top: str, labels: Sequence[str] = ()
) -> Panel:
    series = zip(labels or (label,), looks, drawing.paths, strict=True)
    return Panel(
        label=label,
        height=drawing.height,
        top=top,
        series=tuple(Series(label=name, looks=look, path=path) for name, look, path in series),
    )


# --- All tasks in a table ---------------------------------------------------------------------------------


def task_lines(day: DayOfRuns) -> list[TaskLine]:
    """Return a row for each task that ran, the busiest first."""
    rows = [_task_line(name, hours) for name, hours in day.tasks.items()]
    return sorted(rows, key=lambda row: (-row.runs, row.title))


def _task_line(name: str, hours: Sequence[TaskHour]) -> TaskLine:
    return TaskLine(
        name=name,
        title=title_of(name),
        runs=sum(hour.runs for hour in hours),
        failed=sum(hour.failed for hour in hours),
        retried=sum(hour.retried for hour in hours),
        wait_typical=_mean([(hour.wait_typical, hour.runs) for hour in hours]),
        wait_worst=_greatest([hour.wait_worst for hour in hours]),
        run_typical=_mean([(hour.run_typical, hour.runs) for hour in hours]),
        run_worst=_greatest([hour.run_worst for hour in hours]),
        drawing=bars([hour.runs for hour in hours], height=_SPARK),
    )


def _mean(weighted: Sequence[tuple[timedelta | None, int]]) -> timedelta | None:
    known = [(value, weight) for value, weight in weighted if value is not None]
    weights = sum(weight for _value, weight in known)
    return sum((value * weight for value, weight in known), timedelta(0)) / weights if weights else None


def _greatest(values: Sequence[timedelta | None]) -> timedelta | None:
    return max((value for value in values if value is not None), default=None)
