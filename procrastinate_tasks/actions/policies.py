"""What may be done by hand to a job, a queue, a schedule, and why not: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

MOST_IN_ONE_DRY_RUN = 100
_BIGGEST_BATCH = 100
_USUAL_PAUSE = timedelta(seconds=15)


class Action(StrEnum):
    """What people do by hand."""

    RETRY = "retry"
    RUN_NOW = "run_now"
    CANCEL = "cancel"
    ABORT = "abort"
    RELEASE = "release"
    RESCUE = "rescue"
    PAUSE = "pause"
    RESUME = "resume"
    PAUSE_TASK = "pause_task"
    RESUME_TASK = "resume_task"
    LIMIT = "limit"
    MUTE_FAULT = "mute_fault"
    UNMUTE_FAULT = "unmute_fault"
    SILENCE_ALERT = "silence_alert"
    UNSILENCE_ALERT = "unsilence_alert"
    RUN_SCHEDULE = "run_schedule"
    DISABLE_SCHEDULE = "disable_schedule"
    ENABLE_SCHEDULE = "enable_schedule"
    START_BULK = "start_bulk"
    STOP_BULK = "stop_bulk"
    REPLAY = "replay"


JOB_ACTIONS = (Action.RETRY, Action.RUN_NOW, Action.CANCEL, Action.ABORT, Action.RELEASE, Action.RESCUE)
QUEUE_ACTIONS = (Action.PAUSE, Action.RESUME, Action.LIMIT)
TASK_ACTIONS = (Action.PAUSE_TASK, Action.RESUME_TASK)
FAULT_ACTIONS = (Action.MUTE_FAULT, Action.UNMUTE_FAULT)
ALERT_ACTIONS = (Action.SILENCE_ALERT, Action.UNSILENCE_ALERT)
SCHEDULE_ACTIONS = (Action.RUN_SCHEDULE, Action.DISABLE_SCHEDULE, Action.ENABLE_SCHEDULE)


class Refusal(StrEnum):
    """Why an action is not possible."""

    NO_SUCH_JOB = "no_such_job"
    SUCCEEDED = "succeeded"
    ENDED = "ended"
    WAITS = "waits"
    RUNS = "runs"
    ORPHANED = "orphaned"
    DUE_ALREADY = "due_already"
    PARKED = "parked"
    NOT_PARKED = "not_parked"
    ASKED_TO_STOP = "asked_to_stop"
    LOCK_TAKEN = "lock_taken"
    CHANGED_MEANWHILE = "changed_meanwhile"
    BUSY = "busy"
    REASON_MISSING = "reason_missing"
    NOT_PERMITTED = "not_permitted"
    UNKNOWN_QUEUE = "unknown_queue"
    PAUSED_ALREADY = "paused_already"
    NOT_PAUSED = "not_paused"
    UNKNOWN_TASK = "unknown_task"
    OVER_ALREADY = "over_already"
    UNKNOWN_FAULT = "unknown_fault"
    MUTED_ALREADY = "muted_already"
    NOT_MUTED = "not_muted"
    UNKNOWN_ALERT = "unknown_alert"
    SILENCED_ALREADY = "silenced_already"
    NOT_SILENCED = "not_silenced"
    INVALID_LIMIT = "invalid_limit"
    UNKNOWN_SCHEDULE = "unknown_schedule"
    DISABLED_ALREADY = "disabled_already"
    NOT_DISABLED = "not_disabled"
    INVALID_SCHEDULE = "invalid_schedule"
    RUN_WAITS = "run_waits"
    NO_JOB_MATCHES = "no_job_matches"
    TOO_MANY_JOBS = "too_many_jobs"
    BULK_HAS_ENDED = "bulk_has_ended"


class Tier(IntEnum):
    """How much confirmation an action needs."""

    NONE = 0
    BUTTON = 1
    """One button; the result is told, and can be undone or harms nobody."""
    DRY_RUN = 2
    """A page in between that shows what would happen to each."""
    TYPED = 3
    """A dry run, a reason, and the number of jobs or the name typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToActOn:
    """What decides about an action on one job, at ``now``.

    ``status`` is None when there is no such job. ``twin_id`` is the waiting job that has its queueing lock.
    """

    id: int
    now: datetime
    status: str | None
    task_name: str = ""
    queue_name: str = ""
    scheduled_at: datetime | None = None
    attempts: int = 0
    worker_is_alive: bool = False
    abort_requested: bool = False
    is_parked: bool = False
    queueing_lock: str | None = None
    twin_id: int | None = None

    @property
    def is_orphaned(self) -> bool:
        return self.status == "doing" and not self.worker_is_alive

    @property
    def is_due(self) -> bool:
        return self.scheduled_at is None or self.scheduled_at <= self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an action is possible; ``twin_id`` is the job that stands in its way."""

    refusal: Refusal | None = None
    twin_id: int | None = None

    @property
    def is_possible(self) -> bool:
        return self.refusal is None


_POSSIBLE = Verdict()
_HAS_ENDED = ("succeeded", "failed", "cancelled", "aborted", "aborting")
_MAY_WAIT_AGAIN = ("failed", "cancelled", "aborted", "aborting")


def decide_action(action: Action, job: JobToActOn) -> Verdict:
    """Decide about an action on one job.

    Raises:
        KeyError: the action is none on jobs.
    """
    if job.status is None:
        return Verdict(refusal=Refusal.NO_SUCH_JOB)
    return _DECISIONS[action](job)


def decide_actions(action: Action, jobs: Iterable[JobToActOn]) -> dict[int, Verdict]:
    """Decide about an action on several jobs at once; of those that share a queueing lock the latest wins."""
    verdicts: dict[int, Verdict] = {}
    winners: dict[str, int] = {}
    for job in sorted(jobs, key=lambda job: job.id, reverse=True):
        verdict = decide_action(action, job)
        lock = job.queueing_lock if action in (Action.RETRY, Action.RELEASE) else None
        if verdict.is_possible and lock is not None:
            winner = winners.setdefault(lock, job.id)
            if winner != job.id:
                verdict = Verdict(refusal=Refusal.LOCK_TAKEN, twin_id=winner)
        verdicts[job.id] = verdict
    return verdicts


def decide_tier(action: Action, *, count: int = 1, needs_care: bool = False) -> Tier:
    """Decide how much confirmation an action needs.

    Args:
        count: how many jobs it is about.
        needs_care: one of their tasks moves money, or a retry of it is not known to be safe.
    """
    usual = _TIERS[action]
    if count > MOST_IN_ONE_DRY_RUN:
        return Tier.TYPED
    if count > 1 or needs_care:
        return max(usual, Tier.DRY_RUN)
    return usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How many jobs of a bulk operation to take at once, and how long to pause after them."""

    size: int
    pause: timedelta


