"""T11: what the queue runs on, and whether it is in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime, timedelta

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from procrastinate_tasks.formatting import (
    age_in_words,
    count_in_words,
    duration_in_words,
    percentage_in_words,
)
from procrastinate_tasks.monitoring.health import HealthCheck, judge
from procrastinate_tasks.monitoring.snapshot import look
from procrastinate_tasks.queries.history import FACTS, DashboardFacts
from procrastinate_tasks.queries.system import (
    OLDEST_TRANSACTION,
    ClockSkew,
    OpenTransaction,
    Setting,
    list_settings,
    list_unapplied_migrations,
    measure_clock_skew,
    read_versions,
)
from procrastinate_tasks.viewer.concerns import LONG_WAIT
from procrastinate_tasks.viewer.dashboard_cards import Health
from procrastinate_tasks.viewer.rendering import render_page

_MOST_SKEW = timedelta(seconds=2)
_NEARLY_FULL = 0.8
_LONG_TRANSACTION = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is in order, or not, in a sentence."""

    title: str
    sentence: str
    health: Health


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    skew = measure_clock_skew()
    snapshot, (facts, oldest) = look(FACTS, OLDEST_TRANSACTION)
    context = {
        "title": _("System"),
        "now": snapshot.taken_at,
        "pauses": snapshot.pauses,
        "checks": [
            _check_migrations(list_unapplied_migrations()),
            _check_clock(skew),
            _check_connections(snapshot.connections.used, snapshot.connections.limit),
            _check_transactions(oldest, now=snapshot.taken_at),
            _check_rollup(facts, skew),
            *map(_check_health, judge(snapshot, queue=None, longest_wait=LONG_WAIT).checks),
        ],
        "versions": read_versions(),
        "releases": _releases(facts, {worker.release for worker in snapshot.living_workers}),
        "settings": [(setting, setting_in_words(setting)) for setting in list_settings()],
    }
    return render_page(request, site, "system.html", context)


def _check_migrations(unapplied: tuple[str, ...]) -> Check:
    if not unapplied:
        return Check(title=_("Migrations"), sentence=_("All are applied."), health=Health.GOOD)
    text = _("Not applied: %(names)s. Run “manage.py migrate”.")
    return Check(title=_("Migrations"), sentence=text % {"names": ", ".join(unapplied)}, health=Health.BAD)


def _check_clock(skew: ClockSkew) -> Check:
    values = {
        "difference": duration_in_words(abs(skew.ahead)),
        "precision": duration_in_words(skew.round_trip / 2),
    }
    if not skew.is_certain:
        text = _("The database's clock and this process's agree, to %(precision)s.")
    elif skew.ahead > timedelta(0):
        text = _("The database's clock is %(difference)s ahead of this process's, to %(precision)s.")
    else:
        text = _("The database's clock is %(difference)s behind this process's, to %(precision)s.")
    health = Health.SLOW if skew.is_certain and abs(skew.ahead) > _MOST_SKEW else Health.GOOD
    return Check(title=_("Clocks"), sentence=text % values, health=health)


def _check_connections(used: int, limit: int) -> Check:
    text = _("%(used)s of %(limit)s are open (%(share)s), by the limit that is nearest.")
    values = {
        "used": count_in_words(used),
        "limit": count_in_words(limit),
        "share": percentage_in_words(used, limit),
    }
    health = Health.BAD if used >= _NEARLY_FULL * limit else Health.GOOD
    return Check(title=_("Connections"), sentence=text % values, health=health)


def _check_transactions(oldest: OpenTransaction | None, *, now: datetime) -> Check:
    title = _("Oldest transaction")
    if oldest is None:
        return Check(title=title, sentence=_("None is open."), health=Health.GOOD)
    text = _("Open since %(age)s: process %(pid)s of the database, “%(application)s”.")
    values = {
        "age": age_in_words(oldest.since, now=now),
        "pid": oldest.pid,
        "application": oldest.application,
    }
    health = Health.GOOD if now - oldest.since < _LONG_TRANSACTION else Health.SLOW
    return Check(title=title, sentence=text % values, health=health)


def _check_rollup(facts: DashboardFacts, skew: ClockSkew) -> Check:
    if facts.rolled_up_to is None:
        text = _("No worker has summed up what ended yet: the charts are empty.")
        return Check(title=_("Charts"), sentence=text, health=Health.SLOW)
    text = _("They reach up to %(age)s.")
    age = age_in_words(facts.rolled_up_to, now=skew.now)
    health = Health.GOOD if skew.now - facts.rolled_up_to < timedelta(minutes=20) else Health.SLOW
    return Check(title=_("Charts"), sentence=text % {"age": age}, health=health)


def _check_health(check: HealthCheck) -> Check:
    """Show what the probes of the monitoring are told."""
    titles = {
        "workers": _("Workers"),
        "waiting": _("Waiting jobs"),
        "orphaned": pgettext("several jobs", "Orphaned"),
        "schedule": _("Schedule"),
    }
    health = Health.GOOD if check.is_ok else Health.BAD
    return Check(title=titles.get(check.name, check.name), sentence=check.sentence, health=health)


def _releases(facts: DashboardFacts, running: set[str]) -> Mapping[str, str]:
    names = ", ".join(sorted(name for name in running if name))
    return {_("The newest"): facts.release or "–", _("Of living workers"): names or "–"}


def setting_in_words(setting: Setting) -> str:
    """Return a setting's value for people: a secret's is never shown."""
    if setting.is_hidden:
        return _("set, not shown") if setting.value else _("not set")
    return _value_in_words(setting.value)


def _value_in_words(value: object) -> str:
    if isinstance(value, timedelta):
        return duration_in_words(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_value_in_words(item)}" for name, item in value.items()) or _("none")
    if is_dataclass(value) and not isinstance(value, type):
        parts = {name: item for name, item in asdict(value).items() if item is not None}
        return ", ".join(f"{name}={_value_in_words(item)}" for name, item in parts.items())
    if isinstance(value, int):
        return count_in_words(value, most=10**12)
    return str(value) if value not in (None, "") else "–"
