"""``manage.py jobs``: what the queue knows and does, as a table or as JSON."""

from __future__ import annotations

import dataclasses
import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from procrastinate_tasks import operations, queries
from procrastinate_tasks.exceptions import UnknownQueue
from procrastinate_tasks.limits import QueueLimit
from procrastinate_tasks.policies import Cause
from procrastinate_tasks.queries import QueueStatus

_LISTS = (
    ("tasks", "list the registered tasks"),
    ("schedule", "list the schedules with their last and next run"),
    ("status", "show queues, workers and failures; exit code 1 when jobs find no worker"),
    ("limits", "list the paused and the limited queues"),
)

_NOBODY_NAMED = "manage.py jobs"


class Command(BaseCommand):
    """Shows the queue, and pauses or resumes one.

    The exit code is 1 when ``status`` finds waiting or orphaned jobs and no living worker, when ``why`` finds
    no such job, and when ``pause`` or ``resume`` find no such queue.
    """

    help = (
        "Shows the tasks, the schedule, the state of the job queue or of one job; pauses and resumes queues."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="tasks | schedule | status | limits | why | pause | resume"
        )
        added = {verb: verbs.add_parser(verb, help=summary) for verb, summary in _LISTS}
        added["why"] = verbs.add_parser("why", help="tell why a job is not running")
        added["why"].add_argument("job_id", type=int, metavar="ID")
        added["pause"] = verbs.add_parser("pause", help="let no worker start another job of a queue")
        added["pause"].add_argument("queue")
        added["pause"].add_argument("--reason", default="", help="told to whoever asks why a job waits")
        added["pause"].add_argument(
            "--by", default="manage.py jobs", help="who pauses (default: %(default)s)"
        )
        added["resume"] = verbs.add_parser("resume", help="let workers start a queue's jobs again")
        added["resume"].add_argument("queue")
        for verb_parser in added.values():
            verb_parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        show = {
            "tasks": self._show_tasks,
            "schedule": self._show_schedule,
            "status": self._show_status,
            "limits": self._show_limits,
        }
        if verb in show:
            show[verb](as_json=options["json"])
        elif verb == "why":
            self._show_why(options["job_id"], as_json=options["json"])
        else:
            self._switch(verb, options)

    def _switch(self, verb: str, options: dict[str, Any]) -> None:
        queue = options["queue"]
        try:
            if verb == "pause":
                changed = operations.pause(queue=queue, by=options["by"], reason=options["reason"])
            else:
                changed = operations.resume(queue=queue)
        except (UnknownQueue, ValueError) as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal
        paused = verb == "pause"
        if options["json"]:
            self._write_json({"queue": queue, "is_paused": paused, "changed": changed})
            return
        state = "paused" if paused else "not paused"
        self.stdout.write(
            f"Queue {queue!r} is {state}." if changed else f"Queue {queue!r} was {state} already."
        )

    def _show_why(self, job_id: int, *, as_json: bool) -> None:
        reason = queries.why_not_running(job_id)
        if as_json:
            self._write_json(reason)
        elif reason.cause is not Cause.NO_SUCH_JOB:
            self.stdout.write(reason.sentence)
        if reason.cause is Cause.NO_SUCH_JOB:
            raise CommandError(reason.sentence, returncode=1)

    def _show_limits(self, *, as_json: bool) -> None:
        rules = queries.list_queue_rules()
        if as_json:
            self._write_json(rules)
            return
        rows = [
            (
                rule.queue,
                f"{rule.paused_by}, {_cell(rule.paused_at)}" if rule.paused_at else None,
                rule.pause_reason,
                rule.limit.rate,
                rule.recent_starts,
                rule.limit.concurrency,
                rule.running,
                "staff" if rule.limits_by_hand else "the settings" if rule.limit != QueueLimit() else None,
            )
            for rule in rules
        ]
        headings = ("QUEUE", "PAUSED BY", "REASON", "RATE", "STARTED", "AT A TIME", "RUNNING", "LIMITED BY")
        self._write_table(headings, rows)

    def _show_tasks(self, *, as_json: bool) -> None:
        tasks = queries.list_tasks()
        if as_json:
            self._write_json(tasks)
            return
        rows = [(task.name, task.queue, task.queueing_lock, ", ".join(task.schedules)) for task in tasks]
        self._write_table(("TASK", "QUEUE", "QUEUEING LOCK", "SCHEDULES"), rows)

    def _show_schedule(self, *, as_json: bool) -> None:
        schedule = queries.list_schedule()
        if as_json:
            self._write_json(schedule)
            return
        rows = [
            (
                item.name,
                item.cron,
                item.zone,
                item.problem or item.next_at,
                item.last_tick_at,
                item.lateness,
                item.missed_count,
            )
            for item in schedule
        ]
        self._write_table(("SCHEDULE", "CRON", "ZONE", "NEXT RUN", "LAST RUN", "LATE BY", "MISSED"), rows)

    def _show_status(self, *, as_json: bool) -> None:
        status = queries.read_status()
        if as_json:
            self._write_json(status)
        else:
            self._write_status(status)
        if not any(worker.is_alive for worker in status.workers) and any(
            queue.ready or queue.orphaned for queue in status.queues
        ):
            raise CommandError(
                "Jobs wait and no worker is alive. Start one: manage.py procrastinate worker", returncode=1
            )

    def _write_status(self, status: QueueStatus) -> None:
        queues = [
            (queue.queue, queue.ready, queue.scheduled, queue.running, queue.orphaned, queue.oldest_ready_at)
            for queue in status.queues
        ]
        self._write_table(
            ("QUEUE", "READY", "SCHEDULED", "RUNNING", "ORPHANED", "OLDEST READY SINCE"), queues
        )
        self.stdout.write("")
        workers = [
            (worker.id, "alive" if worker.is_alive else "silent", worker.running, worker.last_heartbeat)
            for worker in status.workers
        ]
        self._write_table(("WORKER", "STATE", "RUNNING", "LAST HEARTBEAT"), workers)
        self.stdout.write(f"\nFailed in the last 24 hours: {status.failed_last_day}")

    def _write_table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        lines = [tuple(headings), *(tuple(_cell(value) for value in row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
        for line in lines:
            self.stdout.write(
                "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            )

    def _write_json(self, value: object) -> None:
        self.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.1f} s"
    return str(value)


def _plain(value: object) -> object:
    """Turn dataclasses into what JSON holds: times as ISO 8601, durations in seconds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value