def decide_batch(pace_per_minute: int | None) -> Batch:
    """Keep the pace: small batches, some seconds apart, never more in a minute than asked for."""
    if pace_per_minute is None:
        return Batch(size=_BIGGEST_BATCH, pause=timedelta(0))
    wanted = int(pace_per_minute * _USUAL_PAUSE / timedelta(minutes=1))
    size = min(max(wanted, 1), _BIGGEST_BATCH)
    return Batch(size=size, pause=timedelta(minutes=1) * size / pace_per_minute)


def needs_reason(action: Action, *, moves_money: bool) -> bool:
    """Tell whether a person has to say why: jobs are stopped, money may move, or nobody will be told."""
    if action in (Action.ABORT, Action.SILENCE_ALERT):
        return True
    return moves_money and action in (*JOB_ACTIONS, Action.REPLAY)


_TIERS: Mapping[Action, Tier] = {
    Action.RETRY: Tier.BUTTON,
    Action.RUN_NOW: Tier.BUTTON,
    Action.CANCEL: Tier.DRY_RUN,
    Action.ABORT: Tier.TYPED,
    Action.RELEASE: Tier.DRY_RUN,
    Action.RESCUE: Tier.DRY_RUN,
    Action.PAUSE: Tier.DRY_RUN,
    Action.RESUME: Tier.BUTTON,
    Action.PAUSE_TASK: Tier.DRY_RUN,
    Action.RESUME_TASK: Tier.BUTTON,
    Action.LIMIT: Tier.DRY_RUN,
    Action.MUTE_FAULT: Tier.DRY_RUN,
    Action.UNMUTE_FAULT: Tier.BUTTON,
    Action.SILENCE_ALERT: Tier.DRY_RUN,
    Action.UNSILENCE_ALERT: Tier.BUTTON,
    Action.RUN_SCHEDULE: Tier.BUTTON,
    Action.DISABLE_SCHEDULE: Tier.TYPED,
    Action.ENABLE_SCHEDULE: Tier.BUTTON,
    Action.START_BULK: Tier.TYPED,
    Action.STOP_BULK: Tier.BUTTON,
    Action.REPLAY: Tier.DRY_RUN,
}


