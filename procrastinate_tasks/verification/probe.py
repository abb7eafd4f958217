"""A job that does nothing, sent through a living worker to see whether one comes out at the other end."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils.translation import gettext as _
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued

from procrastinate_tasks.jobs.deferring import cancel
from procrastinate_tasks.jobs.tasks import task
from procrastinate_tasks.queries.workers import WorkerHeartbeat, list_workers
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.verification.verdicts import Verdict, fail, ok

TASK_NAME = "procrastinate_tasks.prove_a_worker"
_LOCK = "procrastinate_tasks.prove_a_worker"
_FIRST = 1000  # before whatever waits
_PAUSE_SECONDS = 0.1


@task(name=TASK_NAME, queueing_lock=_LOCK)
def prove_a_worker() -> str:
    """Do nothing; that somebody does it is the proof."""
    return "done"


def send_through_a_worker(*, within: timedelta) -> Verdict:
    """Defer a job to a queue that a living worker serves, and wait for its end."""
    alive = [worker for worker in list_workers() if worker.is_alive]
    if not alive:
        return fail(_("No worker is alive."), fix=_("Start one: manage.py procrastinate worker"))
    began = time.monotonic()
    try:
        job_id = prove_a_worker.configure(queue=_queue_of(alive[0]), priority=_FIRST).defer()
    except AlreadyEnqueued:
        return fail(
            _("The job of an earlier look still waits."),
            fix=_("Look at manage.py jobs status, and try again."),
        )
    status = _wait_for_end(job_id, deadline=began + within.total_seconds())
    if status == "succeeded":
        return ok(_("A worker ran a job, %.1f s after it was deferred.") % (time.monotonic() - began))
    reason = why_not_running(job_id)
    cancel(queueing_lock=_LOCK)
    return fail(
        _("Job %(id)d did not succeed within %(seconds)d s: %(reason)s")
        % {"id": job_id, "seconds": within.total_seconds(), "reason": reason.sentence},
        fix=_("Look at the worker's log, and at manage.py jobs status."),
    )


def _queue_of(worker: WorkerHeartbeat) -> str:
    return worker.queues[0] if worker.queues else "default"


def _wait_for_end(job_id: int, *, deadline: float) -> str:
    while True:
        status: str = ProcrastinateJob.objects.values_list("status", flat=True).get(id=job_id)
        if status not in ("todo", "doing") or time.monotonic() > deadline:
            return status
        time.sleep(_PAUSE_SECONDS)
