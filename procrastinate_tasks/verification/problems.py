"""The troubles that every queue has one day, each answered by what is the case at this moment."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import database_now
from procrastinate_tasks.monitoring.snapshot import QueueLoad, take_snapshot
from procrastinate_tasks.queries.workers import list_workers
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.verification import queue_checks
from procrastinate_tasks.verification.verdicts import Check, Level, Verdict, fail, ok, skip, warn

_MEGABYTE = 1024 * 1024


def check_worker_can_start() -> Verdict:
    """Look at what keeps a worker from starting: database, migrations, settings; tasks load by now."""
    for look in (_check_database, queue_checks.check_migrations, queue_checks.check_queue_settings):
        verdict = look()
        if verdict.level is Level.FAILED:
            return verdict
    alive = [worker for worker in list_workers() if worker.is_alive]
    if alive:
        where = ", ".join(f"{worker.host}:{worker.pid}" for worker in alive)
        return ok(_("These are alive: %s.") % where)
    return fail(
        _("Nothing keeps a worker from starting, and none is alive."),
        fix=_("Start one by hand and read what it says: manage.py procrastinate worker"),
    )


def check_tasks_run() -> Verdict:
    """Ask the job that is ready the longest why it is not running."""
    waiting = [load for load in take_snapshot().queues if load.due]
    if not waiting:
        return ok(_("No job waits."))
    load = max(waiting, key=lambda each: each.longest_due)
    job_id = _oldest_ready_job(load)
    if job_id is None:
        return ok(_("No job waits."))
    sentence = _("Job %(id)d waits for %(seconds)d s: %(reason)s") % {
        "id": job_id,
        "seconds": load.longest_due.total_seconds(),
        "reason": why_not_running(job_id).sentence,
    }
    is_late = load.longest_due > queue_settings().rescue_every * 60
    remedy = _("Remove that cause: manage.py jobs why %d") % job_id
    return fail(sentence, fix=remedy) if is_late else ok(sentence)


def check_memory() -> Verdict:
    alive = [worker for worker in list_workers() if worker.is_alive and worker.capacity]
    if not alive:
        return skip(_("No worker is alive."))
    unlimited = [worker for worker in alive if not worker.max_memory_bytes]
    if unlimited:
        return warn(
            _("A worker has no memory limit: %s.") % ", ".join(worker.host for worker in unlimited),
            fix=_("Start it with --max-memory, in MB: what grows beyond is replaced between jobs."),
        )
    most = max(alive, key=lambda worker: (worker.memory_bytes or 0) / (worker.max_memory_bytes or 1))
    used, limit = most.memory_bytes or 0, most.max_memory_bytes or 1
    sentence = _("The fullest uses %(used)d of %(limit)d MB, and is replaced above.") % {
        "used": used // _MEGABYTE,
        "limit": limit // _MEGABYTE,
    }
    share = queue_settings().alert_thresholds.memory_share or 1
    fix = _("If it grows with every job, lower --max-jobs and look for what a task keeps.")
    return fail(sentence, fix=fix) if used > share * limit else ok(sentence)


def check_backlog() -> Verdict:
    most = queue_settings().alert_thresholds.queue_depth or 0
    long = [load for load in take_snapshot().queues if most and load.due > most]
    if not long:
        return ok(_("No queue holds more than %d ready jobs.") % most)
    return fail(
        " ".join(_say_backlog(load) for load in long),
        fix=_("Add workers, raise --concurrency, or resume what is paused: manage.py jobs limits"),
    )


QUEUE_PROBLEMS = (
    Check(
        name="worker_does_not_start",
        title=gettext_lazy("The worker will not start"),
        run=check_worker_can_start,
        needs_database=False,
    ),
    Check(name="tasks_do_not_run", title=gettext_lazy("Tasks do not run"), run=check_tasks_run),
    Check(name="memory_grows", title=gettext_lazy("Memory grows"), run=check_memory),
    Check(name="jobs_pile_up", title=gettext_lazy("Jobs are piling up"), run=check_backlog),
)


def _check_database() -> Verdict:
    return queue_checks.check_database(oldest=0)


def _oldest_ready_job(load: QueueLoad) -> int | None:
    ready = ProcrastinateJob.objects.filter(queue_name=load.queue, status="todo")
    due = ready.filter(scheduled_at__lte=database_now()).order_by("scheduled_at")
    unscheduled = ready.filter(scheduled_at__isnull=True).order_by("id")
    for candidates in (unscheduled, due):
        job_id: int | None = candidates.values_list("id", flat=True).first()
        if job_id is not None:
            return job_id
    return None


def _say_backlog(load: QueueLoad) -> str:
    sentence = _("Queue %(queue)s: %(ready)d ready jobs, %(running)d running.") % {
        "queue": load.queue,
        "ready": load.due,
        "running": load.running,
    }
    return " ".join((sentence, _("The queue is paused."))) if load.is_paused else sentence
