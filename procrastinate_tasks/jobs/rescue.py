"""The judge of lost runs, and the rescue of those that the database alone knows of.

Whoever notices that a run was lost says so in a ``LostRun``; ``judge`` alone says how it ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from procrastinate_tasks.conf import plain_orphaned_after, queue_settings
from procrastinate_tasks.database import atomic, execute, fetch_rows, statement
from procrastinate_tasks.exceptions import QueueError, WorkerDied, WorkerLost
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.jobs.policies import LossCause, LossDecision, decide_loss
from procrastinate_tasks.jobs.recording import record, tell_refused
from procrastinate_tasks.models import Outcome

logger = logging.getLogger(__name__)

BATCH = 500
# Whoever holds a row, it is waited for so long and no longer; what was set tighter stands.
_WAIT_FOR_ROWS = """
    SELECT set_config('lock_timeout', '5s', true)
    WHERE current_setting('lock_timeout')::interval NOT BETWEEN '1 ms' AND '5 s'
"""
_SECONDS_LEFT_ALONE = 60.0
_SECONDS_UNTIL_FORGOTTEN = 600.0


# --- The judge --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRun:
    """A run that nobody will end any more.

    Task and queue may be empty: the job's row tells them. ``started_at`` is on this host's monotonic clock;
    ``error`` is what its attempt shall tell.
    """

    cause: LossCause
    job_id: int
    worker_id: int | None
    attempts: int
    started_at: float
    task_name: str = ""
    queue_name: str = ""
    earlier_crashes: int = 0
    abort_requested: bool = False
    error: QueueError | None = None

    @classmethod
    def of(
        cls,
        claimed: ClaimedJob,
        cause: LossCause,
        *,
        started_at: float,
        abort_requested: bool = False,
        error: QueueError | None = None,
    ) -> Self:
        """The run of a job that this worker had claimed."""
        return cls(
            cause=cause,
            job_id=claimed.job_id,
            worker_id=claimed.worker_id,
            attempts=claimed.attempts,
            started_at=started_at,
            task_name=claimed.task_name,
            queue_name=claimed.queue_name,
            earlier_crashes=claimed.crashes,
            abort_requested=abort_requested,
            error=error,
        )


class _End(NamedTuple):
    status: str
    outcome: Outcome
    counts_attempt: bool


_END_OF: Mapping[LossDecision, _End] = {
    LossDecision.GIVE_BACK: _End("todo", Outcome.INTERRUPTED, counts_attempt=False),
    LossDecision.RUN_AGAIN: _End("todo", Outcome.CRASHED, counts_attempt=True),
    LossDecision.PARK: _End("failed", Outcome.PARKED, counts_attempt=True),
    LossDecision.ABORT: _End("aborted", Outcome.ABORTED, counts_attempt=True),
}


def judge(lost: LostRun, *, decision: LossDecision | None = None) -> Completion:
    """Return how a lost run ended. Beside a waiting twin, recording ends it as superseded, whoever died.

    Args:
        decision: what a person decided; by default ``decide_loss`` does.
    """
    decision = decision or decide_loss(
        lost.cause,
        earlier_crashes=lost.earlier_crashes,
        max_crashes=queue_settings().max_crashes,
        abort_requested=lost.abort_requested,
    )
    end = _END_OF[decision]
    error = lost.error
    return Completion(
        job_id=lost.job_id,
        worker_id=lost.worker_id,
        attempts=lost.attempts,
        status=end.status,
        outcome=end.outcome.value,
        counts_attempt=end.counts_attempt,
        task_name=lost.task_name,
        queue_name=lost.queue_name,
        started_at=lost.started_at,
        finished_at=time.monotonic(),
        exception_class="" if error is None else f"{type(error).__module__}.{type(error).__qualname__}",
        message="" if error is None else str(error),
    )


# --- The rescue -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueReport:
    """The ids of the jobs that were rescued, by what became of them."""

    given_back: tuple[int, ...] = ()
    run_again: tuple[int, ...] = ()
    parked: tuple[int, ...] = ()
    aborted: tuple[int, ...] = ()
    superseded: tuple[int, ...] = ()


class RefusedRuns:
    """Lost runs whose every end the database refuses: told once each, and left alone for a while."""

    def __init__(self) -> None:
        self._left_until: dict[int, float] = {}

    def job_ids(self) -> list[int]:
        """Jobs to leave alone now."""
        now = time.monotonic()
        self._left_until = {
            job_id: until
            for job_id, until in self._left_until.items()
            if now < until + _SECONDS_UNTIL_FORGOTTEN  # later it was tried again, and not refused
        }
        return [job_id for job_id, until in self._left_until.items() if now < until]

    def add(self, end: Completion) -> None:
        """Takes note of one that was refused."""
        if end.job_id not in self._left_until:
            tell_refused(end)
        self._left_until[end.job_id] = time.monotonic() + _SECONDS_LEFT_ALONE


def run_once(now: datetime | None = None, *, refused: RefusedRuns | None = None) -> RescueReport:
    """Rescue orphaned jobs: those whose worker sent no heartbeat for as long as it said it might be silent.

    Two processes may rescue at the same time: each takes other jobs. The run that was lost is stored as an
    attempt. A job asked to stop is aborted; one that lost ``PROCRASTINATE_TASKS_MAX_CRASHES`` workers since
    it was last retried by hand is parked as failed, and waits for someone to look.

    Args:
        now: by default the database's clock.
        refused: what earlier rounds of this process could not end.
    """
    refused = refused or RefusedRuns()
    wanted = _Wanted(now=now, except_job_ids=refused.job_ids(), batch=BATCH)
    return _rescue(wanted, cause=LossCause.HOST, refused=refused)


def rescue_chosen(job_ids: Sequence[int], *, decision: LossDecision | None = None) -> RescueReport:
    """Rescue those of these jobs that are orphaned.

    Args:
        decision: what a person decided of all of them; by default each is judged.
    """
    return _rescue(_Wanted(job_ids=list(job_ids)), cause=LossCause.HOST, decision=decision)


def rescue_workers(
    worker_ids: Collection[int], *, cause: LossCause, except_job_ids: Iterable[int] = ()
) -> RescueReport:
    """Rescue whatever these workers hold, whose processes are gone or end now.

    Args:
        except_job_ids: jobs that have ended, only that could not be recorded: they are not given back.
    """
    wanted = _Wanted(worker_ids=list(worker_ids), except_job_ids=list(except_job_ids))
    return _rescue(wanted, cause=cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which lost runs ``jobs/sql/lock_lost_jobs.sql`` looks for; without ids, any that is orphaned."""

    job_ids: Sequence[int] | None = None
    worker_ids: Sequence[int] | None = None
    except_job_ids: Sequence[int] = ()
    now: datetime | None = None
    batch: int | None = None

    @property
    def is_any(self) -> bool:
        return self.job_ids is None and self.worker_ids is None


