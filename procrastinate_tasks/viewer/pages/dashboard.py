"""T1: the queue at a glance, what needs attention, and the last 24 hours; its state as JSON, too."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin import AdminSite
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from procrastinate_tasks.formatting import amounts_in_words
from procrastinate_tasks.monitoring.panels import ShownPanel, permissions_of_panels, shown_panels
from procrastinate_tasks.monitoring.snapshot import Snapshot, look
from procrastinate_tasks.queries.history import DAY_OF_RUNS, FACTS, DashboardFacts, DayOfRuns
from procrastinate_tasks.queries.upcoming import Upcoming, UpcomingJob, upcoming
from procrastinate_tasks.viewer.concerns import MOST_SENTENCES, Concern, Urgency, find_concerns
from procrastinate_tasks.viewer.dashboard_cards import build_cards, total_up
from procrastinate_tasks.viewer.dashboard_charts import duration_charts, task_lines, throughput_chart
from procrastinate_tasks.viewer.navigation import Links
from procrastinate_tasks.viewer.rendering import render_page, seen_as_of
from procrastinate_tasks.viewer.sharing import SharedReadings


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the dashboard; ``task`` chooses whose durations are drawn, by default the busiest task's."""
    links = Links(site.name)
    may = frozenset(filter(request.user.has_perm, permissions_of_panels()))
    reading = _readings.get((get_language(), may), lambda: _read(may), not_before=seen_as_of(request))
    snapshot, facts, panels = reading.snapshot, reading.facts, reading.panels
    concerns = [*find_concerns(snapshot, facts, links=links, user=request.user), *_concerns_of(panels)]
    concerns.sort(key=lambda concern: -concern.urgency)
    totals = total_up(snapshot)
    context = {
        "title": _("Dashboard"),
        "taken_at": snapshot.taken_at,
        "pauses": snapshot.pauses,
        "concerns": concerns[:MOST_SENTENCES],
        "more_concerns": concerns[MOST_SENTENCES:],
        "cards": build_cards(snapshot, facts, totals, links=links),
        "panels": panels,
        "upcoming": _upcoming(reading.next_jobs, links),
        **_charts(facts, reading.day, chosen=request.GET.get("task", "")),
    }
    return render_page(request, site, "dashboard.html", context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """All that the dashboard asks the database, for those of one language who may see the same panels."""

    snapshot: Snapshot
    facts: DashboardFacts
    day: DayOfRuns | None
    next_jobs: Upcoming | None
    panels: tuple[ShownPanel, ...]


_readings = SharedReadings[_Reading](instant_of=lambda reading: reading.snapshot.taken_at)


def _read(may: Set[str]) -> _Reading:
    snapshot, (facts, day, next_jobs) = look(FACTS, DAY_OF_RUNS, upcoming())
    return _Reading(
        snapshot=snapshot,
        facts=facts,
        day=day,
        next_jobs=next_jobs,
        panels=shown_panels(may.__contains__),
    )


def show_state_json(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer the same numbers for programs."""
    snapshot, (facts,) = look(FACTS)
    return state_response(snapshot, facts)


def _concerns_of(panels: Sequence[ShownPanel]) -> list[Concern]:
    return [
        Concern(
            urgency=Urgency.NOW if notice.is_urgent else Urgency.SOON,
            sentence=notice.sentence,
            url=notice.url,
        )
        for panel in panels
        if panel.content is not None
        for notice in panel.content.notices
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownUpcoming:
    """The next jobs that move money, with their addresses, and what they come to."""

    rows: tuple[UpcomingJob, ...]
    urls: tuple[str, ...]
    amount: str

    @property
    def pairs(self) -> list[tuple[UpcomingJob, str]]:
        return list(zip(self.rows, self.urls, strict=True))


def _upcoming(found: Upcoming | None, links: Links) -> ShownUpcoming | None:
    if found is None:
        return None
    return ShownUpcoming(
        rows=found.jobs,
        urls=tuple(links.to_job(job.job_id) for job in found.jobs),
        amount=amounts_in_words(found.amounts),
    )


def _charts(facts: DashboardFacts, day: DayOfRuns | None, *, chosen: str) -> dict[str, object]:
    if day is None:
        return {"rolled_up_to": None}
    tasks = task_lines(day)
    busiest = tasks[0].name if tasks else ""
    shown = chosen if chosen in day.tasks else busiest
    return {
        "rolled_up_to": day.until,
        "throughput": throughput_chart(day, facts.releases_of_day),
        "tasks": tasks,
        "chosen_task": shown,
        "durations": duration_charts(day, shown) if shown else (),
    }


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        if isinstance(o, timedelta):
            return o.total_seconds()
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def state_response(snapshot: Snapshot, facts: DashboardFacts) -> JsonResponse:
    """Return the snapshot with its totals; ``now`` is the database's clock."""
    totals = total_up(snapshot)
    state = {
        "now": snapshot.taken_at,
        "jobs": asdict(totals),
        "queues": [asdict(queue) for queue in snapshot.queues],
        "workers": [asdict(worker) for worker in snapshot.workers],
        "schedule": [asdict(item) for item in snapshot.schedule],
        "connections": asdict(snapshot.connections),
        "failed": [asdict(item) for item in snapshot.failed],
        "pauses": [asdict(pause) for pause in snapshot.pauses],
        "release": {"name": facts.release, "first_seen_at": facts.release_since},
        "charts_up_to": facts.rolled_up_to,
    }
    return JsonResponse(state, encoder=_Encoder, headers={"Cache-Control": "no-store"})
