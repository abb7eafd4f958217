"""The queue app's settings, and the words they are written in: typed, read from Django's each time.

A settings file imports it: nothing here may need Django set up, or import Procrastinate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from django.conf import settings

PREFIX = "PROCRASTINATE_TASKS_"

_PLAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThresholds:
    """What is still in order; None switches a rule off.

    Fewer living workers than ``min_workers``, a tick that waits longer than ``schedule_overdue``, more ready
    jobs in one queue than ``queue_depth``, more than ``failed_jobs`` of one queue failed within an hour, a
    worker above ``memory_share`` of its limit, connections above ``connection_share`` of theirs, a job that
    waits longer than ``unknown_task`` for a worker that knows its task, a worker whose host's clock is
    ``clock_skew`` from the database's, a ready job that waits longer than ``longest_wait`` where nothing is
    paused, a living worker that cannot record what has ended for longer than ``record_delay``, or claim for
    ``claim_failure``, a transaction open for longer than ``open_transaction``: these are faults.
    """

    min_workers: int | None = 1
    schedule_overdue: timedelta | None = timedelta(seconds=5)
    queue_depth: int | None = 500
    failed_jobs: int | None = 50
    memory_share: float | None = 0.8
    connection_share: float | None = 0.8
    unknown_task: timedelta | None = timedelta(minutes=10)
    clock_skew: timedelta | None = timedelta(seconds=5)
    longest_wait: timedelta | None = timedelta(minutes=15)
    record_delay: timedelta | None = timedelta(seconds=10)
    claim_failure: timedelta | None = timedelta(seconds=30)
    open_transaction: timedelta | None = timedelta(minutes=5)


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
    site_url: str = ""
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
    defaults = getattr(settings, "PROCRASTINATE_WORKER_DEFAULTS", None) or {}
    return timedelta(seconds=defaults.get("stalled_worker_timeout", _PLAIN_SECONDS))


_DURATIONS = {
    "schedule_overdue",
    "unknown_task",
    "clock_skew",
    "longest_wait",
    "record_delay",
    "claim_failure",
    "open_transaction",
}


def find_threshold_problem(thresholds: AlertThresholds) -> str:
    """Say what is wrong with thresholds; nothing if they make sense."""
    for each in fields(thresholds):
        value = getattr(thresholds, each.name)
        if value is None:
            continue
        if isinstance(value, timedelta) != (each.name in _DURATIONS):
            return f"{each.name} is {value!r}, and must be of another type"
        if value <= type(value)(0):
            return f"{each.name} is {value!r}, and must be more than zero"
        if each.name.endswith("_share") and value > 1:
            return f"{each.name} is {value!r}: a share is at most 1, as 0.8 for 80 %"
    return ""


_SHORTEST_PERIOD = timedelta(milliseconds=10)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` starts within any stretch of time as long as ``per``."""

    count: int
    per: timedelta = timedelta(seconds=1)

    def __str__(self) -> str:
        return f"{self.count} per {self.per.total_seconds():g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimit:
    """What a queue may do on all workers and hosts together; None is no limit.

    ``concurrency`` is how many of its jobs run at a time.
    """

    rate: Rate | None = None
    concurrency: int | None = None


def find_limit_problem(limit: QueueLimit) -> str:
    """Say what is wrong with a limit; nothing if it makes sense."""
    if limit.rate is not None and not _is_positive(limit.rate.count):
        return f"its rate is {limit.rate.count!r} jobs, and must be a whole number of 1 or more"
    if limit.rate is not None and not limit.rate.per >= _SHORTEST_PERIOD:
        return f"its rate is per {limit.rate.per.total_seconds():g} s, and the period must be 0.01 s or more"
    if limit.concurrency is not None and not _is_positive(limit.concurrency):
        return f"its concurrency is {limit.concurrency!r}, and must be a whole number of 1 or more"
    return ""


def _is_positive(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


# For the ``OPTIONS`` of a database: a server that vanished without a goodbye is noticed within about six
# seconds instead of two hours, and of several hosts in one address the next is tried after three.
CONNECTION_OPTIONS: Mapping[str, Any] = {
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
}