def _rescue(
    wanted: _Wanted,
    *,
    cause: LossCause,
    decision: LossDecision | None = None,
    refused: RefusedRuns | None = None,
) -> RescueReport:
    refused = refused or RefusedRuns()
    with atomic():
        rows = _lock(wanted)
        lost = [_lost_run(row, cause) for row in rows]
        recorded = record(
            [judge(each, decision=decision) for each in lost],
            now=rows[0]["now"] if rows else None,
            on_refused=refused.add,
        )
    _log(lost, recorded)
    return _report(recorded)


def _lock(wanted: _Wanted) -> list[dict[str, Any]]:
    """Lock the rows; one that another holds is passed over only by a search that comes again.

    A completion may hold the row of a worker that parts: passed over, it would stay with a worker that is
    gone, until somebody takes that for a lost host.
    """
    sql = statement("jobs/lock_lost_jobs")
    if wanted.is_any:
        sql += " SKIP LOCKED"
    else:
        execute(_WAIT_FOR_ROWS)
    return fetch_rows(
        sql,
        job_ids=wanted.job_ids,
        worker_ids=wanted.worker_ids,
        except_job_ids=list(wanted.except_job_ids),
        now=wanted.now,
        orphaned_after=plain_orphaned_after(),
        batch=wanted.batch,
    )


def _lost_run(row: Mapping[str, Any], cause: LossCause) -> LostRun:
    return LostRun(
        cause=cause,
        job_id=row["id"],
        worker_id=row["worker_id"],
        attempts=row["attempts"],
        started_at=time.monotonic() - (row["now"] - row["started_at"]).total_seconds(),
        task_name=row["task_name"],
        queue_name=row["queue_name"],
        earlier_crashes=row["earlier_crashes"],
        abort_requested=row["abort_requested"],
        error=_error_of(row, cause),
    )


def _error_of(row: Mapping[str, Any], cause: LossCause) -> QueueError | None:
    if cause is LossCause.HOST:
        return WorkerLost(
            worker_id=row["worker_id"],
            silent_seconds=row["silent_seconds"],
            crashes=row["earlier_crashes"] + 1,
        )
    return WorkerDied() if cause is LossCause.WORKER else None


def _report(recorded: Sequence[Recorded]) -> RescueReport:
    def ids(outcome: Outcome) -> tuple[int, ...]:
        return tuple(item.job_id for item in recorded if item.outcome is outcome)

    return RescueReport(
        given_back=ids(Outcome.INTERRUPTED),
        run_again=ids(Outcome.CRASHED),
        parked=ids(Outcome.PARKED),
        aborted=ids(Outcome.ABORTED),
        superseded=ids(Outcome.SUPERSEDED),
    )


def _log(lost: Sequence[LostRun], recorded: Sequence[Recorded]) -> None:
    outcomes = {item.job_id: item.outcome for item in recorded}
    for each in (each for each in lost if each.job_id in outcomes):
        outcome = outcomes[each.job_id]
        logger.log(
            logging.ERROR if outcome is Outcome.PARKED else logging.WARNING,
            "Job's run was lost",
            extra={
                "event": f"job_{outcome.value}",
                "job_id": each.job_id,
                "task": each.task_name,
                "queue": each.queue_name,
                "attempt": each.attempts + 1,
                "cause": each.cause.value,
                "lost_worker_id": each.worker_id,
                "crashes": each.earlier_crashes + (outcome in {Outcome.CRASHED, Outcome.PARKED}),
            },
        )