# --- One action each --------------------------------------------------------------------------------------


def _decide_retry(job: JobToActOn) -> Verdict:
    if job.status == "succeeded":
        return Verdict(refusal=Refusal.SUCCEEDED)
    if job.status == "todo":
        return Verdict(refusal=Refusal.WAITS)
    if job.status == "doing" and not job.is_orphaned:
        return Verdict(refusal=Refusal.RUNS)
    if job.status == "doing" and job.abort_requested:
        return Verdict(refusal=Refusal.ASKED_TO_STOP)
    if job.is_parked:
        return Verdict(refusal=Refusal.PARKED)
    return _unless_lock_taken(job)


def _decide_release(job: JobToActOn) -> Verdict:
    if job.status not in _MAY_WAIT_AGAIN or not job.is_parked:
        return Verdict(refusal=Refusal.NOT_PARKED)
    return _unless_lock_taken(job)


def _decide_run_now(job: JobToActOn) -> Verdict:
    if job.status == "doing":
        return Verdict(refusal=Refusal.ORPHANED if job.is_orphaned else Refusal.RUNS)
    if job.status in _HAS_ENDED:
        return Verdict(refusal=Refusal.ENDED)
    return Verdict(refusal=Refusal.DUE_ALREADY) if job.is_due else _POSSIBLE


def _decide_cancel(job: JobToActOn) -> Verdict:
    if job.status == "doing":
        return Verdict(refusal=Refusal.ORPHANED if job.is_orphaned else Refusal.RUNS)
    return Verdict(refusal=Refusal.ENDED) if job.status in _HAS_ENDED else _POSSIBLE


def _decide_abort(job: JobToActOn) -> Verdict:
    if job.status == "todo":
        return Verdict(refusal=Refusal.WAITS)
    if job.status in _HAS_ENDED:
        return Verdict(refusal=Refusal.ENDED)
    return Verdict(refusal=Refusal.ASKED_TO_STOP) if job.abort_requested else _POSSIBLE


def _decide_rescue(job: JobToActOn) -> Verdict:
    if job.is_orphaned:
        return _POSSIBLE
    if job.status == "doing":
        return Verdict(refusal=Refusal.RUNS)
    return Verdict(refusal=Refusal.WAITS if job.status == "todo" else Refusal.ENDED)


def _decide_replay(job: JobToActOn) -> Verdict:
    if job.status == "failed":
        return _POSSIBLE
    if job.status == "succeeded":
        return Verdict(refusal=Refusal.SUCCEEDED)
    if job.status == "doing":
        return Verdict(refusal=Refusal.ORPHANED if job.is_orphaned else Refusal.RUNS)
    return Verdict(refusal=Refusal.WAITS if job.status == "todo" else Refusal.ENDED)


def _unless_lock_taken(job: JobToActOn) -> Verdict:
    if job.twin_id is None:
        return _POSSIBLE
    return Verdict(refusal=Refusal.LOCK_TAKEN, twin_id=job.twin_id)


_DECISIONS: Mapping[Action, Callable[[JobToActOn], Verdict]] = {
    Action.RETRY: _decide_retry,
    Action.RUN_NOW: _decide_run_now,
    Action.CANCEL: _decide_cancel,
    Action.ABORT: _decide_abort,
    Action.RELEASE: _decide_release,
    Action.RESCUE: _decide_rescue,
    Action.REPLAY: _decide_replay,
}
