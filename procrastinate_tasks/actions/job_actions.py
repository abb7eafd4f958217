"""Carries out an action on jobs: looks at them under lock, decides, and changes those that may be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import LiteralString

from procrastinate.exceptions import UniqueViolation

from procrastinate_tasks.actions.policies import (
    Action,
    JobToActOn,
    Refusal,
    Verdict,
    decide_actions,
    needs_reason,
)
from procrastinate_tasks.actions.reports import ActionRequest, TargetReport, refuse_all
from procrastinate_tasks.conf import plain_orphaned_after
from procrastinate_tasks.database import fetch_rows, retry_clash, statement
from procrastinate_tasks.jobs import rescue
from procrastinate_tasks.jobs.descriptions import moves_money
from procrastinate_tasks.jobs.policies import LossDecision
from procrastinate_tasks.jobs.states import JobState, job_state
from procrastinate_tasks.models import ActionOutcome

May = Callable[[str], bool]

_LARGEST_ID = 2**63 - 1
_NEVER = datetime.min.replace(tzinfo=UTC)

_ABORT = """
-- Ask running jobs to stop; Procrastinate's trigger tells their workers.
UPDATE procrastinate_jobs
SET abort_requested = true
WHERE id = ANY(%(job_ids)s::bigint[])
  AND status = 'doing'
  AND NOT abort_requested
RETURNING id
"""

_CANCEL = """
-- Cancel jobs that wait.
UPDATE procrastinate_jobs
SET status = 'cancelled'
WHERE id = ANY(%(job_ids)s::bigint[])
  AND status = 'todo'
