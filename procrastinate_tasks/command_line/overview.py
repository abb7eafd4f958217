"""Verbs that show the whole queue: its tasks, depth, limits and workers, and whether it does its work."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, cell
from procrastinate_tasks.command_line.queues import rate_in_words
from procrastinate_tasks.conf import QueueLimit, queue_settings
from procrastinate_tasks.models import LiveWorker
from procrastinate_tasks.monitoring.health import check_health
from procrastinate_tasks.queries.queues import QueueStatus, list_tasks, read_status
from procrastinate_tasks.queries.workers import WorkerHeartbeat
from procrastinate_tasks.queues.control import QueueRuleInfo, list_queue_rules
from procrastinate_tasks.queues.pauses import Pause, PauseKind

_MEGABYTE = 1024 * 1024


def show_tasks(out: Output, options: Options) -> ExitCode:
    tasks = list_tasks()
    if out.as_json:
        out.json(tasks)
        return ExitCode.DONE
    rows = [(task.name, task.queue, task.queueing_lock, ", ".join(task.schedules)) for task in tasks]
    out.table((_("TASK"), _("QUEUE"), _("QUEUEING LOCK"), _("SCHEDULES")), rows)
    return ExitCode.DONE


# --- How deep the queues are ------------------------------------------------------------------------------


def show_status(out: Output, options: Options) -> ExitCode:
    """Show it, and fail when jobs find no worker."""
    status = read_status()
    if out.as_json:
        out.json(status)
    else:
        _write_status(out, status)
    if not any(worker.is_alive for worker in status.workers) and any(
        queue.due or queue.orphaned for queue in status.queues
    ):
        raise CommandError(
            _("Jobs wait and no worker is alive. Start one: manage.py procrastinate worker"),
            returncode=ExitCode.ERROR,
        )
    return ExitCode.DONE


def _write_status(out: Output, status: QueueStatus) -> None:
    queues = [
        (
            queue.queue,
            queue.ready,
            queue.blocked,
            queue.paused,
            queue.scheduled,
            queue.to_be_retried,
            queue.running,
            queue.orphaned,
            queue.oldest_due_at,
        )
        for queue in status.queues
    ]
    headings = (
        _("QUEUE"),
        _("READY"),
        _("BLOCKED"),
        _("PAUSED"),
        _("SCHEDULED"),
        _("TO BE RETRIED"),
        _("RUNNING"),
        _("ORPHANED"),
        _("OLDEST DUE SINCE"),
    )
    out.table(headings, queues)
    out.line()
    workers = [
        (
            worker.id,
            _state_of_worker(worker),
            worker.running,
            worker.last_heartbeat,
            _clock(worker.clock_skew),
        )
        for worker in status.workers
    ]
    out.table((_("WORKER"), _("STATE"), _("RUNNING"), _("LAST HEARTBEAT"), _("CLOCK")), workers)
    out.line()
    out.line(_("Failed in the last 24 hours: %(count)s") % {"count": status.failed_last_day})
    for pause in status.pauses:
        out.line(_sentence_of(pause))


def _sentence_of(pause: Pause) -> str:
    values = {
        "name": pause.name,
        "person": pause.paused_by,
        "since": cell(pause.paused_at),
        "until": cell(pause.paused_until),
        "reason": pause.reason,
    }
    what = {
        PauseKind.QUEUE: _("Queue %(name)s is paused by %(person)s since %(since)s."),
        PauseKind.TASK: _("Task %(name)s is paused by %(person)s since %(since)s."),
    }[pause.kind]
    until = _("It goes on at %(until)s.") if pause.paused_until else ""
    reason = _("Reason: %(reason)s") if pause.reason else ""
    return " ".join(part % values for part in (what, until, reason) if part)


def _state_of_worker(worker: WorkerHeartbeat) -> str:
    thresholds = queue_settings().alert_thresholds
    if not worker.is_alive:
        return _("silent")
    if thresholds.record_delay and (worker.unrecorded_for or timedelta(0)) > thresholds.record_delay:
        return _("cannot record")
    if thresholds.claim_failure and (worker.claims_fail_for or timedelta(0)) > thresholds.claim_failure:
        return _("cannot claim")
    return _("alive")


# --- What holds queues back -------------------------------------------------------------------------------


def show_limits(out: Output, options: Options) -> ExitCode:
    rules = list_queue_rules()
    if out.as_json:
        out.json(rules)
        return ExitCode.DONE
    headings = (
        _("QUEUE"),
        _("PAUSED BY"),
        _("REASON"),
        _("RATE"),
        _("STARTED"),
        _("AT A TIME"),
        _("RUNNING"),
        _("LIMITED BY"),
    )
    out.table(headings, [_row_of(rule) for rule in rules])
    return ExitCode.DONE


def _row_of(rule: QueueRuleInfo) -> tuple[object, ...]:
    by_whom = _("staff") if rule.limits_by_hand else _("the settings")
    return (
        rule.queue,
        f"{rule.paused_by}, {cell(rule.paused_at)}" if rule.paused_at else None,
        rule.pause_reason,
        rate_in_words(rule.limit.rate),
        rule.recent_starts,
        rule.limit.concurrency,
        rule.running,
        by_whom if rule.limits_by_hand or rule.limit != QueueLimit() else None,
    )


# --- Who works --------------------------------------------------------------------------------------------


def show_workers(out: Output, options: Options) -> ExitCode:
    """Show the registered workers; a plain Procrastinate worker says little about itself."""
    beats = read_status().workers
    said = LiveWorker.objects.in_bulk([beat.id for beat in beats])
    workers = [_facts_of(beat, said.get(beat.id)) for beat in beats]
    if out.as_json:
        out.json(workers)
        return ExitCode.DONE
    headings = (
        _("WORKER"),
        _("STATE"),
        _("HOST"),
        _("PID"),
        _("RELEASE"),
        _("PROJECT"),
        _("QUEUES"),
        _("RUNNING"),
        _("SLOTS"),
        _("MEMORY"),
        _("LAST HEARTBEAT"),
    )
    out.table(headings, [_row_of_worker(worker) for worker in workers])
    return ExitCode.DONE


def _facts_of(beat: WorkerHeartbeat, said: LiveWorker | None) -> dict[str, object]:
    facts: dict[str, object] = {
        "id": beat.id,
        "is_alive": beat.is_alive,
        "running": beat.running,
        "last_heartbeat": beat.last_heartbeat,
    }
    names = (
        "host",
        "pid",
        "release",
        "project",
        "queues",
        "capacity",
        "memory_bytes",
        "started_at",
        "clock_skew",
    )
    return facts | {name: getattr(said, name, None) for name in names}


def _clock(skew: timedelta | None) -> str | None:
    """Show how far a host's clock is ahead of the database's."""
    return None if skew is None else f"{skew.total_seconds():+.1f} s"


def _row_of_worker(worker: dict[str, object]) -> tuple[object, ...]:
    queues, memory = worker["queues"], worker["memory_bytes"]
    return (
        worker["id"],
        _("alive") if worker["is_alive"] else _("silent"),
        worker["host"],
        worker["pid"],
        worker["release"],
        worker["project"],
        ", ".join(queues) if isinstance(queues, list) else _("all"),
        worker["running"],
        worker["capacity"],
        f"{memory // _MEGABYTE} MB" if isinstance(memory, int) and memory else None,
        worker["last_heartbeat"],
    )


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--queue", help="look at the waiting jobs of this queue only")
    parser.add_argument(
        "--longest-wait",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long a ready job may wait (default: %(default)g)",
    )


def show_health(out: Output, options: Options) -> ExitCode:
    """Show each check, and fail when one does."""
    health = check_health(queue=options["queue"], longest_wait=timedelta(seconds=options["longest_wait"]))
    if out.as_json:
        out.json({"ok": health.is_healthy, "checks": health.checks})
    else:
        for check in health.checks:
            out.line(f"{'✓' if check.is_ok else '✗'} {check.sentence}")
    return ExitCode.DONE if health.is_healthy else ExitCode.ERROR


VERBS = (
    Verb(name="status", summary="queues, workers and failures; 1 when jobs find no worker", run=show_status),
    Verb(name="tasks", summary="the registered tasks", run=show_tasks),
    Verb(name="limits", summary="the queues that are paused or limited", run=show_limits),
    Verb(
        name="workers", summary="the registered workers, and what they say about themselves", run=show_workers
    ),
    Verb(
        name="health",
        summary="tell whether the queue does its work; exit code 1 if not, 2 if nobody can tell",
        run=show_health,
        add_arguments=add_arguments,
        example="jobs health --queue payments --longest-wait 120",
    ),
)
