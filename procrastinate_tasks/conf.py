"""The queue app's settings: typed, with defaults, read from Django's each time they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from django.conf import settings
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.alert_thresholds import AlertThresholds
from procrastinate_tasks.limits import QueueLimit

PREFIX = "PROCRASTINATE_TASKS_"

_PLAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """Each field is the Django setting of that name in capitals after ``PROCRASTINATE_TASKS_``."""

    soft_time_limit: timedelta = timedelta(seconds=540)
    time_limit: timedelta = timedelta(seconds=600)
    orphaned_after: timedelta = timedelta(seconds=3.5)
    rescue_every: timedelta = timedelta(seconds=1)
    max_crashes: int = 2
    schedule_grace: timedelta = timedelta(seconds=60)
    catch_up_limit: int = 100
    keep_successes_for: timedelta = timedelta(hours=24)
    keep_failures_for: timedelta = timedelta(days=14)
    retention_every: timedelta = timedelta(seconds=60)
    retention_batch: int = 1000
    max_result_bytes: int = 16_384
    queue_limits: dict[str, QueueLimit] = field(default_factory=dict)
    release: str = ""
    project: str = ""
    connection_limit: int = 0
    alert_thresholds: AlertThresholds = field(default_factory=AlertThresholds)
    alert_every: timedelta = timedelta(seconds=2)
    alert_lasting: timedelta = timedelta(seconds=5)
    alert_calm_for: timedelta = timedelta(seconds=60)
    alert_webhook_url: str = ""
    monitoring_token: str = ""
    secret_settings: tuple[str, ...] = ()


# What the columns hold. A platform's variable may be longer, which is no reason not to start.
LONGEST_RELEASE = 100

_DEFAULTS = QueueSettings()
DEFAULTS: dict[str, Any] = {each.name: getattr(_DEFAULTS, each.name) for each in fields(QueueSettings)}


def django_name(field_name: str) -> str:
    """Return the name a field has in Django's settings."""
    return PREFIX + field_name.upper()


def project_name() -> str:
    """Return what tells this project's workers from another's: the setting, or its URLs' package."""
    named = queue_settings().project or getattr(settings, "ROOT_URLCONF", "").partition(".")[0]
    return named[:100]


def queue_settings() -> QueueSettings:
    """Return the settings as they are now; ``override_settings`` works."""
    values = {name: getattr(settings, django_name(name), default) for name, default in DEFAULTS.items()}
    values["release"] = str(values["release"])[:LONGEST_RELEASE]
    return QueueSettings(**values)


def plain_orphaned_after() -> timedelta:
    """Return how long a plain Procrastinate worker, which says nothing of itself, may be silent."""
    defaults = procrastinate_settings.WORKER_DEFAULTS or {}
    return timedelta(seconds=defaults.get("stalled_worker_timeout", _PLAIN_SECONDS))
