"""The queue in numbers, read from the database when they are asked for.

So they are right however many web processes answer, and hold for all workers and hosts together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate

from procrastinate_tasks.database import atomic
from procrastinate_tasks.models.monitoring import TIME_BOUNDS
from procrastinate_tasks.monitoring.snapshot import Snapshot, take_snapshot
from procrastinate_tasks.queries.history import TimesTaken, read_task_totals
from procrastinate_tasks.queries.system import read_progress
from procrastinate_tasks.queries.workers import WorkerHeartbeat
from procrastinate_tasks.queues.pauses import PauseKind

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """A counter only grows; its name ends with ``_total``. So do the buckets of a histogram."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Numbers of one name, told apart by their labels."""

    name: str
    help: str
    samples: tuple[Sample, ...]
    kind: Kind = Kind.GAUGE


# The label of all tasks together that came after the first hundred; no task can have this name.
OTHER_TASKS = "(other tasks)"

MetricSource = Callable[[], Iterable[Metric]]

_sources: dict[str, MetricSource] = {}


def register_metrics(name: str, source: MetricSource) -> None:
    """Let an app add its own numbers; it does so in its ``ready()``. A name that is known is replaced."""
    _sources[name] = source


def collect() -> Iterator[Metric]:
    """Read the queue's numbers, then every app's; a source that fails is logged, left out and counted."""
    failed = []
    for name, source in {"queue": queue_metrics, **_sources}.items():
        try:
            with atomic():
                metrics = tuple(source())
        except Exception:
            logger.exception("Metrics could not be read", extra={"source": name})
            metrics = ()
            failed.append(name)
        yield from metrics
    yield gauge(
        "procrastinate_metrics_up",
        "Whether the numbers of a source could be read.",
        {name: name not in failed for name in ("queue", *_sources)},
        label="source",
    )


def gauge(name: str, help_text: str, values: Mapping[str, Value | None], *, label: str) -> Metric:
    """Make a metric from numbers by the value of one label; None is left out."""
    samples = tuple(
        Sample(value=value, labels={label: key}) for key, value in values.items() if value is not None
    )
    return Metric(name=name, help=help_text, samples=samples)


def single(name: str, help_text: str, value: Value, *, kind: Kind = Kind.GAUGE) -> Metric:
    """Make a metric of one number."""
    return Metric(name=name, help=help_text, samples=(Sample(value=value),), kind=kind)


def queue_metrics() -> Iterator[Metric]:
    snapshot = take_snapshot()
    yield from _of_queues(snapshot)
    yield from _of_workers(snapshot.workers)
    yield from _of_schedule(snapshot)
    yield from _of_connections(snapshot)
    yield from _of_progress()
    yield from _of_tasks()


def _of_queues(snapshot: Snapshot) -> Iterator[Metric]:
    states = ("ready", "blocked", "paused", "scheduled", "to_be_retried", "running", "orphaned")
    yield Metric(
        name="procrastinate_jobs",
        help="Unfinished jobs, each in one state.",
        samples=tuple(
            Sample(value=getattr(load, state), labels={"queue": load.queue, "state": state})
            for load in snapshot.queues
            for state in states
        ),
    )
    yield gauge(
        "procrastinate_task_paused",
        "The tasks that staff has paused.",
        {pause.name: True for pause in snapshot.pauses if pause.kind is PauseKind.TASK},
        label="task",
    )
    by_queue = {load.queue: load for load in snapshot.queues}
    for name, help_text, values in (
        (
            "oldest_wait_seconds",
            "How long the oldest ready job could have run already.",
            {queue: load.oldest_wait for queue, load in by_queue.items()},
        ),
        (
            "paused",
            "Whether staff has paused the queue.",
            {queue: load.is_paused for queue, load in by_queue.items()},
        ),
        (
            "failed_last_hour",
            "Jobs that are failed, and failed for good within the last hour.",
            {queue: load.failed_last_hour for queue, load in by_queue.items()},
        ),
        (
            "failed_last_day",
            "Jobs that are failed, and failed for good within 24 hours.",
            {queue: load.failed_last_day for queue, load in by_queue.items()},
        ),
    ):
        yield gauge(f"procrastinate_queue_{name}", help_text, values, label="queue")


def _of_workers(workers: Sequence[WorkerHeartbeat]) -> Iterator[Metric]:
    alive = [worker for worker in workers if worker.is_alive]
    yield single("procrastinate_workers", "Workers that send heartbeats.", len(alive))
    by_worker = {_worker_label(worker): worker for worker in workers}
    for name, help_text, values in (
        (
            "heartbeat_age_seconds",
            "Since when a worker was not heard of.",
            {label: worker.heartbeat_age for label, worker in by_worker.items()},
        ),
        (
            "running_jobs",
            "Jobs that a worker runs.",
            {label: worker.running for label, worker in by_worker.items()},
        ),
        (
            "capacity",
            "Jobs that a worker can run at a time.",
            {label: worker.capacity for label, worker in by_worker.items()},
        ),
        (
            "memory_bytes",
            "Memory of a worker's biggest process that runs jobs.",
            {label: worker.memory_bytes for label, worker in by_worker.items()},
        ),
        (
            "unrecorded_jobs",
            "Jobs of a worker that have ended and are not recorded.",
            {label: worker.unrecorded for label, worker in by_worker.items()},
        ),
        (
            "unrecorded_seconds",
            "How long the oldest of them waits to be recorded.",
            {label: worker.unrecorded_for or timedelta(0) for label, worker in by_worker.items()},
        ),
        (
            "claims_failing_seconds",
            "For how long a worker's claims fail.",
            {label: worker.claims_fail_for or timedelta(0) for label, worker in by_worker.items()},
        ),
        (
            "memory_limit_bytes",
            "Memory above which such a process is replaced.",
            {label: worker.max_memory_bytes for label, worker in by_worker.items()},
        ),
    ):
        yield gauge(f"procrastinate_worker_{name}", help_text, values, label="worker")


