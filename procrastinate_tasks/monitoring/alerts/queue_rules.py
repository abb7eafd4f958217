"""The queue's own alert rules: workers, schedule, backlog, memory, connections, clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from procrastinate_tasks.formatting import amounts_in_words
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Finding, thresholds
from procrastinate_tasks.monitoring.alerts.worker_rules import (
    find_failing_claims,
    find_large_workers,
    find_refused_workers,
    find_stopped_workers,
    find_unrecorded_ends,
    find_wrong_clocks,
)
from procrastinate_tasks.monitoring.snapshot import QueueLoad, Snapshot
from procrastinate_tasks.queries.failures import NewFault, list_new_faults
from procrastinate_tasks.queries.filters import JobFilter, understand
from procrastinate_tasks.queries.jobs import list_ids
from procrastinate_tasks.queries.money import find_stake
from procrastinate_tasks.queries.system import UnknownTaskInfo, list_unknown_tasks, read_oldest_transaction
from procrastinate_tasks.queries.tabs import Tab

_HOUR = timedelta(hours=1)
_MOST_ADDED_UP = 2_000
"""Of how many failed jobs the money is added up, while an alert is put into words."""


def find_stopped_schedules(snapshot: Snapshot) -> Iterator[Finding]:
    """Find schedules whose tick nobody defers; those that ran late are not overdue any more."""
    allowed = thresholds().schedule_overdue
    if allowed is None:
        return
    overdue = [item for item in snapshot.schedule if item.overdue_since is not None]
    late = [
        item.name
        for item in overdue
        if item.overdue_since and snapshot.taken_at - item.overdue_since > allowed
    ]
    broken = [item.name for item in snapshot.schedule if item.problem]
    names = sorted({*late, *broken})
    if names:
        yield Finding(
            sentence=lambda: _("These tasks did not start at their time: %s.") % ", ".join(names),
            measure=len(names),
        )


def find_long_queues(snapshot: Snapshot) -> Iterator[Finding]:
    most = thresholds().queue_depth
    for queue in snapshot.queues:
        if most is not None and queue.due > most:
            yield Finding(subject=queue.queue, sentence=partial(_say_long_queue, queue), measure=queue.due)


def _say_long_queue(queue: QueueLoad) -> str:
    facts = {"queue": queue.queue, "ready": queue.due, "minutes": queue.longest_due.total_seconds() / 60}
    sentence = _(
        "%(ready)d jobs of the queue “%(queue)s” could run and wait, the oldest for %(minutes).0f min."
    )
    return sentence % facts + (" " + _("The queue is paused.") if queue.is_paused else "")


def find_failing_jobs(snapshot: Snapshot) -> Iterator[Finding]:
    """Find queues many of whose jobs failed for good, whatever their tasks are."""
    most = thresholds().failed_jobs
    for queue in snapshot.queues:
        if most is not None and queue.failed_last_hour > most:
            yield Finding(
                subject=queue.queue,
                sentence=partial(_say_failing_jobs, queue, snapshot.taken_at - _HOUR),
                measure=queue.failed_last_hour,
            )


def _say_failing_jobs(queue: QueueLoad, since: datetime) -> str:
    sentence = _("%(failed)d jobs of the queue “%(queue)s” failed within an hour.")
    told = sentence % {"failed": queue.failed_last_hour, "queue": queue.queue}
    failed = JobFilter(tab=Tab.FAILED, queue=queue.queue, ended_from=since.isoformat())
    ids = list_ids(understand(failed).query, limit=_MOST_ADDED_UP + 1)
    amounts = amounts_in_words(find_stake(ids[:_MOST_ADDED_UP]).amounts)
    if not amounts:
        return told
    money = _("Money: more than %(amount)s.") if len(ids) > _MOST_ADDED_UP else _("Money: %(amount)s.")
    return f"{told} {money % {'amount': amounts}}"


def find_new_faults(snapshot: Snapshot) -> Iterator[Finding]:
    """Find what the newest release broke, until it is muted or was not seen for a day."""
    for fault in list_new_faults():
        yield Finding(
            subject=f"{fault.task_name} {fault.fingerprint}",
            sentence=partial(_say_new_fault, fault),
            measure=fault.jobs,
        )


def _say_new_fault(fault: NewFault) -> str:
    sentence = ngettext(
        "New since %(release)s: %(error)s in %(task)s, in %(jobs)d job.",
        "New since %(release)s: %(error)s in %(task)s, in %(jobs)d jobs.",
        fault.jobs,
    )
    return sentence % {
        "release": fault.release,
        "error": fault.exception_name,
        "task": fault.task_name,
        "jobs": fault.jobs,
    }


def find_long_waits(snapshot: Snapshot) -> Iterator[Finding]:
    """Find queues whose jobs nobody takes, however few they are; a paused one waits for people."""
    most = thresholds().longest_wait
    for queue in snapshot.queues:
        if most is not None and queue.oldest_wait > most:
            yield Finding(subject=queue.queue, sentence=partial(_say_long_wait, queue), measure=queue.ready)


def _say_long_wait(queue: QueueLoad) -> str:
    facts = {"queue": queue.queue, "minutes": queue.oldest_wait.total_seconds() / 60}
    return _("A job of the queue “%(queue)s” could run and waits for %(minutes).0f min.") % facts


def find_scarce_connections(snapshot: Snapshot) -> Iterator[Finding]:
    share, use = thresholds().connection_share, snapshot.connections
    if share is not None and use.used > share * use.limit:
        facts = {"used": use.used, "limit": use.limit}
        yield Finding(sentence=lambda: _("%(used)d of %(limit)d database connections are in use.") % facts)


def find_unknown_tasks(snapshot: Snapshot) -> Iterator[Finding]:
    """Find tasks that no living worker knows: their jobs wait, for a release that may never come."""
    allowed = thresholds().unknown_task
    if allowed is None or not snapshot.living_workers:
        return
    for task in list_unknown_tasks():
        waited = snapshot.taken_at - task.since
        if waited >= allowed:
            yield Finding(
                subject=task.task_name, sentence=partial(_say_unknown_task, task, waited), measure=task.jobs
            )


def _say_unknown_task(task: UnknownTaskInfo, waited: timedelta) -> str:
    sentence = ngettext(
        "%(jobs)d job of the task %(task)s waits for a worker that knows it, for %(minutes)d min.",
        "%(jobs)d jobs of the task %(task)s wait for a worker that knows it, the oldest for %(minutes)d min.",
        task.jobs,
    )
    facts = {"jobs": task.jobs, "task": task.task_name, "minutes": waited.total_seconds() // 60}
    known_by = _("The release %(release)s knew it.") % {"release": task.known_by_release}
    return sentence % facts + (f" {known_by}" if task.known_by_release else "")


def find_forgotten_transactions(snapshot: Snapshot) -> Iterator[Finding]:
    allowed, oldest = thresholds().open_transaction, read_oldest_transaction()
    if allowed is None or oldest is None or snapshot.taken_at - oldest.since < allowed:
        return
    facts = {
        "minutes": (snapshot.taken_at - oldest.since).total_seconds() // 60,
        "pid": oldest.pid,
        "application": oldest.application,
    }
    yield Finding(sentence=partial(_say_forgotten_transaction, facts))


def _say_forgotten_transaction(facts: Mapping[str, object]) -> str:
    sentence = _(
        "A transaction has been open for %(minutes)d min: process %(pid)d of the database, “%(application)s”."
    )
    return sentence % facts


QUEUE_RULES = (
    AlertRule(
        name="worker_stopped",
        title=gettext_lazy("Workers are missing"),
        advice=gettext_lazy(
            "Start one: manage.py procrastinate worker. On a platform, look at how many workers it runs."
        ),
        find=find_stopped_workers,
        page="admin:queue_workers",
    ),
    AlertRule(
        name="schedule_stopped",
        title=gettext_lazy("The schedule has stopped"),
        advice=gettext_lazy("Look at manage.py jobs schedule, and at whether a worker is alive."),
        find=find_stopped_schedules,
        page="admin:queue_schedule",
    ),
    AlertRule(
        name="queue_too_long",
        title=gettext_lazy("Jobs pile up"),
        advice=gettext_lazy("Look at manage.py jobs status; add workers, or raise --concurrency."),
        find=find_long_queues,
        page="admin:queue_queues",
    ),
    AlertRule(
        name="jobs_failing",
        title=gettext_lazy("Many jobs fail"),
        advice=gettext_lazy(
            "Look at the failures, grouped by cause. When the cause is mended, retry them all at once:"
            " manage.py jobs retry."
        ),
        find=find_failing_jobs,
        page="admin:queue_jobs",
        query=lambda told: {
            "tab": "failed",
            "queue": told.subject,
            "ended_from": (told.told_at - timedelta(hours=1)).isoformat(),
        },
    ),
    AlertRule(
        name="faults_new",
        title=gettext_lazy("A release brought a new fault"),
        advice=gettext_lazy(
            "Read the error on the page of failures. If the release broke the task, roll it back and retry"
            " the jobs that failed; if it is harmless, mute the fault there."
        ),
        find=find_new_faults,
        page="admin:queue_failures",
        query=lambda told: {"new": "yes"},
    ),
    AlertRule(
        name="worker_refused",
        title=gettext_lazy("A worker's jobs cannot reach the database"),
        advice=gettext_lazy(
            "They wait and lose nothing. Look at the role's password, the connection limit, and DATABASE_URL;"
            " a worker that shall use a new address has to be started anew."
        ),
        find=find_refused_workers,
        page="admin:queue_workers",
    ),
    AlertRule(
        name="jobs_wait_too_long",
        title=gettext_lazy("Jobs wait and nobody takes them"),
        advice=gettext_lazy("Look at manage.py jobs why ID, and at which queues the workers serve."),
        find=find_long_waits,
        page="admin:queue_queues",
    ),
    AlertRule(
        name="ends_not_recorded",
        title=gettext_lazy("A worker cannot record what has ended"),
        advice=gettext_lazy(
            "Its log says what the database answers. It claims nothing more, and nothing is lost while it"
            " lives."
        ),
        find=find_unrecorded_ends,
        page="admin:queue_workers",
    ),
    AlertRule(
        name="claims_failing",
        title=gettext_lazy("A worker cannot claim jobs"),
        advice=gettext_lazy(
            "Its log says what the database answers: no connection left, no space left, or the like."
        ),
        find=find_failing_claims,
        page="admin:queue_workers",
    ),
    AlertRule(
        name="worker_memory_high",
        title=gettext_lazy("A worker is running out of memory"),
        advice=gettext_lazy(
            "Above its limit it is replaced between jobs. If that happens often, a task holds on to memory:"
            " lower --max-jobs, or look for it."
        ),
        find=find_large_workers,
        page="admin:queue_workers",
    ),
    AlertRule(
        name="task_unknown",
        title=gettext_lazy("No worker knows a task"),
        advice=gettext_lazy(
            "Start workers of a release that has the task, or cancel its jobs."
            " manage.py check_waiting_jobs lists them."
        ),
        find=find_unknown_tasks,
        page="admin:queue_workers",
    ),
    AlertRule(
        name="transaction_forgotten",
        title=gettext_lazy("A transaction was forgotten"),
        advice=gettext_lazy(
            "It makes each claim slower while it lasts. Commit it, or end it:"
            " SELECT pg_terminate_backend(pid). idle_in_transaction_session_timeout ends such by itself."
        ),
        find=find_forgotten_transactions,
    ),
    AlertRule(
        name="connections_scarce",
        title=gettext_lazy("Database connections are running out"),
        advice=gettext_lazy("Lower --concurrency or WEB_CONCURRENCY, or take a larger database plan."),
        find=find_scarce_connections,
    ),
    AlertRule(
        name="clock_wrong",
        title=gettext_lazy("A host's clock is wrong"),
        advice=gettext_lazy(
            "Jobs keep to the database's clock, but what tasks themselves read is wrong:"
            " look at the host's NTP."
        ),
        find=find_wrong_clocks,
        page="admin:queue_workers",
    ),
)
