"""What becomes of the jobs of a child that is gone: who is to blame, and who runs again at no cost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from procrastinate.app import App
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason

from procrastinate_tasks.exceptions import ChildLost, TimeLimitExceeded
from procrastinate_tasks.jobs.claimed_job import ClaimedJob, procrastinate_job
from procrastinate_tasks.jobs.completion import Completion, failed_or_retried
from procrastinate_tasks.jobs.policies import LossCause
from procrastinate_tasks.jobs.rescue import LostRun, judge
from procrastinate_tasks.worker.children import SECONDS_TO_STOP, Child, Running
from procrastinate_tasks.worker.completion_loop import Waiting
from procrastinate_tasks.worker.messages import ChildExited
from procrastinate_tasks.worker.pool import cause_of

_MEGABYTE = 1 << 20


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
            end = _end_of_crash(running, exited, cause=child.broke or cause_of(exited), neighbours=neighbours)
        yield Waiting(end, running.assignment)


def given_back(assignment: ClaimedJob, *, started_at: float) -> Completion:
    """The end of a run whose child was ended, or gone before it began."""
    return judge(LostRun.of(assignment, LossCause.CHILD_KILLED, started_at=started_at))


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


def _end_of_crash(running: Running, exited: ChildExited, *, cause: str, neighbours: int) -> Completion:
    """The end of a job whose process died by itself."""
    lost = LostRun.of(
        running.assignment,
        LossCause.CHILD_AMONG_OTHERS if neighbours else LossCause.CHILD_ALONE,
        started_at=running.started,
        abort_requested=running.asked_to_stop is not None,
        error=_describe(running.assignment, exited, cause=cause, neighbours=neighbours),
    )
    return judge(lost)


def _describe(assignment: ClaimedJob, exited: ChildExited, *, cause: str, neighbours: int) -> ChildLost:
    return ChildLost(
        cause=cause,
        peak_memory_mb=exited.peak_memory_bytes // _MEGABYTE,
        neighbours=neighbours,
        crashes=assignment.crashes + 1,
        last_log_lines=exited.last_log_lines,
    )