def _worker_label(worker: WorkerHeartbeat) -> str:
    return f"{worker.host}:{worker.pid}" if worker.host else f"worker {worker.id}"


def _of_schedule(snapshot: Snapshot) -> Iterator[Metric]:
    by_name = {item.name: item for item in snapshot.schedule}
    overdue = {
        name: snapshot.taken_at - item.overdue_since if item.overdue_since else 0
        for name, item in by_name.items()
    }
    for name, help_text, values in (
        ("overdue_seconds", "How long the first tick that nobody dealt with is due.", overdue),
        (
            "lateness_seconds",
            "How long after its tick the last job was deferred.",
            {name: item.lateness for name, item in by_name.items()},
        ),
        (
            "last_tick_timestamp_seconds",
            "The tick that was deferred last.",
            {name: item.last_tick_at for name, item in by_name.items()},
        ),
        (
            "next_tick_timestamp_seconds",
            "The tick that comes next.",
            {name: item.next_at for name, item in by_name.items()},
        ),
    ):
        yield gauge(f"procrastinate_schedule_{name}", help_text, values, label="schedule")
    yield Metric(
        name="procrastinate_schedule_missed_total",
        help="Ticks that passed without a worker and were not made up for.",
        kind=Kind.COUNTER,
        samples=tuple(
            Sample(value=item.missed_count, labels={"schedule": name}) for name, item in by_name.items()
        ),
    )


def _of_connections(snapshot: Snapshot) -> Iterator[Metric]:
    use = snapshot.connections
    yield single("procrastinate_database_connections", "Database connections in use.", use.used)
    yield single(
        "procrastinate_database_connections_limit", "How many there may be, by the nearest limit.", use.limit
    )


def _of_progress() -> Iterator[Metric]:
    progress = read_progress()
    yield single(
        "procrastinate_jobs_deferred_total",
        "Numbers given to jobs since the table was made, those of rolled-back transactions included.",
        progress.jobs_deferred,
        kind=Kind.COUNTER,
    )
    yield single(
        "procrastinate_attempts_recorded_total",
        "Numbers given to ended attempts since the table was made.",
        progress.attempts_recorded,
        kind=Kind.COUNTER,
    )
    yield gauge(
        "procrastinate_attempts_ended_lately",
        "Attempts that ended within the last five minutes.",
        dict(progress.ended_lately),
        label="outcome",
    )


def _of_tasks() -> Iterator[Metric]:
    totals = {item.task_name or OTHER_TASKS: item for item in read_task_totals()}
    yield Metric(
        name="procrastinate_task_runs_total",
        help="Runs that ended, by task, summed up every five minutes; failed ended the job, retried did not.",
        kind=Kind.COUNTER,
        samples=tuple(
            Sample(value=count, labels={"task": task, "outcome": outcome})
            for task, item in totals.items()
            for outcome, count in (
                ("succeeded", item.succeeded),
                ("failed", item.failed),
                ("retried", item.retried),
            )
        ),
    )
    yield _histogram(
        "procrastinate_task_wait_seconds",
        "From when a job was ready until a worker began with it, by task, summed up every five minutes.",
        {task: item.waits for task, item in totals.items()},
    )
    yield _histogram(
        "procrastinate_task_run_seconds",
        "How long a run took, by task, summed up every five minutes; of a process that died nobody knows.",
        {task: item.runs_took for task, item in totals.items()},
    )


def _histogram(name: str, help_text: str, times: Mapping[str, TimesTaken]) -> Metric:
    samples = tuple(sample for task, taken in times.items() for sample in _samples_of(task, taken))
    return Metric(name=name, help=help_text, samples=samples, kind=Kind.HISTOGRAM)


def _samples_of(task: str, taken: TimesTaken) -> Iterator[Sample]:
    bounds = (*(f"{bound.total_seconds():g}" for bound in TIME_BOUNDS), "+Inf")
    for bound, count in zip(bounds, accumulate(taken.buckets), strict=True):
        yield Sample(suffix="_bucket", value=count, labels={"task": task, "le": bound})
    yield Sample(suffix="_sum", value=taken.together, labels={"task": task})
    yield Sample(suffix="_count", value=sum(taken.buckets), labels={"task": task})


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Value = float | bool | timedelta | datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number. Durations are written in seconds, instants in seconds since 1970.

    ``suffix`` ends the name of its metric: a histogram is several numbers.
    """

    value: Value
    suffix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def render(metrics: Iterable[Metric]) -> str:
    """Write metrics down; those without a sample are left out."""
    return "".join(line + "\n" for metric in metrics if metric.samples for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escape(metric.help, quotes=False)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        name = metric.name + sample.suffix
        pairs = (f'{label}="{_escape(value, quotes=True)}"' for label, value in sample.labels.items())
        labels = ",".join(pairs)
        yield f"{name}{{{labels}}} {_number(sample.value)}" if labels else f"{name} {_number(sample.value)}"


def _escape(text: str, *, quotes: bool) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quotes else escaped


def _number(value: Value) -> str:
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, datetime):
        return repr(value.timestamp())
    return repr(float(value))
