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

from procrastinate_tasks import queries
from procrastinate_tasks.queries import QueueStatus


class Command(BaseCommand):
    """Read only. The exit code of ``status`` is 1 when waiting or orphaned jobs find no living worker."""

    help = "Shows the tasks, the schedule, or the state of the job queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="tasks | schedule | status")
        for verb, summary in (
            ("tasks", "list the registered tasks"),
            ("schedule", "list the schedules with their last and next run"),
            ("status", "show queues, workers and failures; exit code 1 when jobs find no worker"),
        ):
            verb_parser = verbs.add_parser(verb, help=summary)
            verb_parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        show = {"tasks": self._show_tasks, "schedule": self._show_schedule, "status": self._show_status}[verb]
        show(as_json=options["json"])

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
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value