RETURNING id
"""

_LOCK_JOBS = """
-- Lock jobs, so that what is decided about them holds until the end of the transaction.
SELECT id FROM procrastinate_jobs WHERE id = ANY(%(job_ids)s::bigint[]) ORDER BY id FOR UPDATE
"""


def anybody(task_name: str) -> bool:
    """Allow everything: for those who are trusted with the machine itself."""
    return True


def nobody(task_name: str) -> bool:
    """Allow nothing: for those who are gone."""
    return False


def act_on_jobs(request: ActionRequest, *, may: May) -> tuple[TargetReport, ...]:
    """Act on jobs, all in the current transaction; what became of each is told in their order.

    A queueing lock that somebody takes at the same moment makes it look and decide again.
    """
    try:
        return retry_clash(lambda: _act_once(request, may))
    except UniqueViolation:
        return refuse_all(request, Refusal.BUSY)


def look_at_jobs(request: ActionRequest, *, may: May) -> tuple[TargetReport, ...]:
    """Tell what acting would come to, and change nothing."""
    jobs = read_jobs(request.job_ids)
    verdicts = _decide(request, jobs.values(), may)
    return tuple(_report(request.action, jobs[job_id], verdicts[job_id]) for job_id in request.job_ids)


def read_jobs(job_ids: Sequence[int]) -> dict[int, JobToActOn]:
    """Return what decides about actions on jobs, those that do not exist too, in one statement."""
    rows = fetch_rows(
        statement("actions/jobs_to_act_on"), job_ids=_possible(job_ids), orphaned_after=plain_orphaned_after()
    )
    found = {row["id"]: JobToActOn(**row) for row in rows}
    missing = {job_id: JobToActOn(id=job_id, now=_NEVER, status=None) for job_id in job_ids}
    return missing | found


def _act_once(request: ActionRequest, may: May) -> tuple[TargetReport, ...]:
    fetch_rows(_LOCK_JOBS, job_ids=_possible(request.job_ids))
    jobs = read_jobs(request.job_ids)
    verdicts = _decide(request, jobs.values(), may)
    states = _change(request.action, [job for job in jobs.values() if verdicts[job.id].is_possible])
    return tuple(
        _report(request.action, jobs[job_id], verdicts[job_id], states=states) for job_id in request.job_ids
    )


def _decide(request: ActionRequest, jobs: Collection[JobToActOn], may: May) -> dict[int, Verdict]:
    refused = {
        job.id: Verdict(refusal=refusal)
        for job in jobs
        if (refusal := _refusal_of_request(request, job, may)) is not None
    }
    return decide_actions(request.action, (job for job in jobs if job.id not in refused)) | refused


def _refusal_of_request(request: ActionRequest, job: JobToActOn, may: May) -> Refusal | None:
    if not may(job.task_name):
        return Refusal.NOT_PERMITTED
    if not request.reason and needs_reason(request.action, moves_money=moves_money(job.task_name)):
        return Refusal.REASON_MISSING
    return None


# --- Changing ---------------------------------------------------------------------------------------------


def _change(action: Action, jobs: Sequence[JobToActOn]) -> dict[int, JobState]:
    """Change jobs, and return the new state of those that were changed."""
    if action is Action.RESCUE:
        return _rescue(jobs)
    if action is Action.REPLAY:
        return {job.id: JobState.FAILED for job in jobs}  # who asked runs it, once that is written down
    if action is Action.RETRY:
        orphaned = [job for job in jobs if job.is_orphaned]
        ended = [job for job in jobs if not job.is_orphaned]
        rescued = _rescue(orphaned, decision=LossDecision.RUN_AGAIN)
        return rescued | _change_by(statement("actions/act_retry"), ended, JobState.READY)
    sql, state = _CHANGES[action]
    return _change_by(sql, jobs, state)


_CHANGES: Mapping[Action, tuple[LiteralString, JobState]] = {
    Action.RUN_NOW: (statement("actions/act_run_now"), JobState.READY),
    Action.CANCEL: (_CANCEL, JobState.CANCELLED),
    Action.ABORT: (_ABORT, JobState.RUNNING),
    Action.RELEASE: (statement("actions/act_retry"), JobState.READY),
}


def _change_by(sql: LiteralString, jobs: Sequence[JobToActOn], state: JobState) -> dict[int, JobState]:
    if not jobs:
        return {}
    return {row["id"]: state for row in fetch_rows(sql, job_ids=[job.id for job in jobs])}


def _rescue(jobs: Sequence[JobToActOn], *, decision: LossDecision | None = None) -> dict[int, JobState]:
    if not jobs:
        return {}
    report = rescue.rescue_chosen([job.id for job in jobs], decision=decision)
    return {
        **dict.fromkeys(report.run_again, JobState.READY),
        **dict.fromkeys(report.parked, JobState.FAILED),
        **dict.fromkeys(report.aborted, JobState.ABORTED),
        **dict.fromkeys(report.superseded, JobState.FAILED),
    }


# --- Telling ----------------------------------------------------------------------------------------------


def _report(
    action: Action, job: JobToActOn, verdict: Verdict, *, states: Mapping[int, JobState] | None = None
) -> TargetReport:
    """Tell what became of a job; without ``states``, what would."""
    refusal = verdict.refusal
    if refusal is None and states is not None and job.id not in states:
        refusal = Refusal.CHANGED_MEANWHILE
    detail: dict[str, object] = {} if job.status is None else {"before": _state_of(job).value}
    if verdict.twin_id is not None:
        detail["twin_id"] = verdict.twin_id
    if refusal is None and states is not None:
        detail["after"] = states[job.id].value
    return TargetReport(
        action=action,
        target=str(job.id),
        outcome=ActionOutcome.APPLIED if refusal is None else ActionOutcome.REFUSED,
        refusal=refusal,
        task_name=job.task_name,
        detail=detail,
    )


def _state_of(job: JobToActOn) -> JobState:
    return job_state(
        status=job.status or "",
        attempts=job.attempts,
        is_due=job.is_due,
        worker_is_alive=job.worker_is_alive,
    )


def _possible(job_ids: Iterable[int]) -> list[int]:
    return sorted({job_id for job_id in job_ids if 0 < job_id <= _LARGEST_ID})
