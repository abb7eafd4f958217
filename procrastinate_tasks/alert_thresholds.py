"""When the queue's own alerts fire: the terms in which settings say it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta


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


_DURATIONS = {
    "schedule_overdue",
    "unknown_task",
    "clock_skew",
    "longest_wait",
    "record_delay",
    "claim_failure",
    "open_transaction",
}


def find_problem(thresholds: AlertThresholds) -> str:
    """Say what is wrong with thresholds; nothing if they make sense."""
    for field in fields(thresholds):
        value = getattr(thresholds, field.name)
        if value is None:
            continue
        if isinstance(value, timedelta) != (field.name in _DURATIONS):
            return f"{field.name} is {value!r}, and must be of another type"
        if value <= type(value)(0):
            return f"{field.name} is {value!r}, and must be more than zero"
        if field.name.endswith("_share") and value > 1:
            return f"{field.name} is {value!r}: a share is at most 1, as 0.8 for 80 %"
    return ""
