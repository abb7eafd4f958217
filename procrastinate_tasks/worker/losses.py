"""What becomes of the jobs of a child that is gone: who is to blame, and who runs again at no cost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from procrastinate.app import App
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.exceptions import ChildLost, TimeLimitExceeded
from procrastinate_tasks.jobs.claimed_job import ClaimedJob, procrastinate_job
from procrastinate_tasks.jobs.completion import Completion, failed_or_retried
from procrastinate_tasks.jobs.policies import Rescue, decide_rescue
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.worker.children import SECONDS_TO_STOP, Child, Running
from procrastinate_tasks.worker.completion_loop import Waiting
from procrastinate_tasks.worker.messages import ChildExited
from procrastinate_tasks.worker.pool import cause_of

_MEGABYTE = 1024 * 1024


def ends_of_lost_child(app: App, child: Child, exited: ChildExited) -> list[Waiting]:
    """One end for each job that ran in the child, or was to run in it.

    A job over its hard limit failed. Whatever else ran in a child we had killed is given back. When a child
    died by itself, the one job in it is to blame; of several none is blamed, but each runs alone from now on.
    """
    ends = list(_ends_of_running(app, child, exited))
    if child.reserved_for is not None:
        ends.append(Waiting(given_back(child.reserved_for, started_at=time.monotonic()), child.reserved_for))
    return ends


def _ends_of_running(app: App, child: Child, exited: ChildExited) -> Iterator[Waiting]:
    neighbours = len(child.running) - 1
    for running in child.running.values():
        if running.assignment.job_id == child.overdue_job_id and running.asked_to_stop is not None:
            end = _end_of_ignored_abort(app, running)
        elif running.assignment.job_id == child.overdue_job_id:
            end = _end_of_overdue(app, running)
        elif child.kill_reason:
            end = given_back(running.assignment, started_at=running.started)
        else:
            end = _end_of_crash(
                running.assignment,
                exited,
                cause=child.broke or cause_of(exited),
                neighbours=neighbours,
                started_at=running.started,
            )
        yield Waiting(end, running.assignment)


def given_back(assignment: ClaimedJob, *, started_at: float) -> Completion:
    """The end of a run that was cut short through no fault of its job: it waits again, at no cost."""
    return Completion(
        job_id=assignment.job_id,
        worker_id=assignment.worker_id,
        attempts=assignment.attempts,
        status="todo",
        outcome=Outcome.INTERRUPTED.value,
        task_name=assignment.task_name,
        queue_name=assignment.queue_name,
        started_at=started_at,
        finished_at=time.monotonic(),
        counts_attempt=False,
    )


def _end_of_overdue(app: App, running: Running) -> Completion:
    """The end of a job that was ended at its hard limit; its task may ask for a retry."""
    end = failed_or_retried(
        running.assignment,
        job=procrastinate_job(running.assignment),
        task=app.tasks.get(running.assignment.task_name),
        started=running.started,
        error=TimeLimitExceeded(seconds=running.hard_seconds or 0),
        abort_reason=None,
    )
    return end._replace(traceback=running.stack + end.traceback)


def _end_of_ignored_abort(app: App, running: Running) -> Completion:
    """The end of a job that was asked to stop, did not, and was stopped with its process."""
    return failed_or_retried(
        running.assignment,
        job=procrastinate_job(running.assignment),
        task=app.tasks.get(running.assignment.task_name),
        started=running.started,
        error=JobAborted(
            f"The job was asked to stop and went on for {SECONDS_TO_STOP:g} s; its process was ended."
        ),
        abort_reason=AbortReason.USER_REQUEST,
    )


def _end_of_crash(
    assignment: ClaimedJob, exited: ChildExited, *, cause: str, neighbours: int, started_at: float
) -> Completion:
    """The end of a job whose process died: suspected beside others, to blame if alone, parked if again."""
    end = given_back(assignment, started_at=started_at)._replace(
        exception_class=f"{ChildLost.__module__}.{ChildLost.__qualname__}",
        message=str(_describe(assignment, exited, cause=cause, neighbours=neighbours)),
    )
    if neighbours:
        return end
    decision = decide_rescue(
        earlier_crashes=assignment.crashes,
        max_crashes=queue_settings().max_crashes,
        abort_requested=False,  # the settling statement sees to that
    )
    if decision is Rescue.PARK:
        return end._replace(status="failed", outcome=Outcome.PARKED.value, counts_attempt=True, retry_at=None)
    return end._replace(outcome=Outcome.CRASHED.value, counts_attempt=True)


def _describe(assignment: ClaimedJob, exited: ChildExited, *, cause: str, neighbours: int) -> ChildLost:
    return ChildLost(
        cause=cause,
        peak_memory_mb=exited.peak_memory_bytes // _MEGABYTE,
        neighbours=neighbours,
        crashes=assignment.crashes + 1,
        last_log_lines=exited.last_log_lines,
    )
